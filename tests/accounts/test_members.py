"""People who use an account beside its owner: what they are invited to, what they may do, and that it ends."""

import asyncio
from datetime import timedelta
from typing import Any

import asyncpg
import pytest
from starlette.applications import Starlette

from bank_graphql.app import create_app
from bank_graphql.kit.ids import uuid_of
from bank_graphql.settings import Settings
from tests.accounts.members import ACCEPT, CHANGE, INVITE, MINE, accept, end, invite, join
from tests.client import Client, key, money, transfer_of
from tests.schedules.orders import order
from tests.serving import serving

GRACE = "grace@bank.test"
SHARED = "holderNames owner { fullName email phoneNumber } viewerMembership { role mayPay } memberships { memberName }"


@pytest.fixture
async def shared(ada: Client) -> str:
    """An account of Ada's, with money."""
    account_id: str = (await ada.open(deposit="100"))["id"]
    return account_id


@pytest.fixture
async def own(grace: Client) -> str:
    """An account of Grace's."""
    account_id: str = (await grace.open())["id"]
    return account_id


async def test_an_invitation_is_accepted_by_whoever_reads_the_address(
    ada: Client, grace: Client, visitor: Client, shared: str, raw: asyncpg.Connection
) -> None:
    invited = await invite(ada, shared, " Grace@bank.test ", mayPay=True, dailyLimit=money("30"))
    assert invited["status"] == "INVITED"
    assert invited["dailyLimit"] == {"amount": "30.00", "currency": "EUR"}
    assert (await grace.run(MINE))["me"]["memberships"] == []  # nobody knows whether it is her address
    assert (await accept(grace, invited["id"]))["__typename"] == "ForbiddenRejection"
    await raw.execute("UPDATE users SET email_verified_at = now()")
    [seen] = (await grace.run(MINE))["me"]["memberships"]
    assert (seen["inviterName"], seen["account"]) == ("Ada Lovelace", None)
    assert await grace.account(shared) is None
    stranger = await visitor.sign_up("mallory@bank.test", "Mallory")
    await raw.execute("UPDATE users SET email_verified_at = now()")
    assert (await accept(stranger, invited["id"]))["__typename"] == "NotFoundRejection"
    assert (await end(stranger, invited["id"]))["__typename"] == "NotFoundRejection"
    accepted = await accept(grace, invited["id"])
    assert (accepted["status"], accepted["memberName"], accepted["account"]) == ("ACTIVE", "Grace Hopper", {"id": shared})
    again = await accept(grace, invited["id"])
    assert (again["__typename"], again["conflict"]) == ("StateConflictRejection", "WRONG_STATUS")
    assert await grace.account(shared, SHARED) == {
        "holderNames": ["Ada Lovelace"],
        "owner": {"fullName": "Ada Lovelace", "email": "ada@bank.test", "phoneNumber": None},
        "viewerMembership": {"role": "MEMBER", "mayPay": True},
        "memberships": [{"memberName": "Grace Hopper"}],
    }
    assert (await ada.account(shared, SHARED))["viewerMembership"] is None


async def test_a_member_sees_neither_the_owners_profile_nor_the_other_members(
    ada: Client, grace: Client, visitor: Client, shared: str, raw: asyncpg.Connection
) -> None:
    await ada.run('mutation { updateProfile(phoneNumber: "+49 30 901820") { __typename } }')
    eve = await visitor.sign_up("eve@bank.test", "Eve")
    await join(raw, ada, shared, grace, GRACE)
    membership = await join(raw, ada, shared, eve, "eve@bank.test")
    seen = await grace.account(shared, SHARED)
    assert seen["owner"]["phoneNumber"] is None
    assert seen["memberships"] == [{"memberName": "Grace Hopper"}]
    assert (await grace.run("query ($id: ID!) { node(id: $id) { id } }", id=membership))["node"] is None
    assert (await grace.run("query ($id: ID!) { node(id: $id) { id } }", id=ada.user_id))["node"] is None
    assert [each["memberName"] for each in (await ada.account(shared, SHARED))["memberships"]] == ["Grace Hopper", "Eve"]
    accounts = "query { me { accounts { nodes { id } } cards { nodes { id } } } }"
    assert (await grace.run(accounts))["me"] == {"accounts": {"nodes": []}, "cards": {"nodes": []}}


async def test_whoever_may_only_see_pays_nothing(
    ada: Client, grace: Client, shared: str, own: str, raw: asyncpg.Connection
) -> None:
    await join(raw, ada, shared, grace, GRACE)
    assert (await grace.account(shared))["balance"]["booked"]["amount"] == "100.00"
    entries = "entries { nodes { amount { amount } transaction { id kind } } } statements { nodes { id } } cards { nodes { id } }"
    assert len((await grace.account(shared, entries))["entries"]["nodes"]) == 1
    for answer in (
        await grace.transfer(shared, own, "1"),
        await grace.place_hold(shared, own, "1"),
        await grace.deposit(shared, "1"),
        await grace.withdraw(shared, "1"),
    ):
        assert answer["__typename"] == "ForbiddenRejection"
    [outcome] = (await grace.batch(transfer_of(shared, own, "1")))["results"]
    assert outcome["__typename"] == "ForbiddenRejection"
    assert await ada.booked(shared) == "100.00"


async def test_a_limit_a_day_holds_for_transfers_holds_and_batches(
    ada: Client, grace: Client, shared: str, own: str, raw: asyncpg.Connection
) -> None:
    membership = await join(raw, ada, shared, grace, GRACE, mayPay=True, dailyLimit=money("30"))
    assert (await grace.transfer(shared, own, "10"))["__typename"] == "MoneyMoved"
    assert (await grace.transfer(shared, own, "25", dryRun=True))["__typename"] == "LimitExceededRejection"
    assert (await grace.transfer(shared, own, "20", dryRun=True))["__typename"] == "MoneyPreview"
    assert (await grace.place_hold(shared, own, "15"))["__typename"] == "MoneyMoved"
    refused_key = key()
    refused = await grace.transfer(shared, own, "6", idempotencyKey=refused_key)
    assert refused["limit"] == {
        "window": "DAY",
        "amount": {"amount": "30.00", "currency": "EUR"},
        "spent": {"amount": "25.00"},
        "remaining": {"amount": "5.00"},
    }
    outcomes = (await grace.batch(transfer_of(shared, own, "3"), transfer_of(shared, own, "3"), atomic=True))["results"]
    assert [each["__typename"] for each in outcomes] == ["BatchAbortedRejection", "LimitExceededRejection"]
    assert (await grace.transfer(shared, own, "5"))["__typename"] == "MoneyMoved"
    assert (await ada.transfer(shared, own, "20"))["__typename"] == "MoneyMoved"  # it is no limit of the owner's
    changed = (await ada.run(CHANGE, i={"id": membership, "mayPay": True, "mayManageCards": False}))["x"]
    assert changed["dailyLimit"] is None
    assert (await grace.transfer(shared, own, "6"))["__typename"] == "MoneyMoved"
    assert (await grace.transfer(shared, own, "6", idempotencyKey=refused_key))["__typename"] == "LimitExceededRejection"


async def test_a_limit_begins_again_each_day(ada: Client, grace: Client, shared: str, own: str, raw: asyncpg.Connection) -> None:
    await join(raw, ada, shared, grace, GRACE, mayPay=True, dailyLimit=money("10"))
    assert (await grace.transfer(shared, own, "10"))["__typename"] == "MoneyMoved"
    assert (await grace.transfer(shared, own, "1"))["__typename"] == "LimitExceededRejection"
    await ada.advance(await ada.clock() + timedelta(days=1))
    assert (await grace.transfer(shared, own, "10"))["__typename"] == "MoneyMoved"


async def test_fifty_payments_at_once_never_exceed_the_limit(
    ada: Client, grace: Client, shared: str, own: str, raw: asyncpg.Connection
) -> None:
    await join(raw, ada, shared, grace, GRACE, mayPay=True, dailyLimit=money("10"))
    answers = await asyncio.gather(*(grace.transfer(shared, own, "1") for _ in range(50)))
    assert sorted(answer["__typename"] for answer in answers) == ["LimitExceededRejection"] * 40 + ["MoneyMoved"] * 10
    assert (await ada.booked(shared), await grace.booked(own)) == ("90.00", "10.00")


async def test_a_joint_owner_may_do_everything_but_close(
    ada: Client, grace: Client, visitor: Client, shared: str, own: str, raw: asyncpg.Connection
) -> None:
    await join(raw, ada, shared, grace, GRACE, role="OWNER")
    assert (await grace.account(shared, "holderNames"))["holderNames"] == ["Ada Lovelace", "Grace Hopper"]
    assert (await grace.transfer(shared, own, "100"))["__typename"] == "MoneyMoved"
    await grace.transfer(own, shared, "100")
    renamed = await grace.run('mutation ($id: ID!) { x: renameAccount(id: $id, name: "Ours") { __typename } }', id=shared)
    assert renamed["x"]["__typename"] == "Account"
    card = await grace.issue(shared)
    assert (await grace.reveal(card["id"]))["__typename"] == "CardSecrets"
    eve = await visitor.sign_up("eve@bank.test", "Eve")
    assert (await invite(grace, shared, "eve@bank.test"))["inviterName"] == "Grace Hopper"
    await grace.withdraw(shared, "100")
    closed = await grace.run("mutation ($id: ID!) { x: closeAccount(id: $id) { __typename } }", id=shared)
    assert closed["x"]["__typename"] == "ForbiddenRejection"
    verify = "mutation ($n: String!, $name: String!) { x: verifyPayee(accountNumber: $n, name: $name) { ... on PayeeVerification { match } } }"
    number = (await ada.account(shared))["number"]
    for name in ("Ada Lovelace", "Grace Hopper", "Grace Hopper and Ada Lovelace"):
        assert (await eve.run(verify, n=number, name=name))["x"] == {"match": "MATCH"}


async def test_a_member_manages_cards_only_if_allowed(ada: Client, grace: Client, shared: str, raw: asyncpg.Connection) -> None:
    membership = await join(raw, ada, shared, grace, GRACE)
    card = (await ada.issue(shared))["id"]
    assert (await grace.card(card))["id"] == card
    issue = "mutation ($id: ID!, $key: String!) { x: issueCard(input: {accountId: $id, idempotencyKey: $key}) { __typename } }"
    assert (await grace.run(issue, id=shared, key=key()))["x"]["__typename"] == "ForbiddenRejection"
    assert (await grace.change_card("freezeCard", card))["__typename"] == "ForbiddenRejection"
    assert (await grace.reveal(card))["__typename"] == "NotFoundRejection"
    await ada.run(CHANGE, i={"id": membership, "mayPay": False, "mayManageCards": True})
    assert (await grace.run(issue, id=shared, key=key()))["x"]["__typename"] == "Card"
    assert (await grace.change_card("freezeCard", card))["status"] == "FROZEN"
    assert (await grace.change_card("unfreezeCard", card))["status"] == "ACTIVE"
    assert (await grace.reveal(card))["__typename"] == "CardSecrets"
    assert (await grace.authorize(card, "1"))["__typename"] == "ForbiddenRejection"  # the owner plays the card network


async def test_an_ended_membership_ends_at_once_with_its_standing_orders(
    ada: Client, grace: Client, shared: str, own: str, raw: asyncpg.Connection
) -> None:
    membership = await join(raw, ada, shared, grace, GRACE, mayPay=True)
    schedule = await order(grace, shared, {"accountId": own}, startsOn="2999-01-01")
    assert (await end(ada, membership))["__typename"] == "Done"
    assert await grace.account(shared) is None
    assert (await grace.transfer(shared, own, "1"))["__typename"] == "NotFoundRejection"
    assert (await grace.run(MINE))["me"]["memberships"] == []
    status = await raw.fetchval(
        "SELECT status FROM scheduled_transfers WHERE id = $1", uuid_of(schedule["id"], "ScheduledTransfer")
    )
    assert status == "CANCELLED"
    assert (await end(ada, membership))["__typename"] == "NotFoundRejection"
    await join(raw, ada, shared, grace, GRACE)  # again
    [stored] = await raw.fetch("SELECT email, email_key FROM memberships WHERE status = 'ENDED'")
    assert tuple(stored) == (None, None)


async def test_members_leave_and_decline_and_owners_withdraw(
    ada: Client, grace: Client, teller: Client, shared: str, raw: asyncpg.Connection
) -> None:
    membership = await join(raw, ada, shared, grace, GRACE)
    assert (await end(grace, membership))["__typename"] == "Done"
    for client in (ada, grace, teller):
        invited = await invite(ada, shared, GRACE)
        assert (await end(client, invited["id"]))["__typename"] == "Done"
    assert await raw.fetchval("SELECT count(*) FROM memberships") == 1


async def test_staff_do_nothing_as_staff_with_an_account_that_they_share(
    ada: Client, teller: Client, own: str, shared: str, raw: asyncpg.Connection
) -> None:
    await join(raw, ada, shared, teller, "teller@bank.test")
    freeze = "mutation ($id: ID!) { x: freezeAccount(id: $id) { __typename } }"
    limit = 'mutation ($id: ID!) { x: setOverdraftLimit(id: $id, limit: {amount: "5", currency: EUR}) { __typename } }'
    for document in (freeze, limit):
        assert (await teller.run(document, id=shared))["x"]["__typename"] == "ForbiddenRejection"
        assert (await teller.run(document, id=own))["x"]["__typename"] == "Account"
    assert (await teller.deposit(shared, "1"))["__typename"] == "ForbiddenRejection"
    paid = (await ada.transfer(shared, own, "1"))["transaction"]["id"]
    assert (await teller.reverse(paid))["__typename"] == "ForbiddenRejection"
    hold = (await ada.place_hold(shared, own, "1"))["transaction"]["id"]
    assert (await teller.capture_hold(hold))["__typename"] == "ForbiddenRejection"


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"email": "nonsense"}, ("email", "INVALID")),
        ({"email": "ada@bank.test"}, ("email", "TAKEN")),
        ({"role": "OWNER", "dailyLimit": {"amount": "1", "currency": "EUR"}}, ("role", "INVALID")),
        ({"dailyLimit": {"amount": "1", "currency": "EUR"}}, ("dailyLimit", "INVALID")),
        ({"mayPay": True, "dailyLimit": {"amount": "-1", "currency": "EUR"}}, ("amount", "NEGATIVE")),
        ({"mayPay": True, "dailyLimit": {"amount": "x", "currency": "EUR"}}, ("amount", "INVALID")),
    ],
)
async def test_an_invitation_is_checked(ada: Client, shared: str, given: dict[str, Any], problem: tuple[str, str]) -> None:
    answer = await invite(ada, shared, **{"email": GRACE, **given})
    [field] = answer["fields"]
    assert (field["path"][-1], field["code"]) == problem


async def test_an_address_is_invited_once(ada: Client, grace: Client, shared: str, raw: asyncpg.Connection) -> None:
    invited = await invite(ada, shared, GRACE)
    assert (await invite(ada, shared, "GRACE@bank.test"))["fields"][0]["code"] == "TAKEN"
    await raw.execute("UPDATE memberships SET expires_at = now() - interval '1 s'")
    assert (await accept(grace, invited["id"]))["__typename"] == "NotFoundRejection"
    again = await invite(ada, shared, GRACE)
    await raw.execute("UPDATE users SET email_verified_at = now()")
    assert (await accept(grace, again["id"]))["status"] == "ACTIVE"
    assert (await invite(ada, shared, GRACE))["fields"][0]["code"] == "TAKEN"


async def test_an_invitation_is_for_one_mailbox(ada: Client, visitor: Client, shared: str, raw: asyncpg.Connection) -> None:
    invited = await invite(ada, shared, "strasse@bank.test")
    other = await visitor.sign_up("straße@bank.test", "Another Person")
    await raw.execute("UPDATE users SET email_verified_at = now()")
    assert (await other.run(MINE))["me"]["memberships"] == []
    assert (await accept(other, invited["id"]))["__typename"] == "NotFoundRejection"


async def test_invitations_end_with_the_owner_who_sent_them(
    ada: Client, grace: Client, visitor: Client, shared: str, raw: asyncpg.Connection
) -> None:
    membership = await join(raw, ada, shared, grace, GRACE, role="OWNER")
    invited = await invite(grace, shared, "eve@bank.test", role="OWNER")
    await end(ada, membership)
    eve = await visitor.sign_up("eve@bank.test", "Eve")
    await raw.execute("UPDATE users SET email_verified_at = now()")
    assert (await accept(eve, invited["id"]))["__typename"] == "NotFoundRejection"


async def test_an_order_from_an_account_that_is_shared_no_more_is_not_shown(
    ada: Client, grace: Client, shared: str, own: str, raw: asyncpg.Connection
) -> None:
    membership = await join(raw, ada, shared, grace, GRACE, mayPay=True)
    made = await order(grace, shared, {"accountId": own}, startsOn="2999-01-01")
    listed = "query ($id: ID!) { scheduledTransfers { nodes { id from { id } } } node(id: $id) { id } }"
    assert (await grace.run(listed, id=made["id"]))["scheduledTransfers"]["nodes"] == [{"id": made["id"], "from": {"id": shared}}]
    await end(ada, membership)
    assert await grace.run(listed, id=made["id"]) == {"scheduledTransfers": {"nodes": []}, "node": None}


async def test_nobody_has_mails_sent_to_others_all_the_time(settings: Settings) -> None:
    async with serving(create_app(settings.model_copy(update={"log_in_rate_limit": 60}))) as http:
        ada = await Client(http).sign_up("ada@bank.test", "Ada Lovelace")
        account, codes = (await ada.open())["id"], []
        for _ in range(5):
            answer = await ada.post(INVITE, i={"accountId": account, "email": "eve@bank.test"})
            codes += [error["extensions"]["code"] for error in answer.get("errors", [])]
    assert codes[-1] == "RATE_LIMITED"


async def test_who_invites_has_proved_who_they_are(app: Starlette, ada: Client, shared: str, raw: asyncpg.Connection) -> None:
    await raw.execute("UPDATE sessions SET created_at = now() - interval '1 h', verified_at = NULL")
    app.state.graphql._services.identity.sessions.cache.forget()
    assert (await invite(ada, shared, GRACE))["__typename"] == "StepUpRequiredRejection"


async def test_racing_acceptances_make_one_member(ada: Client, grace: Client, shared: str, raw: asyncpg.Connection) -> None:
    await raw.execute("UPDATE users SET email_verified_at = now()")
    invited = await invite(ada, shared, GRACE)
    answers = await asyncio.gather(*(grace.run(ACCEPT, id=invited["id"]) for _ in range(20)))
    assert sorted(each["x"]["__typename"] for each in answers) == ["Membership", *["StateConflictRejection"] * 19]
    assert await raw.fetchval("SELECT count(*) FROM memberships WHERE status = 'ACTIVE'") == 1


async def test_a_member_cannot_give_more_than_the_owners_allow(
    ada: Client, grace: Client, shared: str, raw: asyncpg.Connection
) -> None:
    membership = await join(raw, ada, shared, grace, GRACE, mayPay=True, dailyLimit=money("1"), mayManageCards=True)
    change = {"id": membership, "mayPay": True, "mayManageCards": True}
    assert (await grace.run(CHANGE, i=change))["x"]["__typename"] == "ForbiddenRejection"
    assert (await grace.run(INVITE, i={"accountId": shared, "email": "eve@bank.test"}))["x"]["__typename"] == "ForbiddenRejection"


async def test_closing_users_and_accounts_ends_memberships(
    ada: Client, grace: Client, shared: str, raw: asyncpg.Connection
) -> None:
    await join(raw, ada, shared, grace, GRACE)
    close = 'mutation { x: closeUser(password: "a fine long passphrase") { __typename } }'
    assert (await grace.run(close))["x"]["__typename"] == "User"
    assert await raw.fetchval("SELECT status FROM memberships") == "ENDED"
    await invite(ada, shared, "eve@bank.test")
    await ada.withdraw(shared, "100")
    await ada.run("mutation ($id: ID!) { x: closeAccount(id: $id) { __typename } }", id=shared)
    assert await raw.fetchval("SELECT count(*) FROM memberships") == 1
