"""A client of the API, as tests use it."""

import secrets
from datetime import datetime
from typing import Any

import httpx

ABROAD = "GB33BUKB20201555555555"
"""An account at another bank."""
PASSWORD = "a fine long passphrase"

TRANSACTION = "id kind status amount { amount currency } capturedAmount { amount } expiresAt description reference from { name accountNumber } to { name accountNumber }"
INVALID = "... on Rejection { message } ... on ValidationRejection { fields { path code } }"
LIMIT = "window amount { amount currency } spent { amount } remaining { amount }"
CARD = f"id kind form status holderName last4 expiryMonth expiryYear blockedCategories limits {{ {LIMIT} }} account {{ id }}"
REJECTIONS = f"""
    {INVALID}
    ... on NotFoundRejection {{ subjectId }}
    ... on CurrencyMismatchRejection {{ expected given }}
    ... on AccountStatusRejection {{ accountId accountStatus }}
    ... on StateConflictRejection {{ conflict state }}
    ... on IdempotencyConflictRejection {{ original {{ id }} }}
"""
MOVED = f"""
    __typename
    ... on MoneyMoved {{ replayed transaction {{ {TRANSACTION} }} }}
    ... on MoneyPreview {{ amount {{ amount currency }} fromAvailableAfter {{ amount }} toBookedAfter {{ amount }} }}
    ... on InsufficientFundsRejection {{ available {{ amount currency }} required {{ amount currency }} }}
    ... on LimitExceededRejection {{ limit {{ {LIMIT} }} }}
    {REJECTIONS}
"""
ACCOUNT = "id number name kind currency status balance { booked { amount } held { amount } available { amount } }"
SESSION = "__typename ... on AuthSession { accessToken refreshToken expiresAt user { id email } }"


class Client:
    """Someone who uses the API: signed in if there is a token."""

    def __init__(self, http: httpx.AsyncClient, token: str | None = None, user_id: str = "", refresh_token: str = "") -> None:
        self.http = http
        self.token = token
        self.user_id = user_id
        self.refresh_token = refresh_token

    async def post(self, query: str, **variables: Any) -> dict[str, Any]:
        """The whole answer to an operation."""
        headers = {"authorization": f"Bearer {self.token}"} if self.token else {}
        response = await self.http.post("/graphql", json={"query": query, "variables": variables}, headers=headers)
        answer: dict[str, Any] = response.json()
        return answer

    async def run(self, query: str, **variables: Any) -> dict[str, Any]:
        """The data of an operation that must not fail."""
        answer = await self.post(query, **variables)
        assert "errors" not in answer, answer["errors"]
        data: dict[str, Any] = answer["data"]
        return data

    async def insist(self, query: str, **variables: Any) -> dict[str, Any]:
        """The data of an operation that is sent again while the bank is too busy: of a thousand at once, a slow machine refuses some."""
        answer = await self.post(query, **variables)
        while [error["extensions"]["code"] for error in answer.get("errors", [])] == ["UNAVAILABLE"]:
            answer = await self.post(query, **variables)
        assert "errors" not in answer, answer["errors"]
        data: dict[str, Any] = answer["data"]
        return data

    async def error(self, query: str, **variables: Any) -> dict[str, Any]:
        """The only error of an operation that must fail."""
        answer = await self.post(query, **variables)
        assert len(answer.get("errors", [])) == 1, answer
        error: dict[str, Any] = answer["errors"][0]
        return error

    async def sign_up(self, email: str, full_name: str, password: str = PASSWORD) -> "Client":
        """A new customer."""
        data = await self.run(
            f"mutation ($input: SignUpInput!) {{ signUp(input: $input) {{ {SESSION} {INVALID} }} }}",
            input={"email": email, "password": password, "fullName": full_name},
        )
        return self.signed_in(data["signUp"])

    async def log_in(self, email: str, password: str = PASSWORD) -> "Client":
        """Sign in."""
        data = await self.run(
            f"mutation ($input: LogInInput!) {{ logIn(input: $input) {{ {SESSION} }} }}",
            input={"email": email, "password": password},
        )
        return self.signed_in(data["logIn"])

    def signed_in(self, session: dict[str, Any]) -> "Client":
        """The client of an AuthSession."""
        assert session["__typename"] == "AuthSession", session
        return Client(self.http, session["accessToken"], session["user"]["id"], session["refreshToken"])

    async def open(
        self, currency: str = "EUR", deposit: str | None = None, kind: str = "CHECKING", **more: Any
    ) -> dict[str, Any]:
        """A new account."""
        given = {"kind": kind, "currency": currency, "openingDeposit": deposit, "idempotencyKey": key(), **more}
        data = await self.run(
            f"mutation ($input: OpenAccountInput!) {{ openAccount(input: $input) {{ __typename ... on Account {{ {ACCOUNT} }} "
            f"{REJECTIONS} }} }}",
            input=given,
        )
        account: dict[str, Any] = data["openAccount"]
        return account

    async def account(self, account_id: str, fields: str = ACCOUNT) -> Any:
        """An account as it is now."""
        return (await self.run(f"query ($id: ID!) {{ account(id: $id) {{ {fields} }} }}", id=account_id))["account"]

    async def booked(self, account_id: str) -> str:
        """What an account has booked."""
        booked: str = (await self.account(account_id))["balance"]["booked"]["amount"]
        return booked

    async def deposit(self, account_id: str, amount: Any, currency: str = "EUR", **more: Any) -> dict[str, Any]:
        """Pay cash in."""
        return await self._move("deposit", "DepositInput", accountId=account_id, amount=money(amount, currency), **more)

    async def withdraw(self, account_id: str, amount: Any, currency: str = "EUR", **more: Any) -> dict[str, Any]:
        """Pay cash out."""
        return await self._move("withdraw", "WithdrawInput", accountId=account_id, amount=money(amount, currency), **more)

    async def transfer(self, source: str, to: Any, amount: Any, currency: str = "EUR", **more: Any) -> dict[str, Any]:
        """Pay from one account to another, given by its id or as a destination."""
        destination = to if isinstance(to, dict) else {"accountId": to}
        return await self._move(
            "transfer", "TransferInput", fromAccountId=source, to=destination, amount=money(amount, currency), **more
        )

    async def place_hold(self, source: str, to: Any, amount: Any, currency: str = "EUR", **more: Any) -> dict[str, Any]:
        """Reserve money."""
        destination = to if isinstance(to, dict) else {"accountId": to}
        given = {"accountId": source, "to": destination, "amount": money(amount, currency), **more}
        return await self._move("placeHold", "PlaceHoldInput", **given)

    async def capture_hold(self, hold: str, amount: Any = None, currency: str = "EUR", **more: Any) -> dict[str, Any]:
        """Take what a hold reserves."""
        given = {"amount": money(amount, currency)} if amount is not None else {}
        return await self._move("captureHold", "CaptureHoldInput", transactionId=hold, **given, **more)

    async def release_hold(self, hold: str, **more: Any) -> dict[str, Any]:
        """Give back what a hold reserves."""
        return await self._move("releaseHold", "ReleaseHoldInput", transactionId=hold, **more)

    async def reverse(self, transaction: str, reason: str = "A mistake", **more: Any) -> dict[str, Any]:
        """Take a transaction back."""
        return await self._move("reverseTransaction", "ReverseTransactionInput", transactionId=transaction, reason=reason, **more)

    async def issue(self, account_id: str, **more: Any) -> dict[str, Any]:
        """A new card."""
        given = {"accountId": account_id, "idempotencyKey": key(), **more}
        return await self.card_mutation("issueCard(input: $input)", "$input: IssueCardInput!", input=given)

    async def change_card(self, mutation: str, card: str, arguments: str = "") -> dict[str, Any]:
        """Change a card, by a mutation that takes its id."""
        return await self.card_mutation(f"{mutation}(id: $id{arguments})", "$id: ID!", id=card)

    async def card_mutation(self, call: str, declared: str, **variables: Any) -> dict[str, Any]:
        """What a mutation about a card answers."""
        data = await self.run(
            f"mutation ({declared}) {{ x: {call} {{ __typename ... on Card {{ {CARD} }} {REJECTIONS} }} }}", **variables
        )
        outcome: dict[str, Any] = data["x"]
        return outcome

    async def card(self, card: str, fields: str = CARD) -> Any:
        """A card as it is now."""
        return (await self.run(f"query ($id: ID!) {{ card(id: $id) {{ {fields} }} }}", id=card))["card"]

    async def reveal(self, card: str, password: str = PASSWORD) -> dict[str, Any]:
        """What is written on a card."""
        data = await self.run(
            "mutation ($id: ID!, $password: String!) { revealCard(id: $id, password: $password) { __typename "
            "... on CardSecrets { number securityCode expiresAt } ... on StateConflictRejection { conflict state } } }",
            id=card,
            password=password,
        )
        secrets_: dict[str, Any] = data["revealCard"]
        return secrets_

    async def authorize(self, card: str, amount: Any, currency: str = "EUR", **more: Any) -> dict[str, Any]:
        """Ask a card, by its id or number, to pay."""
        named = {"cardNumber" if card.isdigit() else "cardId": card}
        merchant = {"name": "Café Central", "categoryCode": "5812", "country": "AT", **more.pop("merchant", {})}
        return await self._move(
            "authorizeCard", "AuthorizeCardInput", **named, amount=money(amount, currency), merchant=merchant, **more
        )

    async def refund(self, payment: str, amount: Any = None, currency: str = "EUR", **more: Any) -> dict[str, Any]:
        """Give a card payment back."""
        data = await self.run(
            "mutation ($id: ID!, $idempotencyKey: String!, $amount: MoneyInput, $dryRun: Boolean) { refundCardPayment("
            f"transactionId: $id, idempotencyKey: $idempotencyKey, amount: $amount, dryRun: $dryRun) {{ {MOVED} }} }}",
            id=payment,
            amount=None if amount is None else money(amount, currency),
            **{"idempotencyKey": key(), **more},
        )
        outcome: dict[str, Any] = data["refundCardPayment"]
        return outcome

    async def send(self, source: str, amount: Any, number: str = ABROAD, currency: str = "EUR", **more: Any) -> dict[str, Any]:
        """Pay to an account at another bank."""
        to = {"external": {"accountNumber": number, "name": more.pop("name", "Jane Abroad")}}
        return await self.transfer(source, to, amount, currency, **more)

    async def settle(self, transfer: str, **more: Any) -> dict[str, Any]:
        """Settle a payment to another bank."""
        return await self._clear("settleTransfer", "", transactionId=transfer, **more)

    async def return_transfer(self, transfer: str, reason: str = "AC04", **more: Any) -> dict[str, Any]:
        """Return a payment to another bank."""
        return await self._clear("returnTransfer", "$reason: String!, ", transactionId=transfer, reason=reason, **more)

    async def receive(self, number: str, amount: Any, currency: str = "EUR", **more: Any) -> dict[str, Any]:
        """Credit an account with a payment from another bank."""
        given = {"fromAccountNumber": ABROAD, "fromName": "Jane Abroad", "reference": key(), **more}
        return await self._move(
            "receiveTransfer", "ReceiveTransferInput", accountNumber=number, amount=money(amount, currency), **given
        )

    async def _clear(self, mutation: str, declared: str, **given: Any) -> dict[str, Any]:
        variables = {"idempotencyKey": key(), "dryRun": False, **given}
        passed = ", ".join(f"{name}: ${name}" for name in variables)
        data = await self.run(
            f"mutation ($transactionId: ID!, {declared}$idempotencyKey: String!, $dryRun: Boolean!) "
            f"{{ {mutation}({passed}) {{ {MOVED} }} }}",
            **variables,
        )
        outcome: dict[str, Any] = data[mutation]
        return outcome

    async def clock(self) -> datetime:
        """The bank's time."""
        return datetime.fromisoformat((await self.run("{ clock { now } }"))["clock"]["now"])

    async def advance(self, to: datetime) -> dict[str, Any]:
        """Move the clock."""
        data = await self.run(
            "mutation ($to: DateTime!) { advanceClock(to: $to) { __typename "
            f"... on ClockAdvanced {{ now happened details {{ what count }} }} {INVALID} }} }}",
            to=to.isoformat(),
        )
        outcome: dict[str, Any] = data["advanceClock"]
        return outcome

    async def batch(self, *transfers: dict[str, Any], **more: Any) -> dict[str, Any]:
        """Make transfers in one go."""
        data = await self.run(
            "mutation ($input: TransferBatchInput!) { transferBatch(input: $input) { __typename "
            f"... on TransferBatchOutcome {{ moved rejected previewed results {{ {MOVED} ... on BatchAbortedRejection {{ index }} }} }} {INVALID} }} }}",
            input={"transfers": transfers, **more},
        )
        outcome: dict[str, Any] = data["transferBatch"]
        return outcome

    async def _move(self, mutation: str, input_type: str, **given: Any) -> dict[str, Any]:
        given.setdefault("idempotencyKey", key())
        data = await self.run(f"mutation ($input: {input_type}!) {{ {mutation}(input: $input) {{ {MOVED} }} }}", input=given)
        outcome: dict[str, Any] = data[mutation]
        return outcome


def key() -> str:
    """A new idempotency key."""
    return secrets.token_hex(12)


def money(amount: Any, currency: str = "EUR") -> dict[str, Any]:
    """A MoneyInput."""
    return {"amount": amount, "currency": currency}


def transfer_of(source: str, to: str, amount: Any, currency: str = "EUR", **more: Any) -> dict[str, Any]:
    """An item of a batch."""
    given = {"fromAccountId": source, "to": {"accountId": to}, "amount": money(amount, currency), "idempotencyKey": key()}
    return {**given, **more}
