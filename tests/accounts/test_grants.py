"""Programs that act for users: what they may read and pay, what waits for approval, and that they end."""

import asyncio
from datetime import timedelta
from typing import Any

import asyncpg
import pytest
from starlette.applications import Starlette

from bank_graphql.app import create_app
from bank_graphql.bank import CHECKS, Bank
from bank_graphql.identity.enums import UserRole
from bank_graphql.kit.actor import Origin
from bank_graphql.kit.clock import utc_now
from bank_graphql.kit.errors import NotFound
from bank_graphql.kit.ids import uuid_of
from bank_graphql.kit.money import Money
from bank_graphql.payments.commands import Destination, Transfer
from bank_graphql.payments.groups import Group
from bank_graphql.settings import Settings
from tests.accounts.members import end, join
from tests.accounts.programs import APPROVAL, CREATE_KEY, READ, REVOKE, ROTATE, TRANSFER, create, decide, pay, program
from tests.client import ABROAD, Client, key, money
from tests.serving import serving
from tests.verification import assert_verified, found_wrong

ME = "{ me { id fullName email accounts { nodes { id } } accessGrants { id } approvals { id } sessions { id } } }"


@pytest.fixture
async def account(ada: Client) -> str:
    """An account of Ada's, with money."""
    account_id: str = (await ada.open(deposit="100"))["id"]
    return account_id


@pytest.fixture
async def other(grace: Client) -> str:
    """An account of Grace's."""
    account_id: str = (await grace.open())["id"]
    return account_id


async def code_of(client: Client, document: str, **given: Any) -> str:
    """Return the code of an operation's error."""
    code: str = (await client.error(document, **given))["extensions"]["code"]
    return code


async def test_a_program_reads_what_it_was_given_and_nothing_else(ada: Client, account: str, other: str) -> None:
    second = (await ada.open(deposit="5"))["id"]
    await ada.issue(account)
    agent = await program(ada, account, scopes=["ACCOUNTS_READ"])
    assert (await agent.account(account))["balance"]["booked"]["amount"] == "100.00"
    assert await agent.account(second) is None
    assert await agent.account(other) is None
    lists = "entries { nodes { id } } cards { nodes { id } } transactions { nodes { id } } statements { nodes { id } } memberships { id }"
    assert await agent.account(account, lists) == {
        name: {"nodes": []} for name in ("entries", "cards", "transactions", "statements")
    } | {"memberships": []}
    assert (await agent.run(ME))["me"] is None
    for root in ("payees { nodes { id } }", "scheduledTransfers { nodes { id } }"):
        assert (await agent.run(f"{{ x: {root} }}"))["x"] == {"nodes": []}
    reader = await program(ada, account, scopes=READ)
    assert len((await reader.account(account, "entries { nodes { id } }"))["entries"]["nodes"]) == 1
    assert len((await reader.run("{ transactionEvents { nodes { cursor } } }"))["transactionEvents"]["nodes"]) == 1
    cards = await program(ada, account, scopes=["CARDS_READ", "ACCOUNTS_READ"])
    assert len((await cards.account(account, "cards { nodes { id } }"))["cards"]["nodes"]) == 1
    profile = await program(ada, scopes=["PROFILE"])
    seen = (await profile.run(ME))["me"]
    assert (seen["fullName"], seen["id"]) == ("Ada Lovelace", ada.user_id)
    assert (seen["accounts"], seen["accessGrants"], seen["approvals"], seen["sessions"]) == ({"nodes": []}, [], [], [])


async def test_accounts_are_all_that_one_may_use(
    ada: Client, grace: Client, account: str, other: str, raw: asyncpg.Connection
) -> None:
    listed = "{ accounts(first: 5) { nodes { id } } accessGrant { id name } }"
    assert await grace.run(listed) == {"accounts": {"nodes": [{"id": other}]}, "accessGrant": None}
    await join(raw, ada, account, grace, "grace@bank.test")
    assert {each["id"] for each in (await grace.run(listed))["accounts"]["nodes"]} == {account, other}
    agent = await program(grace, other, scopes=["ACCOUNTS_READ"])
    assert await agent.run(listed) == {
        "accounts": {"nodes": [{"id": other}]}, "accessGrant": {"id": agent.user_id, "name": "Agent"},
    }  # fmt: skip
    blind = await program(grace, other, scopes=["PAYMENTS_WRITE"])
    assert (await blind.run(listed))["accounts"] == {"nodes": []}


async def test_programs_send_no_mutation_beyond_their_scopes(ada: Client, account: str, raw: asyncpg.Connection) -> None:
    agent = await program(ada, account, scopes=READ)
    for mutation in (
        f'renameAccount(id: "{account}", name: "Mine")',
        'changePassword(current: "x", new: "y")',
        'addPayee(name: "Me", accountNumber: "DE02120300000000202051")',
        "logOut",
        f'inviteMember(input: {{accountId: "{account}", email: "eve@bank.test"}})',
        f'createAccessGrant(input: {{name: "More", scopes: [PROFILE], expiresAt: "{(utc_now() + timedelta(days=1)).isoformat()}"}})',
        f'transfer(input: {{fromAccountId: "{account}", to: {{accountNumber: "{ABROAD}"}}, amount: {{amount: "1", currency: EUR}}, idempotencyKey: "k"}})',
    ):
        assert await code_of(agent, f"mutation {{ {mutation} {{ __typename }} }}") == "FORBIDDEN"
    events = await raw.fetch("SELECT action, outcome, detail FROM audit_events WHERE detail LIKE 'grant %'")
    assert {(row["action"], row["outcome"]) for row in events} >= {("renameAccount", "Forbidden"), ("transfer", "Forbidden")}
    assert {row["detail"] for row in events} == {f"grant {uuid_of(agent.user_id, 'AccessGrant').hex}"}  # type: ignore[union-attr]


async def test_a_program_pays_within_its_terms(ada: Client, account: str, other: str) -> None:
    number = (await ada.open())["number"]
    agent = await program(ada, account, payees=[number], dailyLimit=money("30"), approvalAbove=money("20"))
    paid = await pay(agent, account, {"accountNumber": number}, "20", "a")
    assert paid["__typename"] == "MoneyMoved"
    assert (await pay(agent, account, {"accountNumber": number}, "20", "a"))["replayed"] is True
    for to, amount, reason in (
        ({"accountId": other}, "1", "does not name this payee"),
        ({"accountNumber": number}, "21", "20.00 EUR in one payment"),
        ({"accountNumber": number}, "11", "30.00 EUR a day, and 20.00 EUR are paid"),
    ):
        waits = await pay(agent, account, to, amount, key())
        assert waits["__typename"] == "ApprovalRequiredRejection"
        assert reason in waits["approval"]["reason"]
        assert waits["approval"]["status"] == "PENDING"
    balance = (await ada.account(account))["balance"]
    assert (balance["booked"]["amount"], balance["held"]["amount"]) == ("80.00", "33.00")
    assert (await pay(agent, account, {"accountId": other}, "1", key(), dryRun=True))["__typename"] == "ForbiddenRejection"
    assert (await pay(agent, account, {"accountNumber": number}, "1", key(), dryRun=True))["__typename"] == "MoneyPreview"


async def test_a_repeated_payment_is_shown_to_whoever_may_only_pay(ada: Client, account: str, other: str) -> None:
    agent = await program(ada, account, scopes=["PAYMENTS_WRITE"])
    first = await pay(agent, account, {"accountId": other}, "1", "a")
    again = await pay(agent, account, {"accountId": other}, "1", "a")
    assert (again["__typename"], again["replayed"], again["transaction"]) == ("MoneyMoved", True, first["transaction"])


async def test_an_owner_approves_or_rejects_once(
    ada: Client, grace: Client, account: str, other: str, raw: asyncpg.Connection
) -> None:
    agent = await program(ada, account, approvalAbove=money("1"))
    waits = (await pay(agent, account, {"accountId": other}, "40", "a", description="Lamp"))["approval"]
    assert (waits["payeeName"], waits["amount"], waits["hold"]["status"]) == ("Grace Hopper", {"amount": "40.00"}, "PENDING")
    assert [each["id"] for each in (await ada.run(ME))["me"]["approvals"]] == [waits["id"]]
    assert (await decide(grace, waits["id"], approve=True))["__typename"] == "NotFoundRejection"
    assert (
        await code_of(agent, "mutation ($id: ID!) { decide(approvalId: $id, approve: true) { __typename } }", id=waits["id"])
        == "FORBIDDEN"
    )
    answers = await asyncio.gather(*(decide(ada, waits["id"], approve=True) for _ in range(5)))
    assert sorted(each["__typename"] for each in answers) == ["Approval", *["StateConflictRejection"] * 4]
    [approved] = [each for each in answers if each["__typename"] == "Approval"]
    assert (approved["status"], approved["transaction"]["status"], approved["hold"]["status"]) == ("EXECUTED", "POSTED", "VOIDED")
    assert (await ada.booked(account), await grace.booked(other)) == ("60.00", "40.00")
    again = await pay(agent, account, {"accountId": other}, "40", "a", description="Lamp")
    assert (again["__typename"], again["approval"]["status"]) == ("ApprovalRequiredRejection", "EXECUTED")
    seen = await agent.run(f"query ($id: ID!) {{ node(id: $id) {{ ... on Approval {{ {APPROVAL} }} }} }}", id=waits["id"])
    assert seen["node"]["transaction"]["id"] == approved["transaction"]["id"]
    rejected = (await pay(agent, account, {"accountId": other}, "60", "b"))["approval"]
    assert (await decide(ada, rejected["id"], approve=False))["status"] == "REJECTED"
    assert (await ada.account(account))["balance"]["held"]["amount"] == "0.00"
    assert await raw.fetchval("SELECT count(*) FROM payment_requests") == 2


async def test_nobody_captures_what_waits_for_approval(
    ada: Client, grace: Client, teller: Client, account: str, other: str
) -> None:
    agent = await program(ada, account, approvalAbove=money("1"))
    waits = (await pay(agent, account, {"accountId": other}, "40", "a"))["approval"]
    for client in (grace, ada, teller):
        assert (await client.capture_hold(waits["hold"]["id"]))["__typename"] != "MoneyMoved"
        assert (await client.release_hold(waits["hold"]["id"]))["__typename"] != "MoneyMoved"


async def test_an_approval_expires_with_its_hold(ada: Client, account: str, other: str) -> None:
    agent = await program(ada, account, approvalAbove=money("1"))
    waits = (await pay(agent, account, {"accountId": other}, "40", "a"))["approval"]
    await ada.advance(await ada.clock() + timedelta(days=15))
    assert (await ada.run("{ me { approvals { status } } }"))["me"]["approvals"] == [{"status": "EXPIRED"}]
    late = await decide(ada, waits["id"], approve=True)
    assert (late["__typename"], late["state"]) == ("StateConflictRejection", "EXPIRED")
    assert (await ada.account(account))["balance"]["held"]["amount"] == "0.00"


async def test_what_cannot_be_paid_any_more_waits_on(ada: Client, grace: Client, account: str, other: str) -> None:
    agent = await program(ada, account, approvalAbove=money("1"))
    waits = (await pay(agent, account, {"accountId": other}, "40", "a"))["approval"]
    freeze = "mutation ($id: ID!) { x: freezeAccount(id: $id) { __typename } }"
    await ada.run(freeze, id=account)
    assert (await decide(ada, waits["id"], approve=True))["__typename"] == "AccountStatusRejection"
    assert (await ada.account(account))["balance"]["held"]["amount"] == "40.00"
    await ada.run(freeze.replace("freeze", "unfreeze"), id=account)
    assert (await decide(ada, waits["id"], approve=True))["status"] == "EXECUTED"
    assert await grace.booked(other) == "40.00"


async def test_a_payment_to_another_bank_waits_and_is_sent(ada: Client, account: str) -> None:
    agent = await program(ada, account, payees=[])
    to = {"external": {"accountNumber": ABROAD, "name": "Jane Abroad"}}
    waits = (await pay(agent, account, to, "40", "a"))["approval"]
    assert (waits["payeeName"], waits["payeeNumber"]) == ("Jane Abroad", ABROAD)
    approved = await decide(ada, waits["id"], approve=True)
    assert (approved["status"], approved["transaction"]["status"]) == ("EXECUTED", "PENDING")


async def test_fifty_payments_at_once_never_exceed_the_limit(ada: Client, grace: Client, account: str, other: str) -> None:
    second = (await ada.open(deposit="100"))["id"]
    agent = await program(ada, account, second, dailyLimit=money("10"))
    answers = await asyncio.gather(
        *(pay(agent, source, {"accountId": other}, "1", key()) for source in (account, second) for _ in range(25))
    )
    kinds = [answer["__typename"] for answer in answers]
    assert [kinds.count(kind) for kind in ("MoneyMoved", "ApprovalRequiredRejection", "ForbiddenRejection")] == [10, 20, 20]
    assert await grace.booked(other) == "10.00"
    held = [(await ada.account(each))["balance"]["held"]["amount"] for each in (account, second)]
    assert sum(map(float, held)) == 20


async def test_a_program_may_not_hold_all_the_money(ada: Client, account: str, other: str) -> None:
    agent = await program(ada, account, dailyLimit=money("0"))
    kinds = [(await pay(agent, account, {"accountId": other}, "1", key()))["__typename"] for _ in range(22)]
    assert kinds == ["ApprovalRequiredRejection"] * 20 + ["ForbiddenRejection"] * 2
    await ada.run(REVOKE, id=agent.user_id)
    assert (await ada.account(account))["balance"]["held"]["amount"] == "0.00"
    assert {each["status"] for each in (await ada.run("{ me { approvals { status } } }"))["me"]["approvals"]} == {"REJECTED"}


async def test_whoever_owns_the_account_decides(
    ada: Client, grace: Client, account: str, other: str, raw: asyncpg.Connection
) -> None:
    membership = await join(raw, ada, account, grace, "grace@bank.test", role="OWNER")
    agent = await program(grace, account, approvalAbove=money("1"))
    first = (await pay(agent, account, {"accountId": other}, "40", "a"))["approval"]["id"]
    second = (await pay(agent, account, {"accountId": other}, "50", "b"))["approval"]["id"]
    for client in (ada, grace):
        assert [each["id"] for each in (await client.run("{ me { approvals { id } } }"))["me"]["approvals"]] == [second, first]
    assert (await decide(ada, first, approve=True))["status"] == "EXECUTED"
    await end(ada, membership)
    assert (await grace.run("{ me { approvals { id } } }"))["me"]["approvals"] == []
    assert (await decide(grace, second, approve=True))["__typename"] == "NotFoundRejection"
    assert (await decide(ada, second, approve=False))["status"] == "REJECTED"


async def test_a_consent_and_the_end_of_an_ownership_do_not_cross(
    ada: Client, grace: Client, account: str, other: str, raw: asyncpg.Connection
) -> None:
    for _ in range(10):
        membership = await join(raw, ada, account, grace, "grace@bank.test", role="OWNER")
        made: dict[str, Any]
        made, _ = await asyncio.gather(create(grace, account), end(ada, membership))
        if made["__typename"] == "NewAccessGrant":
            assert await Client(grace.http, made["token"]).account(account) is None
            await grace.run(REVOKE, id=made["grant"]["id"])
    assert await raw.fetchval("SELECT count(*) FROM granted_accounts") == 0


async def test_a_program_of_staff_does_nothing_with_what_is_its_users(
    plain: Client, settings: Settings, raw: asyncpg.Connection
) -> None:
    processor = await plain.sign_up("pia@example.com", "Pia Processor")
    own = await processor.open()
    await raw.execute("UPDATE users SET role = 'PROCESSOR'")
    processor = await plain.log_in("pia@example.com")
    key_ = await program(processor, scopes=["CLEARING_PROCESS", "CARDS_PROCESS"], document=CREATE_KEY)
    for client in (processor, key_):
        assert (await client.receive(own["number"], "1000"))["__typename"] == "ForbiddenRejection"
    assert await processor.booked(own["id"]) == "0.00"


async def test_a_revoked_program_ends_at_once(
    app: Starlette, settings: Settings, ada: Client, account: str, other: str, raw: asyncpg.Connection
) -> None:
    agent = await program(ada, account)
    await pay(agent, account, {"accountId": other}, "1", "a")
    async with serving(create_app(settings)) as elsewhere:
        far = Client(elsewhere, agent.token)
        await far.account(account)
        assert (await ada.run(REVOKE, id=agent.user_id))["x"]["__typename"] == "Done"
        assert await code_of(agent, "{ clock { now } x: feedCursor }") == "UNAUTHENTICATED"
        # The other process may have read the grant a moment ago; what it reads and pays is refused at once all the same.
        answer = await far.post("query ($id: ID!) { account(id: $id) { id } }", id=account)
        assert answer.get("data") in (None, {"account": None})
        given = {"fromAccountId": account, "to": {"accountId": other}, "amount": money("1"), "idempotencyKey": "b"}
        late = await far.post("mutation ($i: TransferInput!) { x: transfer(input: $i) { __typename } }", i=given)
        assert "errors" in late or late["data"]["x"]["__typename"] == "NotFoundRejection"
    assert await raw.fetchval("SELECT count(*) FROM grant_tokens") == 0
    assert (await ada.run(ME))["me"]["accessGrants"] == []
    assert (await ada.run(REVOKE, id=agent.user_id))["x"]["__typename"] == "NotFoundRejection"


async def test_a_program_that_is_revoked_among_its_payments_makes_none_afterwards(ada: Client, account: str, other: str) -> None:
    agent = await program(ada, account, dailyLimit=money("90"))

    async def send(name: str) -> bool:
        given = {"fromAccountId": account, "to": {"accountId": other}, "amount": money("1"), "idempotencyKey": name}
        answer = await agent.post(TRANSFER, i=given)
        return answer.get("data") is not None and answer["data"]["x"]["__typename"] == "MoneyMoved"

    first = asyncio.gather(*(send(f"a{number}") for number in range(30)))
    revoked = asyncio.create_task(ada.run(REVOKE, id=agent.user_id))
    paid = sum(await first)
    await revoked
    before = await ada.booked(account)
    assert before == f"{100 - paid}.00"
    assert not any(await asyncio.gather(*(send(f"b{number}") for number in range(10))))
    assert await ada.booked(account) == before


async def test_what_was_admitted_before_a_grant_ended_pays_nothing(
    app: Starlette, ada: Client, account: str, other: str, raw: asyncpg.Connection
) -> None:
    services = app.state.graphql._services
    agent = await program(ada, account)
    actor = await services.identity.sessions.authenticate(agent.token, Origin())
    await raw.execute("UPDATE access_grants SET revoked_at = now()")  # as a password that is reset in another process does
    source, target = (uuid_of(each, "Account") for each in (account, other))
    assert source is not None
    amount = Money(100, "EUR")
    payment = Transfer(actor=actor, key="a", from_account_id=source, to=Destination(account_id=target), amount=amount)
    [outcome] = await services.execute(Group((payment,)))
    assert isinstance(outcome, NotFound)
    assert await ada.booked(account) == "100.00"


async def test_a_token_is_rotated_with_overlap(app: Starlette, ada: Client, account: str, raw: asyncpg.Connection) -> None:
    agent = await program(ada, account, scopes=READ)
    rotated = (await ada.run(ROTATE, id=agent.user_id, overlap=5))["x"]
    newer = Client(ada.http, rotated["token"])
    for client in (agent, newer):
        assert (await client.account(account))["id"] == account
    await raw.execute("UPDATE grant_tokens SET expires_at = now() WHERE expires_at IS NOT NULL")
    app.state.graphql._services.identity.sessions.grants.forget()
    assert await code_of(agent, "{ x: feedCursor }") == "UNAUTHENTICATED"
    assert (await newer.account(account))["id"] == account
    assert (await ada.run(ROTATE, id=agent.user_id, overlap=-1))["x"]["fields"][0]["code"] == "INVALID"


async def test_a_rotation_without_overlap_ends_all_older_tokens(ada: Client, account: str) -> None:
    first = await program(ada, account, scopes=READ)
    second = Client(ada.http, (await ada.run(ROTATE, id=first.user_id, overlap=60))["x"]["token"])
    third = Client(ada.http, (await ada.run(ROTATE, id=first.user_id, overlap=0))["x"]["token"])
    for client in (first, second):
        assert await code_of(client, "{ x: feedCursor }") == "UNAUTHENTICATED"
    assert (await third.account(account))["id"] == account


async def test_a_program_sees_no_other_grant(ada: Client, account: str) -> None:
    agent, another = await program(ada, account), await program(ada, account)
    node = "query ($id: ID!) { node(id: $id) { id } }"
    assert (await agent.run(node, id=another.user_id))["node"] is None
    assert (await agent.run(node, id=agent.user_id))["node"] == {"id": agent.user_id}
    assert (await agent.account(account, "owner { email fullName }"))["owner"] == {"email": "", "fullName": "Ada Lovelace"}


async def test_nothing_of_a_token_is_stored(ada: Client, account: str, raw: asyncpg.Connection) -> None:
    agent = await program(ada, account)
    assert agent.token is not None
    assert agent.token.startswith("bank_")
    for table in ("access_grants", "grant_tokens", "audit_events"):
        assert not await raw.fetchval(f"SELECT count(*) FROM {table} t WHERE t::text LIKE '%' || $1 || '%'", agent.token[5:])


async def test_an_expired_or_suspended_program_is_refused(
    app: Starlette, ada: Client, account: str, raw: asyncpg.Connection
) -> None:
    agent = await program(ada, account)
    await raw.execute("UPDATE users SET status = 'SUSPENDED' WHERE email_key = 'ada@bank.test'")
    app.state.graphql._services.identity.sessions.grants.forget()
    assert await code_of(agent, "{ x: feedCursor }") == "UNAUTHENTICATED"
    await raw.execute("UPDATE users SET status = 'ACTIVE'")
    app.state.graphql._services.identity.sessions.grants.forget()
    assert (await agent.account(account))["id"] == account
    await raw.execute("UPDATE access_grants SET expires_at = now()")
    app.state.graphql._services.identity.sessions.grants.forget()
    assert await code_of(agent, "{ x: feedCursor }") == "UNAUTHENTICATED"


async def test_decisions_are_in_the_audit(ada: Client, account: str, other: str, raw: asyncpg.Connection) -> None:
    agent = await program(ada, account, approvalAbove=money("1"))
    ids = [(await pay(agent, account, {"accountId": other}, "2", key()))["approval"]["id"] for _ in range(2)]
    for approval, approve in zip(ids, (True, False), strict=True):
        await decide(ada, approval, approve=approve)
    found = await raw.fetch("SELECT subject_id, detail FROM audit_events WHERE action = 'decide' ORDER BY id")
    assert [tuple(row) for row in found] == [(uuid_of(ids[0], "Approval"), "APPROVED"), (uuid_of(ids[1], "Approval"), "REJECTED")]


async def test_what_members_and_programs_did_is_verified(
    bank: Bank, ada: Client, grace: Client, account: str, other: str, raw: asyncpg.Connection
) -> None:
    await join(raw, ada, account, grace, "grace@bank.test", role="OWNER")
    await grace.transfer(account, other, "1")
    await grace.issue(account)
    agent = await program(ada, account, approvalAbove=money("2"))
    await pay(agent, account, {"accountId": other}, "1", key())
    for approve in (True, False, None):
        waits = (await pay(agent, account, {"accountId": other}, "3", key()))["approval"]["id"]
        if approve is not None:
            await decide(ada, waits, approve=approve)
    await assert_verified(bank.db)
    for change in (
        "SET amount = 2 WHERE status = 'APPROVED'",
        "SET status = 'PENDING', decided_at = NULL WHERE status = 'REJECTED'",
    ):
        assert await found_wrong(raw, CHECKS, f"UPDATE payment_requests {change}") == {"payment requests"}


async def test_a_joint_owners_program_ends_with_the_membership(
    ada: Client, grace: Client, account: str, raw: asyncpg.Connection
) -> None:
    membership = await join(raw, ada, account, grace, "grace@bank.test", role="OWNER")
    agent = await program(grace, account)
    assert (await agent.account(account))["id"] == account
    await end(ada, membership)
    assert await agent.account(account) is None


async def test_a_member_cannot_pass_on_what_was_lent(ada: Client, grace: Client, account: str, raw: asyncpg.Connection) -> None:
    await join(raw, ada, account, grace, "grace@bank.test", mayPay=True, dailyLimit=money("1"))
    assert (await create(grace, account))["__typename"] == "NotFoundRejection"


async def test_a_key_passes_on_what_the_role_has(ada: Client, staff: Any, account: str) -> None:
    assert (await create(ada, scopes=["CARDS_PROCESS"], document=CREATE_KEY))["__typename"] == "ForbiddenRejection"
    processor = await staff(UserRole.PROCESSOR)
    card = (await ada.issue(account))["id"]
    network = await program(processor, scopes=["CARDS_PROCESS"], document=CREATE_KEY)
    hold = (await network.authorize(card, "5"))["transaction"]["id"]
    assert (await network.capture_hold(hold))["__typename"] == "MoneyMoved"
    assert (await network.card(card)) is None
    sent = (await ada.send(account, "5"))["transaction"]["id"]
    assert (
        await code_of(
            network, 'mutation ($id: ID!) { settleTransfer(transactionId: $id, idempotencyKey: "s") { __typename } }', id=sent
        )
        == "FORBIDDEN"
    )
    clearing = await program(processor, scopes=["CLEARING_PROCESS"], document=CREATE_KEY)
    assert (await clearing.settle(sent))["__typename"] == "MoneyMoved"


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"scopes": []}, ("scopes", "REQUIRED")),
        ({"scopes": ["TRANSACTIONS_READ"], "dailyLimit": None}, ("scopes", "INVALID")),
        ({"accountIds": []}, ("accountIds", "INVALID")),
        ({"dailyLimit": None}, ("dailyLimit", "REQUIRED")),
        ({"scopes": ["ACCOUNTS_READ"], "dailyLimit": money("1")}, ("dailyLimit", "INVALID")),
        ({"scopes": ["ACCOUNTS_READ"], "payees": []}, ("payees", "INVALID")),
        ({"payees": ["nonsense"]}, ("payees", "INVALID")),
        ({"dailyLimit": money("-1")}, ("amount", "NEGATIVE")),
        ({"expiresAt": "2020-01-01T00:00:00Z"}, ("expiresAt", "INVALID")),
        ({"expiresAt": "2999-01-01T00:00:00Z"}, ("expiresAt", "INVALID")),
        ({"name": ""}, ("name", "REQUIRED")),
    ],
)
async def test_terms_are_checked(ada: Client, account: str, given: dict[str, Any], problem: tuple[str, str]) -> None:
    answer = await create(ada, account, **given)
    [field] = answer["fields"]
    assert (field["path"][-1], field["code"]) == problem


async def test_limits_fit_the_accounts(ada: Client, account: str) -> None:
    assert await create(ada, account, dailyLimit=money("1", "USD")) == {
        "__typename": "CurrencyMismatchRejection", "message": "The account is in EUR, not in USD.", "expected": "EUR", "given": "USD",
    }  # fmt: skip
