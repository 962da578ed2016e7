"""Who may do what with whose things: one table for every query, mutation and subscription, and a test of each of its cells.

`y`: allowed, as far as roles decide it. `-`: as if it did not exist. `n`: it is visible, and refused. `!`: refused whatever it is
about; `y!`: allowed, and anything else is refused. Each field is tried on what exists and on a random id. What was refused has
changed nothing, and is in the audit.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import Any

import asyncpg
import httpx
import pytest
from graphql import GraphQLObjectType, GraphQLSchema, get_named_type, is_leaf_type, is_required_argument
from starlette.applications import Starlette

from bank_graphql.api.schema import build_schema
from bank_graphql.identity.enums import UserRole
from bank_graphql.identity.scopes import Scope
from bank_graphql.kit.clock import utc_now
from bank_graphql.kit.ids import global_id, new_id, uuid_of
from tests.accounts.members import invite, join
from tests.accounts.programs import CREATE_KEY, program
from tests.authenticator import Authenticator
from tests.client import PASSWORD, Client, key
from tests.oauth.flow import consented, register
from tests.schedules.orders import order

MEMBERS: dict[str, dict[str, Any]] = {
    "VIEWER": {},
    "PAYER": {"mayPay": True},
    "CARDS": {"mayManageCards": True},
    "JOINT": {"role": "OWNER"},
}
"""What members of the account are invited to do: to see it, to pay, to manage its cards, to own it jointly."""
COLUMNS = ("own", "CUSTOMER", "TELLER", "AUDITOR", "PROCESSOR", "ADMIN", *MEMBERS)
"""A customer with things of their own; every role, and members of the account, with those of that customer."""
TABLE = """
    field                    subject      own       CUSTOMER  TELLER    AUDITOR   PROCESSOR ADMIN     VIEWER    PAYER     CARDS     JOINT

    me                       nothing      y         y         y         y         y         y         y         y         y         y
    rateLimit                nothing      y         y         y         y         y         y         y         y         y         y
    clock                    nothing      y         y         y         y         y         y         y         y         y         y
    feedCursor               nothing      y         y         y         y         y         y         y         y         y         y
    payees                   nothing      y         y         y         y         y         y         y         y         y         y
    scheduledTransfers       nothing      y         y         y         y         y         y         y         y         y         y
    products                 nothing      y         y         y         y         y         y         y         y         y         y
    accounts                 nothing      y         y         y         y         y         y         y         y         y         y
    accessGrant              nothing      y         y         y         y         y         y         y         y         y         y
    account                  account      y         -         y         y         -         y         y         y         y         y
    accountByNumber          number       y         -         y         y         -         y         y         y         y         y
    transaction              transaction  y         -         y         y         -         y         y         y         y         y
    transaction              sent         y         -         y         y         y         y         y         y         y         y
    transaction              paid         y         -         y         y         y         y         y         y         y         y
    card                     card         y         -         y         y         -         y         y         y         y         y
    statement                statement    y         -         y         y         -         y         y         y         y         y
    transactionEvents        account      y         -         y         y         -         y         y         y         y         y
    node                     user         y         -         y         y         -         y         -         -         -         -
    node                     session      y         -         -         -         -         -         -         -         -         -
    node                     approval     -         -         y         y         -         y         -         -         -         -
    node                     membership   y         -         y         y         -         y         -         -         -         y
    node                     grant        y         -         -         -         -         -         -         -         -         -
    node                     passkey      y         -         -         -         -         -         -         -         -         -
    node                     payee        y         -         y         y         -         y         -         -         -         -
    node                     schedule     y         -         y         y         -         y         -         -         -         -
    node                     product      y         y         y         y         y         y         y         y         y         y
    node                     entry        y         -         y         y         -         y         y         y         y         y
    node                     auditEvent   -         -         -         y         -         y         -         -         -         -
    nodes                    account      y         -         y         y         -         y         y         y         y         y
    users                    nothing      !         !         y         y         !         y         !         !         !         !
    suspense                 nothing      !         !         y         y         !         y         !         !         !         !
    approvals                nothing      !         !         y         y         !         y         !         !         !         !
    auditEvents              nothing      !         !         !         y         !         y         !         !         !         !
    ledgerVerification       nothing      !         !         !         y         !         y         !         !         !         !
    trialBalance             nothing      !         !         !         y         !         y         !         !         !         !

    openAccount              nothing      y         y         y         y         y         y         y         y         y         y
    renameAccount            account      y         -         n         n         -         n         n         n         n         y
    freezeAccount            account      y         -         y         n         -         y         n         n         n         y
    unfreezeAccount          account      y         -         y         n         -         y         n         n         n         y
    closeAccount             account      y         -         n         n         -         n         n         n         n         n
    setOverdraftLimit        account      n         -         y         n         -         y         n         n         n         n
    inviteMember             account      y         -         n         n         -         n         n         n         n         y
    acceptMembership         membership   -         -         -         -         -         -         -         -         -         -
    changeMembership         membership   y         -         n         n         -         n         -         -         -         y
    endMembership            membership   y         -         y         n         -         y         -         -         -         y
    createAccessGrant        account      y         -         -         -         -         -         -         -         -         y
    createApiKey             account      y         -         -         -         -         -         -         -         -         y
    rotateAccessGrant        grant        y         -         -         -         -         -         -         -         -         -
    revokeAccessGrant        grant        y         -         -         -         -         -         -         -         -         -
    deposit                  account      y         -         y         n         -         n         n         n         n         y
    withdraw                 account      y         -         y         n         -         n         n         n         n         y
    transfer                 account      y         -         n         n         -         n         n         y         n         y
    transferBatch            account      y         -         n         n         -         n         n         y         n         y
    placeHold                account      y         -         n         n         -         n         n         y         n         y
    captureHold              hold         n         -         y         n         -         y         n         n         n         n
    releaseHold              hold         n         -         y         n         -         y         n         n         n         n
    captureHold              cardHold     y         -         n         n         y         n         n         n         n         y
    releaseHold              cardHold     y         -         n         n         y         n         n         n         n         y
    reverseTransaction       transaction  n         -         y         n         -         y         n         n         n         n
    settleTransfer           sent         y         -         n         n         y         n         n         n         n         y
    returnTransfer           sent         y         -         n         n         y         n         n         n         n         y
    receiveTransfer          number       y!        !         !         !         y         !         !         !         !         y!
    exportEntries            account      y         -         y         y         -         y         y         y         y         y
    issueStatements          nothing      !         !         y         !         !         y         !         !         !         !

    issueCard                account      y         -         n         n         -         n         n         n         y         y
    activateCard             card         y         -         n         n         -         n         n         n         y         y
    freezeCard               card         y         -         y         n         -         y         n         n         y         y
    unfreezeCard             card         y         -         y         n         -         y         n         n         y         y
    cancelCard               card         y         -         y         n         -         y         n         n         y         y
    replaceCard              card         y         -         n         n         -         n         n         n         y         y
    setCardLimits            card         y         -         n         n         -         n         n         n         y         y
    revealCard               card         y         -         -         -         -         -         -         -         y         y
    authorizeCard            card         y         -         n         n         y         n         n         n         n         y
    refundCardPayment        paid         y         -         n         n         y         n         n         n         n         y

    addPayee                 nothing      y         y         y         y         y         y         y         y         y         y
    verifyPayee              nothing      y         y         y         y         y         y         y         y         y         y
    renamePayee              payee        y         -         -         -         -         -         -         -         -         -
    removePayee              payee        y         -         -         -         -         -         -         -         -         -
    scheduleTransfer         account      y         -         n         n         -         n         n         y         n         y
    changeScheduledTransfer  schedule     y         -         -         -         -         -         -         -         -         -
    pauseScheduledTransfer   schedule     y         -         -         -         -         -         -         -         -         -
    resumeScheduledTransfer  schedule     y         -         -         -         -         -         -         -         -         -
    cancelScheduledTransfer  schedule     y         -         -         -         -         -         -         -         -         -

    createProduct            nothing      !         !         !         !         !         y         !         !         !         !
    setProductTerms          product      !         !         !         !         !         y         !         !         !         !
    setAccountProduct        account      n         -         n         n         -         y         n         n         n         n

    updateProfile            nothing      y         y         y         y         y         y         y         y         y         y
    changePassword           nothing      y         y         y         y         y         y         y         y         y         y
    enrolTotp                nothing      y         y         y         y         y         y         y         y         y         y
    confirmTotp              nothing      y         y         y         y         y         y         y         y         y         y
    disableTotp              nothing      y         y         y         y         y         y         y         y         y         y
    closeUser                nothing      y         y         y         y         y         y         y         y         y         y
    stepUp                   nothing      y         y         y         y         y         y         y         y         y         y
    requestEmailVerification nothing      y         y         y         y         y         y         y         y         y         y
    verifyEmail              nothing      y         y         y         y         y         y         y         y         y         y
    requestPasskey           nothing      y         y         y         y         y         y         y         y         y         y
    addPasskey               nothing      y         y         y         y         y         y         y         y         y         y
    removePasskey            passkey      y         -         -         -         -         -         -         -         -         -
    logOut                   session      y         -         -         -         -         -         -         -         -         -
    decide                   approval     -         -         y         n         -         y         -         -         -         -
    setUserRole              user         n         -         n         n         -         y         -         -         -         -
    suspendUser              user         n         -         n         n         -         y         -         -         -         -
    eraseUser                user         n         -         n         n         -         y         -         -         -         -
    reinstateUser            user         n         -         n         n         -         y         -         -         -         -
    removeSecondFactor       user         n         -         n         n         -         y         -         -         -         -
    exportMyData             nothing      y         y         y         y         y         y         y         y         y         y
    advanceClock             nothing      y         y         y         y         y         y         y         y         y         y

    transactionFeed          account      y         -         y         y         -         y         y         y         y         y
"""
OPEN = {
    "signUp",
    "logIn",
    "completeLogIn",
    "refreshSession",
    "requestPasswordReset",
    "resetPassword",
    "requestPasskeyLogIn",
    "logInWithPasskey",
    "me",
    "rateLimit",
    "clock",
}
"""What nobody has to be signed in for."""
AMOUNT = 'amount: {amount: "1", currency: EUR}'
MERCHANT = 'merchant: {name: "A", categoryCode: "5812", country: "DE"}'
PRODUCT = new_id()
SOON = (utc_now() + timedelta(days=300)).isoformat()
ARGUMENTS = {
    "openAccount": "input: {kind: CHECKING, currency: EUR, idempotencyKey: $key}",
    "renameAccount": 'id: $id, name: "Mine now"',
    "setOverdraftLimit": 'id: $id, limit: {amount: "1", currency: EUR}',
    "inviteMember": 'input: {accountId: $id, email: "friend2@bank.test"}',
    "createAccessGrant": f'input: {{name: "Agent", scopes: [ACCOUNTS_READ], accountIds: [$id], expiresAt: "{SOON}"}}',
    "createApiKey": f'input: {{name: "Service", scopes: [ACCOUNTS_READ], accountIds: [$id], expiresAt: "{SOON}"}}',
    "changeMembership": "input: {id: $id, mayPay: true, mayManageCards: true}",
    "deposit": f"input: {{accountId: $id, {AMOUNT}, idempotencyKey: $key}}",
    "withdraw": f"input: {{accountId: $id, {AMOUNT}, idempotencyKey: $key}}",
    "transfer": f"input: {{fromAccountId: $id, to: {{accountId: $other}}, {AMOUNT}, idempotencyKey: $key}}",
    "transferBatch": f"input: {{transfers: [{{fromAccountId: $id, to: {{accountId: $other}}, {AMOUNT}, idempotencyKey: $key}}]}}",
    "placeHold": f"input: {{accountId: $id, to: {{accountId: $other}}, {AMOUNT}, idempotencyKey: $key}}",
    "captureHold": "input: {transactionId: $id, idempotencyKey: $key}",
    "releaseHold": "input: {transactionId: $id, idempotencyKey: $key}",
    "reverseTransaction": 'input: {transactionId: $id, reason: "r", idempotencyKey: $key}',
    "settleTransfer": "transactionId: $id, idempotencyKey: $key",
    "returnTransfer": 'transactionId: $id, reason: "AC04", idempotencyKey: $key',
    "receiveTransfer": f"input: {{accountNumber: $id, {AMOUNT}, fromAccountNumber: "
    '"GB33BUKB20201555555555", fromName: "Jane", reference: $key, idempotencyKey: $key}',
    "exportEntries": 'accountId: $id, from: "2020-01-01", to: "2999-12-31", format: CSV',
    "issueStatements": 'month: "2000-01-01"',
    "issueCard": "input: {accountId: $id, idempotencyKey: $key}",
    "setCardLimits": "id: $id, limits: []",
    "replaceCard": "id: $id, idempotencyKey: $key",
    "revealCard": f'id: $id, password: "{PASSWORD}"',
    "authorizeCard": f"input: {{cardId: $id, {AMOUNT}, {MERCHANT}, idempotencyKey: $key}}",
    "refundCardPayment": "transactionId: $id, idempotencyKey: $key",
    "addPayee": 'name: "Me", accountNumber: "DE02120300000000202051"',
    "verifyPayee": 'name: "Me", accountNumber: "DE02120300000000202051"',
    "renamePayee": 'id: $id, name: "Me"',
    "scheduleTransfer": f'input: {{fromAccountId: $id, to: {{accountId: $other}}, {AMOUNT}, startsOn: "2999-01-01", idempotencyKey: $key}}',
    "changeScheduledTransfer": 'id: $id, input: {description: "Rent"}',
    "createProduct": 'input: {name: "Mine", kind: SAVINGS, currency: EUR, terms: {from: "2999-01-01"}}',
    "setProductTerms": 'input: {productId: $id, terms: {from: "2999-01-01"}}',
    "setAccountProduct": f'input: {{accountId: $id, productId: "{global_id("Product", PRODUCT)}", from: "2999-01-01"}}',
    "updateProfile": 'fullName: "Me"',
    "changePassword": 'current: "wrong", new: "wrong"',
    "enrolTotp": 'password: "wrong"',
    "confirmTotp": 'code: "wrong"',
    "disableTotp": 'password: "wrong", code: "wrong"',
    "closeUser": 'password: "wrong"',
    "stepUp": 'challenge: "wrong", password: "wrong"',
    "verifyEmail": 'code: "wrong"',
    "addPasskey": 'name: "Me", input: {challengeToken: "wrong", credential: "wrong"}',
    "logOut": "sessionId: $id",
    "decide": "approvalId: $id, approve: false",
    "setUserRole": "userId: $id, role: TELLER",
    "suspendUser": 'userId: $id, reason: "r"',
    "reinstateUser": "userId: $id",
    "eraseUser": "userId: $id",
    "removeSecondFactor": "userId: $id",
    "advanceClock": 'to: "2000-01-01T00:00:00Z"',
    "accountByNumber": "number: $id",
    "transactionEvents": "accountIds: [$id]",
    "transactionFeed": "accountIds: [$id]",
    "nodes": "ids: [$id]",
    "suspense": "currency: EUR",
}
"""The arguments of each field; `id: $id` where none are given and the field has a subject."""
RECORDED_AS = {"transferBatch": "transfer"}
REFUSALS = {"NotFoundRejection": "NotFound", "ForbiddenRejection": "Forbidden"}
QUIET = {"outgoing_mails", "audit_events", "audit_seals", "attempt_buckets", "sessions", "refresh_tokens", "alembic_version"}
"""Tables that also change when something is refused, or by what serves the tests."""


@cache
def schema_of_the_bank() -> GraphQLSchema:
    """Return the schema."""
    return build_schema()._schema


@dataclass(frozen=True)
class Row:
    """A field, what it is about, and who may use it."""

    field: str
    subject: str
    cells: dict[str, str]

    @property
    def kind(self) -> str:
        """The kind of operation that has the field."""
        schema = schema_of_the_bank()
        for kind, root in (("query", schema.query_type), ("mutation", schema.mutation_type)):
            assert root is not None
            if self.field in root.fields:
                return kind
        return "subscription"

    def document(self) -> str:
        """An operation with the field alone."""
        arguments = ARGUMENTS.get(self.field, "" if self.subject == "nothing" else "id: $id")
        types = {"id": "String!" if self.subject == "number" else "ID!", "key": "String!", "other": "ID!"}
        declared = ", ".join(f"${name}: {type_}" for name, type_ in types.items() if f"${name}" in arguments)
        header = f"({declared})" if declared else ""
        return f"{self.kind} {header} {{ x: {self.field}{f'({arguments})' if arguments else ''} {self._selection()} }}"

    def _selection(self) -> str:
        schema = schema_of_the_bank()
        root = {"query": schema.query_type, "mutation": schema.mutation_type, "subscription": schema.subscription_type}[self.kind]
        assert root is not None
        if is_leaf_type(get_named_type(root.fields[self.field].type)):
            return ""
        batch = "... on TransferBatchOutcome { results { __typename } }" if self.field == "transferBatch" else ""
        return f"{{ __typename {batch} }}"


ROWS = [
    Row(field, subject, dict(zip(COLUMNS, cells, strict=True)))
    for field, subject, *cells in (line.split() for line in TABLE.splitlines()[2:] if line.strip())
]


@dataclass
class Things:
    """A customer, things of that customer, and things that do not exist."""

    owner: Client
    ids: dict[str, str]
    missing: dict[str, str]


MakeThings = Callable[[], Awaitable[Things]]


async def approval_about(raw: asyncpg.Connection, account_id: str, user_id: str) -> str:
    """Have somebody propose an overdraft limit, and return the proposal's id."""
    key, ids = new_id(), (uuid_of(account_id, "Account"), uuid_of(user_id, "User"))
    await raw.execute(
        "INSERT INTO approvals (id, kind, status, subject_id, amount, currency, proposed_by, is_finished, created_at, expires_at) "
        "VALUES ($1, 'SET_OVERDRAFT_LIMIT', 'PENDING', $2, 5, 'EUR', $3, false, now(), now() + interval '1 year')",
        *(key, *ids),
    )
    return global_id("Approval", key)


async def passkey_of(client: Client) -> str:
    """Add a passkey, and return its id."""
    device = Authenticator()
    asked = (await client.run("mutation { x: requestPasskey { ... on PasskeyChallenge { options challengeToken } } }"))["x"]
    given = {"challengeToken": asked["challengeToken"], "credential": device.make(asked["options"])}
    add = 'mutation ($i: PasskeyAnswerInput!) { x: addPasskey(name: "Phone", input: $i) { ... on Passkey { id } } }'
    added: str = (await client.run(add, i=given))["x"]["id"]
    return added


@pytest.fixture
async def make(visitor: Client, raw: asyncpg.Connection, staff: Callable[[UserRole], Awaitable[Client]]) -> MakeThings:
    """Makes customers with things of each kind. All have statements: the clock is moved once."""
    grace = await visitor.sign_up("grace@bank.test", "Grace Hopper")
    payee_account = await grace.open()
    await raw.execute("INSERT INTO products VALUES ($1, 'Plain', 'CHECKING', 'EUR', 'ACT_360', NULL, now())", PRODUCT)
    await raw.execute("INSERT INTO product_terms VALUES ($1, now(), '[]', '[]', 0, NULL, 0, 0, now())", PRODUCT)
    numbers = iter(range(1000))

    async def make_things() -> Things:
        number = next(numbers)
        ada = await visitor.sign_up(f"ada{number}@bank.test", "Ada Lovelace")
        account = await ada.open(deposit="100")
        card = await ada.issue(account["id"])
        deposit = (await ada.account(account["id"], "entries { nodes { id transaction { id } } }"))["entries"]["nodes"][0]
        hold = (await ada.place_hold(account["id"], payee_account["id"], "1"))["transaction"]["id"]
        card_hold = (await ada.authorize(card["id"], "1"))["transaction"]["id"]
        paid = (await ada.capture_hold((await ada.authorize(card["id"], "1"))["transaction"]["id"]))["transaction"]["id"]
        sent = (await ada.send(account["id"], "1"))["transaction"]["id"]
        payee = await ada.run(
            'mutation { addPayee(name: "Me", accountNumber: "DE02120300000000202051") { ... on Payee { id } } }'
        )
        schedule = await order(ada, account["id"], {"accountId": payee_account["id"]}, startsOn="2999-01-01")
        await visitor.log_in(f"ada{number}@bank.test")
        sessions = (await ada.run("{ me { sessions { id current } } }"))["me"]["sessions"]
        if not await raw.fetchval("SELECT count(*) FROM statements"):
            await ada.advance(await ada.clock() + timedelta(days=32))
        friend = await invite(ada, account["id"], "friend@bank.test")
        listed = (await ada.account(account["id"], "statements { nodes { id } }"))["statements"]["nodes"]
        event = await raw.fetchval("SELECT max(id) FROM audit_events")
        ids = {
            "account": account["id"], "number": account["number"], "card": card["id"], "membership": friend["id"], "grant": (await program(ada, account["id"])).user_id, "transaction": deposit["transaction"]["id"],
            "entry": deposit["id"], "hold": hold, "cardHold": card_hold, "paid": paid, "sent": sent, "payee": payee["addPayee"]["id"], "schedule": schedule["id"], "passkey": await passkey_of(ada), "approval": await approval_about(raw, account["id"], grace.user_id), "user": ada.user_id,
            "session": next(each["id"] for each in sessions if not each["current"]), "nothing": "",
            "product": global_id("Product", PRODUCT), "statement": listed[0]["id"] if listed else "", "auditEvent": global_id("AuditEvent", event), "other": payee_account["id"],
        }  # fmt: skip
        kinds = dict.fromkeys(("hold", "cardHold", "paid", "sent"), "Transaction") | {
            "schedule": "ScheduledTransfer",
            "grant": "AccessGrant",
        }
        missing = {name: global_id(kinds.get(name, name.capitalize()), new_id()) for name in ids}
        missing |= {
            "number": "DE00000000000000000000",
            "entry": global_id("Entry", 10**9),
            "auditEvent": global_id("AuditEvent", 10**9),
        }
        return Things(ada, ids, missing)

    return make_things


async def result_of(client: Client, row: Row, subject: str, other: str) -> tuple[str, str]:
    """Return what a client gets, as a symbol of the table, and the name of the rejection or the code of the error."""
    document = row.document()
    given = {name: value for name, value in (("id", subject), ("key", key()), ("other", other)) if f"${name}" in document}
    if row.kind == "subscription":
        headers = {"authorization": f"Bearer {client.token}"} if client.token else {}
        sent = {"query": document, "variables": given}
        answer = await client.http.post("/graphql", json=sent, headers={**headers, "accept": "text/event-stream"})
        return ("-", "") if "There is no such account" in answer.text else ("!", answer.text)
    body = await client.post(document, **given)
    codes = [error["extensions"]["code"] for error in body.get("errors", [])]
    if codes:
        return ("!" if codes[0] in {"FORBIDDEN", "UNAUTHENTICATED"} else "-"), codes[0]
    found = body["data"]["x"]
    found = found[0] if isinstance(found, list) else found
    if found is None:
        return ("y" if row.subject == "nothing" else "-"), ""
    name = found["__typename"] if isinstance(found, dict) else ""
    if name == "TransferBatchOutcome":
        name = found["results"][0]["__typename"]
    return {"NotFoundRejection": "-", "ForbiddenRejection": "n"}.get(name, "y"), name


async def contents(raw: asyncpg.Connection) -> dict[str, Any]:
    """Return a digest of each table."""
    tables = await raw.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    names = sorted(row["tablename"] for row in tables if row["tablename"] not in QUIET)
    digest = "SELECT '{0}' AS name, md5(string_agg(t::text, ',' ORDER BY t::text)) AS digest FROM {0} t"
    return {row["name"]: row["digest"] for row in await raw.fetch(" UNION ALL ".join(digest.format(name) for name in names))}


def test_the_table_has_every_field_of_the_schema() -> None:
    schema = schema_of_the_bank()
    for root in (schema.query_type, schema.mutation_type, schema.subscription_type):
        assert root is not None
        assert set(root.fields) - OPEN <= {row.field for row in ROWS}
    assert {row.field for row in ROWS} <= {
        field for root in (schema.query_type, schema.mutation_type, schema.subscription_type) if root for field in root.fields
    }


@dataclass
class Books:
    """What is in the database, read anew only after something was allowed: each reading takes longer than most requests."""

    raw: asyncpg.Connection
    known: dict[str, Any] | None = None

    async def are_unchanged(self) -> bool:
        """Whether nothing has changed since the last call."""
        before, self.known = self.known, await contents(self.raw)
        return before is None or self.known == before


async def problems(books: Books, client: Client, row: Row, expected: str, subject: str, other: str) -> list[str]:
    """Try a cell on one subject, and return what is not as it is to be."""
    raw = books.raw
    if expected == "y":
        books.known = None
    elif books.known is None:
        await books.are_unchanged()
    last = await raw.fetchval("SELECT max(id) FROM audit_events")
    got, name = await result_of(client, row, subject, other)
    found = []
    if got != ("n" if expected == "!" and row.kind == "mutation" else expected):
        found.append(f"{expected} is expected, not {got}")
    if expected != "y":
        if not await books.are_unchanged():
            found.append("something has changed")
        written = await raw.fetch("SELECT action, outcome FROM audit_events WHERE id > $1", last)
        recorded = [(event["action"], event["outcome"]) for event in written]
        if (row.kind == "mutation" or expected == "!") and recorded != [
            (RECORDED_AS.get(row.field, row.field), REFUSALS.get(name, "Forbidden"))
        ]:
            found.append(f"the audit has {recorded}")
    return [f"{row.field} of {row.subject} {name}: {each}" for each in found]


EVERY_COLUMN = pytest.mark.parametrize(
    "column", [pytest.param(column, marks=[pytest.mark.deep] if column in MEMBERS else []) for column in COLUMNS]
)


@pytest.fixture
async def other(column: str, visitor: Client, staff: Callable[[UserRole], Awaitable[Client]]) -> Client:
    """Whoever is not the customer."""
    if column in set(UserRole) - {UserRole.CUSTOMER}:
        return await staff(UserRole(column))
    return await visitor.sign_up("eve@bank.test", "Eve")


@pytest.fixture
def make_shared(column: str, make: MakeThings, raw: asyncpg.Connection, other: Client) -> MakeThings:
    """Makes customers with things; the other one is a member of the account, if that is what the column is about."""

    async def make_things() -> Things:
        things = await make()
        if column in MEMBERS:
            await join(raw, things.owner, things.ids["account"], other, "eve@bank.test", **MEMBERS[column])
        return things

    return make_things


@pytest.mark.timeout(300)
@EVERY_COLUMN
async def test_every_cell(column: str, make_shared: MakeThings, raw: asyncpg.Connection, other: Client) -> None:
    things = await make_shared()
    books, wrong = Books(raw), []
    for row in ROWS:
        client, cell = (things.owner if column == "own" else other), row.cells[column]
        if row.kind == "subscription" and cell == "y":
            continue  # the stream goes on: tests/events has these
        if row.subject != "nothing":
            expected = "!" if "!" in cell else "-"
            wrong += await problems(books, client, row, expected, things.missing[row.subject], things.ids["other"])
        wrong += await problems(books, client, row, cell.replace("y!", "y"), things.ids[row.subject], things.ids["other"])
        if "y" in cell and row.kind == "mutation":
            things = await make_shared()
    assert not wrong, "\n".join(wrong)


async def test_nobody_gets_anything_without_signing_in(make: MakeThings, visitor: Client, raw: asyncpg.Connection) -> None:
    things = await make()
    before = await contents(raw)
    for row in ROWS:
        if row.field not in OPEN:
            for subject in (things.ids, things.missing):
                assert (await result_of(visitor, row, subject[row.subject], things.ids["other"]))[0] == "!", row
    assert await contents(raw) == before


NODES = (
    "user",
    "account",
    "membership",
    "transaction",
    "entry",
    "card",
    "statement",
    "payee",
    "passkey",
    "approval",
    "session",
    "auditEvent",
)


@EVERY_COLUMN
async def test_every_field_of_what_is_visible_can_be_read(column: str, make_shared: MakeThings, other: Client) -> None:
    """And none of what is not."""
    things = await make_shared()
    client = things.owner if column == "own" else other
    schema = schema_of_the_bank()
    visible = {row.subject: row.cells[column] == "y" for row in ROWS if row.kind == "query"}
    for name in NODES:
        type_ = schema.type_map["AccessGrant" if name == "grant" else name[0].upper() + name[1:]]
        assert isinstance(type_, GraphQLObjectType)
        fields = {
            field: "" if is_leaf_type(get_named_type(declared.type)) else "{ __typename }"
            for field, declared in type_.fields.items()
            if not any(is_required_argument(argument) for argument in declared.args.values())
        }
        query = f"query ($id: ID!) {{ node(id: $id) {{ ... on {type_.name} {{ {' '.join(map(' '.join, fields.items()))} }} }} }}"
        answer = await client.post(query, id=things.ids[name])
        assert "errors" not in answer, (name, answer)
        assert (answer["data"]["node"] is not None) is visible[name], name


SCOPES: dict[str, tuple[set[str], set[str]]] = {
    "ACCOUNTS_READ": ({"account", "accountByNumber", "nodes account"}, set()),
    "TRANSACTIONS_READ": (
        {
            "account",
            "accountByNumber",
            "nodes account",
            "transaction",
            "transaction sent",
            "transaction paid",
            "statement",
            "node entry",
            "transactionEvents",
        },
        {"exportEntries"},
    ),
    "PAYMENTS_WRITE": (set(), {"transfer", "verifyPayee"}),
    "CARDS_READ": ({"account", "accountByNumber", "nodes account", "card"}, set()),
    "PROFILE": ({"me", "node user"}, set()),
}
"""What a program reads and does of what its grant names, by its scope: ACCOUNTS_READ goes with the two that need it."""
FOR_ANY_PROGRAM = {
    "accounts",
    "accessGrant",
    "rateLimit",
    "clock",
    "feedCursor",
    "payees",
    "scheduledTransfers",
    "products",
    "node product",
    "node grant",
}
"""What any program reads: nothing of its user's but its own grant. The lists are empty."""


@pytest.mark.deep
@pytest.mark.timeout(300)
@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("kind", ["agent", "key", "consent"])
async def test_every_scope_of_a_program(
    kind: str, scope: str, make: MakeThings, raw: asyncpg.Connection, app: Starlette, http: httpx.AsyncClient
) -> None:
    things = await make()
    accounts = [] if scope == "PROFILE" else [things.ids["account"]]
    scopes = [scope, "ACCOUNTS_READ"] if scope in {"TRANSACTIONS_READ", "CARDS_READ"} else [scope]
    if kind == "consent":
        words = " ".join(Scope[each].value for each in scopes)
        agent = await consented(await register(app, http, scope=words), things.owner, *accounts, scope=words)
    elif kind == "key" and scope != "PAYMENTS_WRITE":  # a key never pays
        agent = await program(things.owner, *accounts, scopes=scopes, document=CREATE_KEY)
    else:
        agent = await program(things.owner, *accounts, scopes=scopes)
    things.ids["grant"] = agent.user_id
    reads, does = SCOPES[scope]
    books, wrong = Books(raw), []
    for row in ROWS:
        name = row.field if row.subject in {"nothing", row.field, "account", "number"} else f"{row.field} {row.subject}"
        name = f"nodes {row.subject}" if row.field == "nodes" else name
        if row.kind == "mutation" and row.field in does:
            got, _ = await result_of(agent, row, things.ids[row.subject], things.ids["other"])
            wrong += [] if got == "y" else [f"{row.field} of {row.subject}: {got}"]
            books.known = None
            continue
        if row.kind == "subscription" and scope == "TRANSACTIONS_READ":
            continue  # the stream goes on
        got, _ = await result_of(agent, row, things.ids[row.subject], things.ids["other"])
        if row.kind == "mutation":
            allowed = got == "!"
        elif row.field == "me":
            allowed = True  # null, unless its scope is PROFILE
        elif name in reads | FOR_ANY_PROGRAM:
            allowed = got == "y"
        else:
            allowed = got in {"-", "!"}
        if not allowed or not await books.are_unchanged():
            wrong.append(f"{row.field} of {row.subject}: {got}")
    assert not wrong, "\n".join(wrong)
