"""Four eyes: what one member of staff proposes, and another one decides."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import asyncpg
import pytest
from starlette.applications import Starlette

from bank_graphql.app import create_app
from bank_graphql.approvals import queries
from bank_graphql.identity.enums import UserRole
from bank_graphql.kit.ids import uuid_of
from bank_graphql.settings import Settings
from tests.client import TRANSACTION, Client, money
from tests.serving import connect
from tests.verification import assert_verified

APPROVAL = f"""__typename id kind status reason refusal role limit {{ amount currency }} expiresAt decidedAt
    proposedBy {{ id }} decidedBy {{ id }} user {{ id }} account {{ id }} transaction {{ id }} hold {{ {TRANSACTION} }}"""
REQUIRED = f"... on ApprovalRequiredRejection {{ message approval {{ {APPROVAL} }} }} ... on StateConflictRejection {{ conflict state }} ... on Rejection {{ message }}"
SET_ROLE = f"mutation ($id: ID!, $role: UserRole!) {{ x: setUserRole(userId: $id, role: $role) {{ __typename ... on User {{ role }} {REQUIRED} }} }}"
SET_LIMIT = f"mutation ($id: ID!, $limit: MoneyInput!) {{ x: setOverdraftLimit(id: $id, limit: $limit) {{ __typename ... on Account {{ overdraftLimit {{ amount }} }} {REQUIRED} }} }}"
REVERSE = f"""mutation ($input: ReverseTransactionInput!) {{ x: reverseTransaction(input: $input) {{ __typename
    ... on MoneyMoved {{ replayed transaction {{ {TRANSACTION} }} }} ... on MoneyPreview {{ amount {{ amount }} }}
    ... on InsufficientFundsRejection {{ available {{ amount }} }} {REQUIRED} }} }}"""
DECIDE = f"""mutation ($id: ID!, $approve: Boolean!) {{ x: decide(approvalId: $id, approve: $approve) {{
    __typename ... on Approval {{ {APPROVAL} }} ... on StateConflictRejection {{ conflict state }} }} }}"""
LIST = f"query ($status: ApprovalStatus) {{ approvals(status: $status) {{ nodes {{ {APPROVAL} }} }} }}"


@dataclass
class Careful:
    """A bank that asks for four eyes, and its people: two of each kind of staff, and a customer."""

    app: Starlette
    admin: Client = field(init=False)
    other_admin: Client = field(init=False)
    teller: Client = field(init=False)
    ada: Client = field(init=False)

    def visitor(self) -> Client:
        """Return a signed-out client."""
        return Client(connect(self.app))

    async def staff(self, role: UserRole, name: str) -> Client:
        """Make a member of staff, and sign them in."""
        identity = self.app.state.graphql._services.identity
        password = "a fine long passphrase"
        await identity.create_user(email=f"{name}@bank.test", password=password, full_name=name.title(), role=role)
        return await self.visitor().log_in(f"{name}@bank.test")


async def run(client: Client, query: str, **given: Any) -> dict[str, Any]:
    """Return what a mutation answers."""
    answer: dict[str, Any] = (await client.insist(query, **given))["x"]
    return answer


@pytest.fixture
async def bank(settings: Settings) -> AsyncIterator[Careful]:
    app = create_app(settings.model_copy(update={"four_eyes": True, "four_eyes_amount": 100}))
    async with app.router.lifespan_context(app):
        made = Careful(app)
        made.admin = await made.staff(UserRole.ADMIN, "alice")
        made.other_admin = await made.staff(UserRole.ADMIN, "bob")
        made.teller = await made.staff(UserRole.TELLER, "carol")
        made.ada = await made.visitor().sign_up("ada@bank.test", "Ada Lovelace")
        yield made


async def test_a_role_changes_when_another_administrator_approves_it(bank: Careful) -> None:
    proposed = await run(bank.admin, SET_ROLE, id=bank.ada.user_id, role="TELLER")
    assert proposed["__typename"] == "ApprovalRequiredRejection"
    approval = proposed["approval"]
    assert (approval["kind"], approval["status"], approval["role"]) == ("SET_USER_ROLE", "PENDING", "TELLER")
    assert (approval["user"]["id"], approval["proposedBy"]["id"], approval["decidedBy"]) == (
        bank.ada.user_id,
        bank.admin.user_id,
        None,
    )
    again = await run(bank.admin, SET_ROLE, id=bank.ada.user_id, role="TELLER")
    assert again["approval"]["id"] == approval["id"]
    for client, role in ((bank.admin, "AUDITOR"), (bank.other_admin, "TELLER")):
        assert (await run(client, SET_ROLE, id=bank.ada.user_id, role=role))["conflict"] == "APPROVAL_PENDING"
    for client, typename in (
        (bank.admin, "ForbiddenRejection"), (bank.teller, "ForbiddenRejection"), (bank.ada, "NotFoundRejection"),
    ):  # fmt: skip
        assert (await run(client, DECIDE, id=approval["id"], approve=True))["__typename"] == typename
    assert (await bank.ada.run("{ me { role } }"))["me"]["role"] == "CUSTOMER"
    decided = await run(bank.other_admin, DECIDE, id=approval["id"], approve=True)
    assert (decided["status"], decided["decidedBy"]["id"]) == ("EXECUTED", bank.other_admin.user_id)
    assert (await bank.visitor().log_in("ada@bank.test")).token
    assert (await bank.admin.run("query ($id: ID!) { node(id: $id) { ... on User { role } } }", id=bank.ada.user_id))["node"][
        "role"
    ] == "TELLER"
    late = await run(bank.other_admin, DECIDE, id=approval["id"], approve=False)
    assert (late["conflict"], late["state"]) == ("WRONG_STATUS", "EXECUTED")
    events = (await bank.admin.run("{ auditEvents { nodes { action outcome detail actor { id } } } }"))["auditEvents"]["nodes"]
    found = [(each["action"], each["outcome"], each["detail"]) for each in events if each["action"] in {"decide", "setUserRole"}]
    assert ("setUserRole", "DONE", "TELLER") in found
    assert ("decide", "DONE", "APPROVED") in found
    assert ("setUserRole", "ApprovalRequired", "TELLER") in found
    assert ("decide", "Forbidden", "APPROVED") in found


async def test_a_proposal_is_rejected_by_another_or_withdrawn(bank: Careful) -> None:
    for client in (bank.other_admin, bank.admin):
        proposed = await run(bank.admin, SET_ROLE, id=bank.ada.user_id, role="TELLER")
        rejected = await run(client, DECIDE, id=proposed["approval"]["id"], approve=False)
        assert (rejected["status"], rejected["decidedBy"]["id"]) == ("REJECTED", client.user_id)
    listed = (await bank.teller.run(LIST, status="REJECTED"))["approvals"]["nodes"]
    assert len(listed) == 2
    assert (await bank.teller.run(LIST, status="PENDING"))["approvals"]["nodes"] == []
    assert (await bank.ada.error(LIST))["extensions"]["code"] == "FORBIDDEN"


async def test_what_its_proposer_may_no_longer_do_fails(bank: Careful, raw: asyncpg.Connection) -> None:
    proposed = await run(bank.admin, SET_ROLE, id=bank.ada.user_id, role="TELLER")
    await raw.execute("UPDATE users SET status = 'SUSPENDED' WHERE email = 'alice@bank.test'")
    decided = await run(bank.other_admin, DECIDE, id=proposed["approval"]["id"], approve=True)
    assert decided["status"] == "FAILED"
    assert decided["refusal"] == "Whoever proposed this may no longer do it."
    assert await raw.fetchval("SELECT role FROM users WHERE email = 'ada@bank.test'") == "CUSTOMER"


async def test_what_its_decider_may_no_longer_do_is_forbidden(bank: Careful, raw: asyncpg.Connection) -> None:
    proposed = await run(bank.admin, SET_ROLE, id=bank.ada.user_id, role="TELLER")
    await bank.other_admin.run(LIST)  # this process knows what bob was allowed to do a moment ago
    await raw.execute("UPDATE users SET role = 'TELLER' WHERE email = 'bob@bank.test'")
    decided = await run(bank.other_admin, DECIDE, id=proposed["approval"]["id"], approve=True)
    assert decided["__typename"] == "ForbiddenRejection"
    assert await raw.fetchval("SELECT status FROM approvals") == "PENDING"


async def test_what_has_expired_is_not_approved_and_is_proposed_again(bank: Careful, raw: asyncpg.Connection) -> None:
    first = (await run(bank.admin, SET_ROLE, id=bank.ada.user_id, role="TELLER"))["approval"]["id"]
    # It expires by itself a moment later, when the process looks for what is due.
    await raw.execute("UPDATE approvals SET created_at = created_at - interval '2 days', expires_at = now() - interval '1 day'")
    late = await run(bank.other_admin, DECIDE, id=first, approve=True)
    assert (late["conflict"], late["state"]) == ("WRONG_STATUS", "EXPIRED")
    second = await run(bank.admin, SET_ROLE, id=bank.ada.user_id, role="TELLER")
    assert second["__typename"] == "ApprovalRequiredRejection"
    assert second["approval"]["id"] != first


async def test_an_overdraft_above_the_amount_is_approved_by_another(bank: Careful) -> None:
    account = await bank.ada.open()
    assert (await run(bank.teller, SET_LIMIT, id=account["id"], limit=money("100")))["overdraftLimit"] == {"amount": "100.00"}
    proposed = await run(bank.teller, SET_LIMIT, id=account["id"], limit=money("100.01"))
    approval = proposed["approval"]
    assert (approval["kind"], approval["limit"]) == ("SET_OVERDRAFT_LIMIT", {"amount": "100.01", "currency": "EUR"})
    assert approval["account"]["id"] == account["id"]
    assert (await bank.ada.account(account["id"], "overdraftLimit { amount }"))["overdraftLimit"]["amount"] == "100.00"
    decided = await run(bank.admin, DECIDE, id=approval["id"], approve=True)
    assert decided["status"] == "EXECUTED"
    assert (await bank.ada.account(account["id"], "overdraftLimit { amount }"))["overdraftLimit"]["amount"] == "100.01"


async def test_what_would_be_refused_is_not_proposed(bank: Careful) -> None:
    account = await bank.ada.open()
    own = await bank.teller.open()
    for given in (
        {"id": account["id"], "limit": money("1000", "USD")}, {"id": own["id"], "limit": money("1000")},
        {"id": bank.ada.user_id, "limit": money("1000")},
    ):  # fmt: skip
        refused = await run(bank.teller, SET_LIMIT, **given)
        assert refused["__typename"] in {"CurrencyMismatchRejection", "ForbiddenRejection", "NotFoundRejection"}
    assert (await run(bank.ada, SET_LIMIT, id=account["id"], limit=money("1000")))["__typename"] == "ForbiddenRejection"
    assert (await run(bank.teller, SET_ROLE, id=bank.ada.user_id, role="ADMIN"))["__typename"] == "ForbiddenRejection"
    assert (await bank.teller.run(LIST))["approvals"]["nodes"] == []


@dataclass
class Paid:
    """A payment of 150 from Ada to Grace, who has 200 now."""

    grace: Client
    to: dict[str, Any]
    source: dict[str, Any]
    transaction: str


@pytest.fixture
async def paid(bank: Careful) -> Paid:
    grace = await bank.visitor().sign_up("grace@bank.test", "Grace Hopper")
    source, to = await bank.ada.open(deposit="500"), await grace.open(deposit="50")
    moved = await bank.ada.transfer(source["id"], to["id"], "150")
    return Paid(grace, to, source, moved["transaction"]["id"])


def reversal(paid: Paid, given: str = "k", **more: Any) -> dict[str, Any]:
    """Return the input of a reversal."""
    return {"transactionId": paid.transaction, "reason": "A mistake", "idempotencyKey": given, **more}


async def balance(paid: Paid) -> tuple[str, str]:
    found = (await paid.grace.account(paid.to["id"]))["balance"]
    return found["booked"]["amount"], found["available"]["amount"]


async def test_a_reversal_reserves_its_money_until_another_approves_it(bank: Careful, paid: Paid) -> None:
    assert (await run(bank.teller, REVERSE, input=reversal(paid, dryRun=True)))["__typename"] == "MoneyPreview"
    proposed = await run(bank.teller, REVERSE, input=reversal(paid))
    approval = proposed["approval"]
    assert (approval["kind"], approval["reason"], approval["transaction"]["id"]) == (
        "REVERSE_TRANSACTION",
        "A mistake",
        paid.transaction,
    )
    assert (approval["hold"]["status"], approval["hold"]["amount"]["amount"]) == ("PENDING", "150.00")
    assert await balance(paid) == ("200.00", "50.00")
    assert (await paid.grace.withdraw(paid.to["id"], "60"))["__typename"] == "InsufficientFundsRejection"
    assert (await run(bank.teller, REVERSE, input=reversal(paid)))["approval"]["id"] == approval["id"]
    assert (await run(bank.admin, REVERSE, input=reversal(paid)))["conflict"] == "APPROVAL_PENDING"
    for client in (bank.admin, bank.teller, paid.grace, bank.ada):  # nobody takes or frees it on another way
        assert (await client.release_hold(approval["hold"]["id"]))["__typename"] in {"ForbiddenRejection", "NotFoundRejection"}
        assert (await client.capture_hold(approval["hold"]["id"]))["__typename"] in {"ForbiddenRejection", "NotFoundRejection"}
    decided = await run(bank.admin, DECIDE, id=approval["id"], approve=True)
    assert (decided["status"], decided["hold"]["status"]) == ("EXECUTED", "VOIDED")
    assert await balance(paid) == ("50.00", "50.00")
    replayed = await run(bank.teller, REVERSE, input=reversal(paid))
    assert (replayed["__typename"], replayed["replayed"], replayed["transaction"]["kind"]) == ("MoneyMoved", True, "REVERSAL")


async def test_a_rejected_or_expired_reversal_frees_its_money(bank: Careful, paid: Paid) -> None:
    proposed = await run(bank.teller, REVERSE, input=reversal(paid, "one"))
    assert (await run(bank.admin, DECIDE, id=proposed["approval"]["id"], approve=False))["hold"]["status"] == "VOIDED"
    assert await balance(paid) == ("200.00", "200.00")
    refused = await run(bank.teller, REVERSE, input=reversal(paid, "one"))
    assert (refused["conflict"], refused["state"]) == ("WRONG_STATUS", "REJECTED")
    proposed = await run(bank.teller, REVERSE, input=reversal(paid, "two"))
    await bank.ada.advance(await bank.ada.clock() + timedelta(hours=25))
    assert await balance(paid) == ("200.00", "200.00")
    late = await run(bank.admin, DECIDE, id=proposed["approval"]["id"], approve=True)
    assert (late["conflict"], late["state"]) == ("WRONG_STATUS", "EXPIRED")
    [listed] = (await bank.teller.run(LIST, status="EXPIRED"))["approvals"]["nodes"]
    assert listed["hold"]["status"] == "EXPIRED"
    assert (await run(bank.teller, REVERSE, input=reversal(paid, "three")))["__typename"] == "ApprovalRequiredRejection"


async def test_a_reversal_that_cannot_be_reserved_is_not_proposed(bank: Careful, paid: Paid) -> None:
    await paid.grace.withdraw(paid.to["id"], "100")
    refused = await run(bank.teller, REVERSE, input=reversal(paid))
    assert (refused["__typename"], refused["available"]) == ("InsufficientFundsRejection", {"amount": "100.00"})
    assert (await bank.teller.run(LIST))["approvals"]["nodes"] == []


async def test_the_money_of_the_bank_needs_no_hold(bank: Careful) -> None:
    account = await bank.ada.open(deposit="500")
    withdrawn = (await bank.ada.withdraw(account["id"], "200"))["transaction"]["id"]
    proposed = await run(bank.teller, REVERSE, input={"transactionId": withdrawn, "reason": "r", "idempotencyKey": "k"})
    assert proposed["approval"]["hold"] is None
    assert (await run(bank.admin, DECIDE, id=proposed["approval"]["id"], approve=True))["status"] == "EXECUTED"
    assert await bank.ada.booked(account["id"]) == "500.00"


async def test_nobody_decides_about_money_of_their_own(bank: Careful) -> None:
    source, to = await bank.ada.open(deposit="500"), await bank.admin.open()
    moved = (await bank.ada.transfer(source["id"], to["id"], "150"))["transaction"]["id"]
    proposed = await run(bank.teller, REVERSE, input={"transactionId": moved, "reason": "r", "idempotencyKey": "k"})
    for approve in (True, False):
        decided = await run(bank.admin, DECIDE, id=proposed["approval"]["id"], approve=approve)
        assert decided["__typename"] == "ForbiddenRejection"
    assert (await run(bank.other_admin, DECIDE, id=proposed["approval"]["id"], approve=True))["status"] == "EXECUTED"
    proposed = await run(bank.teller, SET_LIMIT, id=to["id"], limit=money("1000"))
    assert (await run(bank.admin, DECIDE, id=proposed["approval"]["id"], approve=True))["__typename"] == "ForbiddenRejection"


@pytest.mark.parametrize("racers", [20, pytest.param(1000, marks=pytest.mark.deep)])
async def test_of_racing_decisions_one_wins(bank: Careful, paid: Paid, racers: int, raw: asyncpg.Connection) -> None:
    proposed = await run(bank.teller, REVERSE, input=reversal(paid))
    deciders = [bank.admin, bank.other_admin]
    answers = await asyncio.gather(
        *(run(deciders[number % 2], DECIDE, id=proposed["approval"]["id"], approve=number % 3 > 0) for number in range(racers))
    )
    won = [each for each in answers if each["__typename"] == "Approval"]
    assert len(won) == 1
    assert {each["conflict"] for each in answers if each["__typename"] != "Approval"} == {"WRONG_STATUS"}
    assert await raw.fetchval("SELECT count(*) FROM transactions WHERE kind = 'REVERSAL'") == (won[0]["status"] == "EXECUTED")
    assert await raw.fetchval("SELECT count(*) FROM audit_events WHERE action = 'decide' AND outcome = 'DONE'") == 1


async def test_racing_proposals_reserve_the_money_once(bank: Careful, paid: Paid) -> None:
    await paid.grace.deposit(paid.to["id"], "1000")  # enough for the holds of all
    answers = await asyncio.gather(
        *(
            run(client, REVERSE, input=reversal(paid, f"k{number % 2}"))
            for number in range(10)
            for client in (bank.teller, bank.admin)
        )
    )
    proposals = {each["approval"]["id"] for each in answers if each["__typename"] == "ApprovalRequiredRejection"}
    assert len(proposals) == 1
    assert await balance(paid) == ("1200.00", "1050.00")


@pytest.mark.parametrize(
    ("status", "ended", "left"), [("APPROVED", "EXECUTED", ("50.00", "50.00")), ("REJECTED", "REJECTED", ("200.00", "200.00"))]
)
async def test_what_was_decided_is_finished_although_the_process_ended(
    bank: Careful, paid: Paid, raw: asyncpg.Connection, status: str, ended: str, left: tuple[str, str]
) -> None:
    proposed = await run(bank.teller, REVERSE, input=reversal(paid))
    approvals = bank.app.state.graphql._services.approvals
    decided = "UPDATE approvals SET status = $2, decided_at = now() - interval '1 minute' WHERE id = $1"
    await raw.execute(decided, uuid_of(proposed["approval"]["id"], "Approval"), status)  # and then it ended
    await asyncio.gather(*(approvals.finish() for _ in range(3)))
    assert await raw.fetchval("SELECT status FROM approvals") == ended
    assert await balance(paid) == left
    assert await approvals.finish() == 0
    await assert_verified(approvals._db)


async def test_what_was_reversed_is_noted_although_its_proposer_may_no_longer_do_it(
    bank: Careful, paid: Paid, raw: asyncpg.Connection
) -> None:
    services = bank.app.state.graphql._services
    proposed = await run(bank.teller, REVERSE, input=reversal(paid))
    key = uuid_of(proposed["approval"]["id"], "Approval")
    assert key is not None
    await raw.execute("UPDATE approvals SET status = 'APPROVED', decided_at = now()")
    approved = await queries.approval(services.db, key)
    await services.approvals._execution.finish(approved)
    await raw.execute("UPDATE approvals SET status = 'APPROVED', is_finished = false")  # it ended before it had noted that
    await raw.execute("UPDATE users SET status = 'SUSPENDED' WHERE email = 'carol@bank.test'")
    await services.approvals._execution.finish(approved)
    assert await raw.fetchval("SELECT status FROM approvals") == "EXECUTED"
    assert await balance(paid) == ("50.00", "50.00")


async def test_a_role_is_set_once_although_the_process_ended(bank: Careful, raw: asyncpg.Connection) -> None:
    services = bank.app.state.graphql._services
    proposed = await run(bank.admin, SET_ROLE, id=bank.ada.user_id, role="TELLER")
    key = uuid_of(proposed["approval"]["id"], "Approval")
    assert key is not None
    await raw.execute("UPDATE approvals SET status = 'APPROVED', decided_at = now() WHERE id = $1", key)  # and then it ended
    approved = await queries.approval(services.db, key)
    await services.approvals._execution.finish(approved)
    back = await run(bank.admin, SET_ROLE, id=bank.ada.user_id, role="CUSTOMER")
    await run(bank.other_admin, DECIDE, id=back["approval"]["id"], approve=True)
    await services.approvals._execution.finish(approved)  # as another process would that has read it meanwhile
    assert await raw.fetchval("SELECT role FROM users WHERE email = 'ada@bank.test'") == "CUSTOMER"
    assert await raw.fetchval("SELECT status FROM approvals WHERE id = $1", key) == "EXECUTED"


async def test_a_key_is_for_one_proposal(bank: Careful, paid: Paid) -> None:
    """Neither another request nor the end of the first one lets it pass without a second person."""
    other = (await bank.ada.transfer(paid.source["id"], paid.to["id"], "120"))["transaction"]["id"]
    proposed = await run(bank.teller, REVERSE, input=reversal(paid))
    for _ in range(2):
        for given in (reversal(paid, reason="Another"), reversal(paid, transactionId=other)):
            assert (await run(bank.teller, REVERSE, input=given))["__typename"] == "IdempotencyConflictRejection"
        await run(bank.teller, DECIDE, id=proposed["approval"]["id"], approve=False)
    small = (await bank.ada.transfer(paid.source["id"], paid.to["id"], "1"))["transaction"]["id"]
    assert (await run(bank.teller, REVERSE, input=reversal(paid, transactionId=small)))[
        "__typename"
    ] == "IdempotencyConflictRejection"


async def test_the_key_of_another_request_makes_no_proposal(bank: Careful, paid: Paid) -> None:
    account = await bank.teller.open()
    await bank.teller.deposit(account["id"], "1", idempotencyKey="k")
    assert (await run(bank.teller, REVERSE, input=reversal(paid)))["__typename"] == "IdempotencyConflictRejection"
    proposed = await run(bank.teller, REVERSE, input=reversal(paid, "other"))
    await bank.teller.deposit(account["id"], "1", idempotencyKey="other")  # the proposal does not need it any more
    assert (await run(bank.admin, DECIDE, id=proposed["approval"]["id"], approve=True))["status"] == "EXECUTED"


async def test_a_refused_reversal_is_refused_again_with_its_key(bank: Careful, paid: Paid) -> None:
    await paid.grace.withdraw(paid.to["id"], "100")
    for _ in range(2):
        assert (await run(bank.teller, REVERSE, input=reversal(paid)))["__typename"] == "InsufficientFundsRejection"


async def test_what_fails_frees_its_money(bank: Careful, paid: Paid, raw: asyncpg.Connection) -> None:
    proposed = await run(bank.teller, REVERSE, input=reversal(paid))
    await raw.execute("UPDATE users SET status = 'SUSPENDED' WHERE email = 'carol@bank.test'")
    decided = await run(bank.admin, DECIDE, id=proposed["approval"]["id"], approve=True)
    assert (decided["status"], decided["hold"]["status"]) == ("FAILED", "VOIDED")
    assert await balance(paid) == ("200.00", "200.00")
    outcomes = await raw.fetch("SELECT outcome FROM audit_events WHERE action = 'reverseTransaction' ORDER BY id")
    assert [row["outcome"] for row in outcomes] == ["ApprovalRequired", "Forbidden"]


async def test_what_changes_nothing_or_lowers_a_limit_needs_one_person(bank: Careful) -> None:
    assert (await run(bank.admin, SET_ROLE, id=bank.ada.user_id, role="CUSTOMER"))["role"] == "CUSTOMER"
    account = await bank.ada.open()
    proposed = await run(bank.teller, SET_LIMIT, id=account["id"], limit=money("300"))
    await run(bank.admin, DECIDE, id=proposed["approval"]["id"], approve=True)
    assert (await run(bank.teller, SET_LIMIT, id=account["id"], limit=money("200")))["overdraftLimit"] == {"amount": "200.00"}


async def test_what_was_proposed_never_changes(bank: Careful, dsn: str) -> None:
    await run(bank.admin, SET_ROLE, id=bank.ada.user_id, role="TELLER")
    application: asyncpg.Connection = await asyncpg.connect(dsn)
    await application.execute("SET ROLE bank_app")
    for column in ("role", "subject_id", "amount", "proposed_by", "expires_at", "hold_id"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await application.execute(f"UPDATE approvals SET {column} = {column}")
    await application.close()


async def test_a_bank_with_one_administrator_is_warned_and_not_locked_out(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    given = settings.model_copy(update={"four_eyes": True, "four_eyes_amount": 0})
    app = create_app(given)
    async with app.router.lifespan_context(app):
        assert "one is enough" in capsys.readouterr().err
        bank = Careful(app)
        admin = await bank.staff(UserRole.ADMIN, "alice")
        ada = await bank.visitor().sign_up("ada@bank.test", "Ada Lovelace")
        account = await ada.open(deposit="5")
        assert (await run(admin, SET_LIMIT, id=account["id"], limit=money("10")))["__typename"] == "Account"
        assert (await run(admin, SET_ROLE, id=ada.user_id, role="ADMIN"))["role"] == "ADMIN"
        assert (await run(admin, SET_ROLE, id=ada.user_id, role="CUSTOMER"))["__typename"] == "ApprovalRequiredRejection"
        suspended = 'mutation ($id: ID!) { suspendUser(userId: $id, reason: "r") { __typename } }'
        await admin.run(suspended, id=ada.user_id)
        # Who suspends all others has not got rid of their eyes.
        bob = await bank.visitor().sign_up("bob@bank.test", "Bob")
        assert (await run(admin, SET_ROLE, id=bob.user_id, role="ADMIN"))["__typename"] == "ApprovalRequiredRejection"
    capsys.readouterr()
    app = create_app(given)
    async with app.router.lifespan_context(app):
        assert "one is enough" not in capsys.readouterr().err
