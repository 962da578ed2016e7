"""Errors: expected ones are data, others have a code, and none repeats what was sent."""

import inspect
from typing import Any

import pytest
from graphql import GraphQLObjectType, GraphQLUnionType, get_named_type

from bank_graphql.api.errors import REJECTIONS
from bank_graphql.api.schema import build_schema
from bank_graphql.engine.errors import scrub
from bank_graphql.identity import queries as identity
from bank_graphql.kit.errors import Refusal, Unavailable
from bank_graphql.payments.errors import NothingToMove
from tests.client import Client

SECRET = "hunter2-4929123412341234"


@pytest.mark.parametrize(
    ("query", "variables"),
    [
        (f'mutation {{ logIn(input: {{email: "a", password: {{x: "{SECRET}"}}}}) {{ __typename }} }}', {}),
        (f'mutation {{ logIn(input: {{email: "a", password: "b", extra: "{SECRET}"}}) {{ __typename }} }}', {}),
        (f'mutation {{ logIn(input: "{SECRET}") {{ __typename }} }}', {}),
        (f'{{ account(id: ["{SECRET}"]) {{ id }} }}', {}),
        (f'{{ me {{ accounts(first: "{SECRET}") {{ nodes {{ id }} }} }} }}', {}),
        (f'{{ me {{ id }} "{SECRET}" }}', {}),
        (f'"{SECRET}"', {}),
        (f'{{ a(b: "{SECRET}" }}', {}),
        ("mutation ($i: LogInInput!) { logIn(input: $i) { __typename } }", {"i": {"email": "a", "password": [SECRET]}}),
        ("mutation ($i: LogInInput!) { logIn(input: $i) { __typename } }", {"i": {"email": SECRET}}),
        ("mutation ($i: LogInInput!) { logIn(input: $i) { __typename } }", {"i": {"email": "a", "password": "b", SECRET: 1}}),
        ("mutation ($i: LogInInput!) { logIn(input: $i) { __typename } }", {"i": SECRET}),
        ("mutation ($i: LogInInput!) { logIn(input: $i) { __typename } }", {"i": f"{SECRET}\n, found: x"}),
        ("query ($n: Int) { me { accounts(first: $n) { nodes { id } } } }", {"n": SECRET}),
        ("query ($n: Int) { me { accounts(first: $n) { nodes { id } } } }", {"n": {"a": SECRET}}),
        ("query ($at: DateTime!) { account(id: 1) { balanceAt(at: $at) { amount } } }", {"at": SECRET}),
        (
            "query ($f: TransactionFilter) { account(id: 1) { transactions(filter: $f) { nodes { id } } } }",
            {"f": {"kinds": [SECRET]}},
        ),
        (f'{{ account(id: 1) {{ transactions(filter: {{kinds: ["{SECRET}"]}}) {{ nodes {{ id }} }} }} }}', {}),
        (f'{{ account(id: 1) {{ balanceAt(at: "{SECRET}") {{ amount }} }} }}', {}),
    ],
)
async def test_messages_do_not_repeat_what_was_sent(visitor: Client, query: str, variables: dict[str, Any]) -> None:
    answer = await visitor.post(query, **variables)
    assert answer["errors"]
    assert SECRET not in str(answer)
    assert "data" not in answer
    assert all(error["message"].endswith((".", "?")) for error in answer["errors"])


async def test_messages_still_say_what_is_wrong(visitor: Client) -> None:
    error = await visitor.error("query ($n: Int) { me { accounts(first: $n) { nodes { id } } } }", n="x")
    assert error["message"] == "Variable '$n' has invalid value: Int cannot represent non-integer value."
    assert error["extensions"] == {"code": "BAD_REQUEST"}
    error = await visitor.error("{ me { nam } }")
    assert "Cannot query field 'nam' on type 'User'." in error["message"]
    assert error["extensions"] == {"code": "GRAPHQL_VALIDATION_FAILED"}
    error = await visitor.error("{ me { id }")
    assert error["message"].startswith("Syntax Error: Expected Name, found <EOF>")
    assert error["extensions"] == {"code": "GRAPHQL_PARSE_FAILED"}
    error = await visitor.error('mutation { logIn(input: {email: "x"}) { __typename } }')
    assert "required field 'password'" in error["message"]


def test_scrubbing_leaves_harmless_messages() -> None:
    assert scrub("Cannot query field 'x' on type 'User'.") == "Cannot query field 'x' on type 'User'."


async def test_an_unexpected_exception_is_masked_and_logged_without_secrets(
    capsys: pytest.CaptureFixture[str], ada: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: Any) -> Any:
        raise RuntimeError(f"oh no: {SECRET}")

    monkeypatch.setattr(identity, "fetch_rows", broken)
    error = await ada.error("{ me { id } }")
    assert set(error["extensions"]) == {"code", "requestId"}
    assert error["extensions"]["code"] == "INTERNAL"
    assert "oh no" not in str(error)
    logged = capsys.readouterr().err
    assert error["extensions"]["requestId"] in logged
    assert "RuntimeError" in logged
    assert SECRET not in logged


async def test_an_unreachable_database_is_unavailable(ada: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    async def unreachable(*_: Any) -> Any:
        raise Unavailable

    monkeypatch.setattr(identity, "fetch_rows", unreachable)
    error = await ada.error("{ me { id } }")
    assert error["extensions"] == {"code": "UNAVAILABLE"}


@pytest.mark.parametrize("text", ["a\x00b", "a\nb", "bell\x07", "turned \u202e around"])
async def test_text_with_control_characters_is_refused(ada: Client, text: str) -> None:
    account = await ada.open()
    outcome = await ada.deposit(account["id"], "1", description=text)
    assert outcome["fields"] == [{"path": ["description"], "code": "INVALID"}]
    assert (await ada.open(name=text))["fields"] == [{"path": ["name"], "code": "INVALID"}]
    update = "mutation ($n: String) { updateProfile(fullName: $n) { __typename } }"
    assert (await ada.run(update, n=text))["updateProfile"]["__typename"] == "ValidationRejection"
    freeze = "mutation ($id: ID!, $r: String) { freezeAccount(id: $id, reason: $r) { __typename } }"
    assert (await ada.run(freeze, id=account["id"], r=text))["freezeAccount"]["__typename"] == "ValidationRejection"


async def test_emoji_and_other_scripts_are_accepted(ada: Client) -> None:
    account = await ada.open(name="Familie 👩‍👧‍👦 مدخرات")
    assert (await ada.deposit(account["id"], "1", description="🏳️‍🌈 寿司"))["transaction"]["description"] == "🏳️‍🌈 寿司"


async def test_a_null_character_causes_no_internal_error(ada: Client, visitor: Client) -> None:
    account = await ada.open()
    assert (await ada.deposit(account["id"], "1", idempotencyKey="a\x00b"))["fields"] == [
        {"path": ["idempotencyKey"], "code": "INVALID"}
    ]
    for query in ('{ accountByNumber(number: "\\u0000") { id } }', '{ account(id: "\\u0000") { id } }'):
        assert "INTERNAL" not in str(await ada.post(query))
    search = 'query ($id: ID!) { account(id: $id) { transactions(filter: {search: "\\u0000"}) { nodes { id } } } }'
    assert (await ada.error(search, id=account["id"]))["extensions"]["code"] == "BAD_REQUEST"
    assert "INTERNAL" not in str(
        await visitor.post('mutation { logIn(input: {email: "\\u0000", password: "\\u0000"}) { __typename } }')
    )
    assert "INTERNAL" not in str(await visitor.post('mutation { refreshSession(refreshToken: "\\u0000") { __typename } }'))


def refusals() -> set[type[Refusal]]:
    found, waiting = set(), [Refusal]
    while waiting:
        kind = waiting.pop()
        subclasses = kind.__subclasses__()
        waiting += subclasses
        found |= {each for each in subclasses if inspect.getmodule(each)}
    return found


def test_every_refusal_has_its_rejection() -> None:
    of_no_request = {NothingToMove}  # a sweep of the bank's own has nothing to do
    assert {kind for kind in refusals() if kind.__module__.startswith("bank_graphql")} - of_no_request == set(REJECTIONS)


def test_the_codes_of_refusals_are_those_in_stored_rows() -> None:
    assert sorted(kind.code for kind in REJECTIONS) == [
        "AccountStatusRefused",
        "ApprovalRequired",
        "BatchAborted",
        "CredentialsRefused",
        "CurrencyMismatch",
        "DelegateLimitExceeded",
        "Forbidden",
        "IdempotencyConflict",
        "InsufficientFunds",
        "LimitExceeded",
        "NotFound",
        "PaymentApprovalRequired",
        "StateConflict",
        "StepUpRequired",
        "ValidationFailed",
    ]


EXPECTED = {
    "signUp": {"ValidationRejection"},
    "logIn": {"CredentialsRejection"},
    "completeLogIn": {"CredentialsRejection"},
    "refreshSession": {"CredentialsRejection"},
    "changePassword": {"CredentialsRejection", "ValidationRejection", "StepUpRequiredRejection"},
    "enrolTotp": {"CredentialsRejection", "StateConflictRejection"},
    "confirmTotp": {"CredentialsRejection", "StateConflictRejection"},
    "disableTotp": {"CredentialsRejection", "StateConflictRejection"},
    "exportMyData": {"StepUpRequiredRejection"},
    "stepUp": {"CredentialsRejection", "ValidationRejection"},
    "requestPasskey": {"StepUpRequiredRejection"},
    "addPasskey": {"ValidationRejection", "StepUpRequiredRejection"},
    "removePasskey": {"NotFoundRejection", "StepUpRequiredRejection"},
    "requestPasskeyLogIn": set(),
    "logInWithPasskey": {"CredentialsRejection"},
    "requestEmailVerification": {"StateConflictRejection"},
    "verifyEmail": {"CredentialsRejection"},
    "requestPasswordReset": {"StateConflictRejection"},
    "resetPassword": {"CredentialsRejection", "ValidationRejection"},
    "closeUser": {"CredentialsRejection", "StateConflictRejection", "StepUpRequiredRejection"},
    "decide": {"NotFoundRejection", "ForbiddenRejection", "StateConflictRejection"},
    "setUserRole": {"ApprovalRequiredRejection", "NotFoundRejection", "ForbiddenRejection", "StateConflictRejection"},
    "suspendUser": {"NotFoundRejection", "ForbiddenRejection", "StateConflictRejection", "ValidationRejection"},
    "removeSecondFactor": {"NotFoundRejection", "ForbiddenRejection", "StateConflictRejection"},
    "eraseUser": {"NotFoundRejection", "ForbiddenRejection", "StateConflictRejection"},
    "reinstateUser": {"NotFoundRejection", "ForbiddenRejection", "StateConflictRejection"},
    "logOut": {"NotFoundRejection"},
    "updateProfile": {"ValidationRejection"},
    "openAccount": {"ValidationRejection", "ForbiddenRejection", "IdempotencyConflictRejection"},
    "renameAccount": {"ValidationRejection", "ForbiddenRejection", "NotFoundRejection"},
    "freezeAccount": {"ValidationRejection", "ForbiddenRejection", "NotFoundRejection", "StateConflictRejection"},
    "unfreezeAccount": {"ForbiddenRejection", "NotFoundRejection", "StateConflictRejection"},
    "closeAccount": {"ForbiddenRejection", "NotFoundRejection", "StateConflictRejection", "AccountStatusRejection"},
    "inviteMember": {
        "ValidationRejection", "ForbiddenRejection", "NotFoundRejection", "StateConflictRejection", "CurrencyMismatchRejection",
        "StepUpRequiredRejection",
    },
    "acceptMembership": {"ValidationRejection", "ForbiddenRejection", "NotFoundRejection", "StateConflictRejection"},
    "changeMembership": {
        "ValidationRejection", "ForbiddenRejection", "NotFoundRejection", "StateConflictRejection", "CurrencyMismatchRejection",
        "StepUpRequiredRejection",
    },
    "endMembership": {"ForbiddenRejection", "NotFoundRejection"},
    **{
        name: {
            "ValidationRejection", "ForbiddenRejection", "NotFoundRejection", "CurrencyMismatchRejection", "StepUpRequiredRejection",
        }
        for name in ("createAccessGrant", "createApiKey")
    },
    "rotateAccessGrant": {"ValidationRejection", "NotFoundRejection", "StepUpRequiredRejection"},
    "revokeAccessGrant": {"NotFoundRejection"},
    "setOverdraftLimit": {
        "ValidationRejection", "ForbiddenRejection", "NotFoundRejection", "StateConflictRejection", "CurrencyMismatchRejection",
    },
    **{
        name: {
            "ValidationRejection", "NotFoundRejection", "ForbiddenRejection", "InsufficientFundsRejection",
            "CurrencyMismatchRejection", "AccountStatusRejection", "IdempotencyConflictRejection",
        }
        for name in ("deposit", "withdraw", "transfer", "placeHold")
    },
    "captureHold": {
        "ValidationRejection", "NotFoundRejection", "ForbiddenRejection", "CurrencyMismatchRejection", "AccountStatusRejection",
        "StateConflictRejection", "IdempotencyConflictRejection", "LimitExceededRejection", "InsufficientFundsRejection",
    },
    **{
        name: {
            "ValidationRejection", "NotFoundRejection", "ForbiddenRejection", "StateConflictRejection",
            "IdempotencyConflictRejection",
        }
        for name in ("settleTransfer", "returnTransfer")
    },
    "receiveTransfer": {
        "ValidationRejection", "NotFoundRejection", "ForbiddenRejection", "CurrencyMismatchRejection", "AccountStatusRejection",
        "StateConflictRejection", "IdempotencyConflictRejection",
    },
    "advanceClock": {"ForbiddenRejection", "ValidationRejection"},
    "issueStatements": {"ForbiddenRejection", "ValidationRejection"},
    "exportEntries": {"NotFoundRejection", "ValidationRejection"},
    "addPayee": {"ValidationRejection", "StepUpRequiredRejection"},
    "verifyPayee": {"ValidationRejection"},
    "renamePayee": {"NotFoundRejection", "ValidationRejection"},
    "removePayee": {"NotFoundRejection"},
    **{
        name: {
            "ValidationRejection", "NotFoundRejection", "ForbiddenRejection", "CurrencyMismatchRejection", "AccountStatusRejection",
            "StateConflictRejection", "StepUpRequiredRejection", "IdempotencyConflictRejection",
        }
        for name in ("scheduleTransfer", "changeScheduledTransfer")
    },
    **{
        f"{name}ScheduledTransfer": {"NotFoundRejection", "StateConflictRejection"} for name in ("pause", "resume", "cancel")
    },
    "createProduct": {"ForbiddenRejection", "ValidationRejection"},
    "setProductTerms": {"ForbiddenRejection", "NotFoundRejection", "ValidationRejection"},
    "setAccountProduct": {"ForbiddenRejection", "NotFoundRejection", "ValidationRejection", "StateConflictRejection"},
    "releaseHold": {"NotFoundRejection", "ForbiddenRejection", "StateConflictRejection", "IdempotencyConflictRejection"},
    "reverseTransaction": {
        "ValidationRejection", "NotFoundRejection", "ForbiddenRejection", "InsufficientFundsRejection", "AccountStatusRejection",
        "StateConflictRejection", "IdempotencyConflictRejection",
    },
    "transferBatch": {"ValidationRejection"},
    "issueCard": {
        "ValidationRejection", "NotFoundRejection", "ForbiddenRejection", "CurrencyMismatchRejection", "AccountStatusRejection",
        "IdempotencyConflictRejection",
    },
    "replaceCard": {
        "ValidationRejection", "NotFoundRejection", "ForbiddenRejection", "AccountStatusRejection", "StateConflictRejection",
        "IdempotencyConflictRejection",
    },
    **{
        name: {"NotFoundRejection", "ForbiddenRejection", "StateConflictRejection"}
        for name in ("activateCard", "freezeCard", "unfreezeCard", "cancelCard")
    },
    "setCardLimits": {
        "ValidationRejection", "NotFoundRejection", "ForbiddenRejection", "StateConflictRejection", "CurrencyMismatchRejection",
    },
    "revealCard": {"NotFoundRejection", "CredentialsRejection", "StateConflictRejection", "StepUpRequiredRejection"},
    "authorizeCard": {
        "ValidationRejection", "NotFoundRejection", "ForbiddenRejection", "InsufficientFundsRejection", "CurrencyMismatchRejection",
        "AccountStatusRejection", "LimitExceededRejection", "StateConflictRejection", "IdempotencyConflictRejection",
    },
    "refundCardPayment": {
        "ValidationRejection", "NotFoundRejection", "ForbiddenRejection", "CurrencyMismatchRejection", "AccountStatusRejection",
        "StateConflictRejection", "IdempotencyConflictRejection",
    },
}  # fmt: skip
"""The rejections of what each mutation's service raises, per its docstrings."""


def test_each_mutation_has_the_rejections_that_its_service_raises() -> None:
    mutation = build_schema()._schema.mutation_type
    assert mutation is not None
    assert set(mutation.fields) == set(EXPECTED)
    for name, field in mutation.fields.items():
        union = get_named_type(field.type)
        assert isinstance(union, GraphQLUnionType)
        assert EXPECTED[name] <= {member.name for member in union.types}, name
        for member in union.types:
            assert isinstance(member, GraphQLObjectType)
            assert not member.name.endswith("Rejection") or "Rejection" in {each.name for each in member.interfaces}
