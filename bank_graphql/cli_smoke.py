"""The smoke test: a customer's first minutes at a running bank, over the network, to tell whether a release may have traffic.

It needs nothing but the bank's address. In a sandbox it pays money in, moves it and takes it out again. Elsewhere customers
cannot pay in, so the transfer must be refused for want of money. It leaves a closed customer with empty accounts.
"""

import json
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPException
from time import perf_counter, sleep
from typing import Annotated, Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import typer

from bank_graphql.kit.terminal import fail

_REJECTED = "... on Rejection { message }"
_SIGNED_IN = f"{{ __typename ... on AuthSession {{ accessToken }} {_REJECTED} }}"
_SIGN_UP = f"mutation ($input: SignUpInput!) {{ x: signUp(input: $input) {_SIGNED_IN} }}"
_OPENED = f"{{ __typename ... on Account {{ id }} {_REJECTED} }}"
_OPEN = f"mutation ($input: OpenAccountInput!) {{ x: openAccount(input: $input) {_OPENED} }}"
_MOVED = f"{{ __typename ... on MoneyMoved {{ replayed transaction {{ id }} }} {_REJECTED} }}"
_DEPOSIT = f"mutation ($input: DepositInput!) {{ x: deposit(input: $input) {_MOVED} }}"
_WITHDRAW = f"mutation ($input: WithdrawInput!) {{ x: withdraw(input: $input) {_MOVED} }}"
_TRANSFER = f"mutation ($input: TransferInput!) {{ x: transfer(input: $input) {_MOVED} }}"
_ACCOUNTS = "{ x: me { accounts { nodes { id balance { booked { amount } } } } } }"
_EVENTS = "query ($ids: [ID!]) { x: transactionEvents(accountIds: $ids, first: 20) { nodes { transaction { id } } } }"
_CLOSE = f"mutation ($password: String!) {{ x: closeUser(password: $password) {{ __typename {_REJECTED} }} }}"
_ME = "{ x: me { id } }"
_SIGNED_OUT_SECONDS = 5


class SmokeError(Exception):
    """The bank does not answer as it should."""


@dataclass
class Caller:
    """A customer of a running bank.

    Attributes:
        url: the bank's address.
        timeout: how many seconds an answer may take.
        token: the access token, once there is one.
    """

    url: str
    timeout: float
    token: str | None = None

    def get(self, path: str) -> Any:
        """Return what a page of the bank answers, in JSON.

        Raises:
            SmokeError: it does not answer, or with an error.
        """
        return self._send(Request(self.url + path))  # noqa: S310 - the scheme was checked

    def ask(self, query: str, **variables: object) -> Any:
        """Return what the only field of an operation answers.

        Raises:
            SmokeError: the bank does not answer, or with an error.
        """
        headers = {"content-type": "application/json", "accept": "application/graphql-response+json"}
        if self.token is not None:
            headers["authorization"] = f"Bearer {self.token}"
        body = json.dumps({"query": query, "variables": variables}).encode()
        answer = self._send(Request(f"{self.url}/graphql", body, headers))  # noqa: S310 - the scheme was checked
        if answer.get("errors"):
            raise SmokeError(answer["errors"][0]["message"])
        return answer["data"]["x"]

    def _send(self, request: Request) -> Any:
        try:
            with urlopen(request, timeout=self.timeout) as response:  # noqa: S310 - the scheme was checked
                return json.load(response)
        except HTTPError as error:
            raise SmokeError(f"{error.code} {_message_in(error)}") from error
        except (URLError, HTTPException, OSError, ValueError) as error:
            raise SmokeError(str(getattr(error, "reason", error))) from error


def smoke(
    url: Annotated[str, typer.Argument(help="The bank's address: https://bank.example.")],
    timeout: Annotated[float, typer.Option(help="How many seconds an answer may take.")] = 10,
) -> None:
    """Try a running bank as a customer: sign up, open accounts, transfer, check, close. Exits with 1 if anything is wrong."""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        fail("Give the bank's address, as in https://bank.example.")
    caller = Caller(url.rstrip("/"), timeout)
    with _step("ready"):
        caller.get("/health/ready")
    with _step("version") as note:
        note(str(caller.get("/version")["version"]))
    password = secrets.token_urlsafe(24)
    with _step("sign up"):
        person = {"email": f"smoke-{secrets.token_hex(8)}@example.com", "password": password, "fullName": "Smoke Test"}
        caller.token = _require(caller.ask(_SIGN_UP, input=person), "AuthSession")["accessToken"]
    with _step("open accounts"):
        source, target = (_open(caller) for _ in range(2))
    with _step("pay in") as note:
        paid = caller.ask(_DEPOSIT, input={"accountId": source, **_amount("1.00")})
        if paid["__typename"] == "ForbiddenRejection":
            note("not in a sandbox, so there is no money")
        else:
            _require(paid, "MoneyMoved")
    has_money = paid["__typename"] == "MoneyMoved"
    with _step("transfer, twice with one key"):
        _transfer_twice(caller, source, target, "MoneyMoved" if has_money else "InsufficientFundsRejection")
    with _step("balances"):
        _require_balances(caller, {source: "0.50", target: "0.50"} if has_money else {source: "0.00", target: "0.00"})
    if has_money:
        with _step("pay out"):
            _require(caller.ask(_WITHDRAW, input={"accountId": source, **_amount("0.50")}), "MoneyMoved")
            _require(caller.ask(_WITHDRAW, input={"accountId": target, **_amount("0.50")}), "MoneyMoved")
    with _step("close"):
        _require(caller.ask(_CLOSE, password=password), "User")
        _require_signed_out(caller)


@contextmanager
def _step(name: str) -> Iterator[Callable[[str], None]]:
    """Print how a step went. What it notes is printed with it."""
    notes: list[str] = []
    began = perf_counter()
    try:
        yield notes.append
    except SmokeError as error:
        print(f"FAIL  {name}: {error}")
        raise typer.Exit(1) from error
    print(f"ok    {name}: {', '.join([*notes, f'{(perf_counter() - began) * 1000:.0f} ms'])}")


def _open(caller: Caller) -> str:
    given = {"kind": "CHECKING", "currency": "EUR", "idempotencyKey": secrets.token_hex(16)}
    account_id: str = _require(caller.ask(_OPEN, input=given), "Account")["id"]
    return account_id


def _transfer_twice(caller: Caller, source: str, target: str, expected: str) -> None:
    """Send the same transfer twice: it takes effect once, and the feed says so."""
    given = {"fromAccountId": source, "to": {"accountId": target}, **_amount("0.50")}
    first, second = (_require(caller.ask(_TRANSFER, input=given), expected) for _ in range(2))
    if expected != "MoneyMoved":
        return
    if first["transaction"] != second["transaction"] or not second["replayed"]:
        raise SmokeError("the same request with the same key was executed twice")
    events = caller.ask(_EVENTS, ids=[target])["nodes"]
    if [each["transaction"] for each in events] != [first["transaction"]]:
        raise SmokeError("the feed does not show the transfer")


def _require_balances(caller: Caller, expected: dict[str, str]) -> None:
    found = {each["id"]: each["balance"]["booked"]["amount"] for each in caller.ask(_ACCOUNTS)["accounts"]["nodes"]}
    if found != expected:
        raise SmokeError(f"{sorted(found.values())} instead of {sorted(expected.values())}")


def _require_signed_out(caller: Caller) -> None:
    """Wait until no token of the customer is accepted any more: other processes of the bank notice within two seconds."""
    began = perf_counter()
    while perf_counter() - began < _SIGNED_OUT_SECONDS:
        try:
            caller.ask(_ME)
        except SmokeError as error:
            if str(error).startswith("401 "):
                return
            raise
        sleep(0.1)
    raise SmokeError("the token of a closed customer is still accepted")


def _require(answer: Any, expected: str) -> Any:
    if answer["__typename"] != expected:
        raise SmokeError(f"{answer['__typename']} instead of {expected}: {answer.get('message', '')}")
    return answer


def _amount(amount: str) -> dict[str, Any]:
    return {"amount": {"amount": amount, "currency": "EUR"}, "idempotencyKey": secrets.token_hex(16)}


def _message_in(error: HTTPError) -> str:
    """Return the message of an answer that is an error; its reason if it has none."""
    try:
        return str(json.load(error)["errors"][0]["message"])
    except (ValueError, LookupError, TypeError):
        return str(error.reason)
