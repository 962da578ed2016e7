"""The audit as auditors read it."""

from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import pytest

from bank_graphql.accounts.enums import MemberAction
from bank_graphql.identity.enums import GrantAction, IdentityAction, UserRole
from bank_graphql.payments.commands import COMMANDS
from tests.client import Client

EVENTS = """query ($filter: AuditFilter, $first: Int, $after: String) { auditEvents(filter: $filter, first: $first, after: $after) {
    nodes { id at actor { id email } action subject outcome ipAddress requestId detail } pageInfo { hasNextPage endCursor } } }"""
Staff = Callable[[UserRole], Awaitable[Client]]


@pytest.fixture
async def auditor(staff: Staff) -> Client:
    return await staff(UserRole.AUDITOR)


async def events(client: Client, first: int = 100, after: str | None = None, **filters: Any) -> list[dict[str, Any]]:
    found = await client.run(EVENTS, filter=filters or None, first=first, after=after)
    nodes: list[dict[str, Any]] = found["auditEvents"]["nodes"]
    return nodes


async def test_what_is_done_is_listed_newest_first(auditor: Client, ada: Client, grace: Client) -> None:
    account, other = await ada.open(deposit="10"), await grace.open()
    moved = (await ada.transfer(account["id"], other["id"], "1"))["transaction"]
    refused = await ada.transfer(account["id"], other["id"], "100")
    assert refused["__typename"] == "InsufficientFundsRejection"
    card = await ada.issue(account["id"])
    await ada.card_mutation("freezeCard(id: $card)", "$card: ID!", card=card["id"])
    found = await events(auditor, actor=ada.user_id)
    assert [(each["action"], each["outcome"], each["subject"]) for each in found] == [
        ("freezeCard", "DONE", card["id"]),
        ("issueCard", "DONE", card["id"]),
        ("transfer", "InsufficientFunds", None),
        ("transfer", "DONE", moved["id"]),
        ("openAccount", "DONE", account["id"]),
        ("signUp", "DONE", ada.user_id),
    ]
    assert {each["actor"]["email"] for each in found} == {"ada@bank.test"}
    assert all(each["ipAddress"] == "127.0.0.1" and each["requestId"] for each in found)


async def test_subjects_and_events_are_nodes(auditor: Client, ada: Client) -> None:
    account = await ada.open(deposit="10")
    await ada.issue(account["id"])
    await ada.run('mutation { addPayee(name: "Me", accountNumber: "DE02120300000000202051") { __typename } }')
    for event in await events(auditor, actor=ada.user_id):
        nodes = await auditor.run("query ($ids: [ID!]!) { nodes(ids: $ids) { id } }", ids=[event["id"], event["subject"]])
        assert nodes["nodes"] == [{"id": event["id"]}, {"id": event["subject"]}], event
        assert (await ada.run("query ($id: ID!) { node(id: $id) { id } }", id=event["id"]))["node"] is None


async def test_filters_restrict_together(auditor: Client, ada: Client, grace: Client) -> None:
    account = await ada.open(deposit="10")
    await ada.transfer(account["id"], account["id"], "1")
    await grace.transfer(account["id"], account["id"], "1")
    everything = await events(auditor)
    assert [each["action"] for each in await events(auditor, outcome="NotFound")] == ["transfer"]
    assert {each["actor"]["id"] for each in await events(auditor, action="signUp")} == {ada.user_id, grace.user_id}
    assert [each["action"] for each in await events(auditor, subject=account["id"])] == ["openAccount"]
    middle = everything[2]["at"]
    since, until = await events(auditor, **{"from": middle}), await events(auditor, to=middle)
    assert [each["id"] for each in [*since, *until]] == [each["id"] for each in everything]
    assert await events(auditor, action="signUp", outcome="Forbidden") == []
    paged = await events(auditor, first=1, actor=ada.user_id)
    page = await auditor.run(EVENTS, filter={"actor": ada.user_id}, first=1)
    after = page["auditEvents"]["pageInfo"]["endCursor"]
    assert [*paged, *await events(auditor, after=after, actor=ada.user_id)] == await events(auditor, actor=ada.user_id)
    for wrong in ({"actor": "nonsense"}, {"subject": ""}):
        assert (await auditor.error(EVENTS, filter=wrong))["extensions"]["code"] == "BAD_REQUEST"


@pytest.mark.parametrize(
    "query",
    [
        "users { nodes { id } }",
        "auditEvents { nodes { id } }",
        "ledgerVerification { ok }",
        "trialBalance { at }",
        "suspense(currency: EUR) { nodes { id } }",
    ],
)
async def test_refused_queries_are_recorded(auditor: Client, ada: Client, query: str) -> None:
    assert (await ada.error(f"{{ {query} }}"))["extensions"]["code"] == "FORBIDDEN"
    [event] = await events(auditor, outcome="Forbidden")
    assert (event["action"], event["actor"]["id"], event["subject"]) == (
        query.split(" ", maxsplit=1)[0].split("(", maxsplit=1)[0],
        ada.user_id,
        None,
    )


async def test_signing_in_is_recorded_with_its_failures(auditor: Client, ada: Client, visitor: Client) -> None:
    wrong = 'mutation { logIn(input: {email: "%s", password: "wrong"}) { __typename } }'
    await visitor.run(wrong % "ada@bank.test")
    await visitor.run(wrong % "nobody@bank.test")
    await visitor.log_in("ada@bank.test")
    await ada.run("mutation { logOut { __typename } }")
    found = [(each["action"], each["outcome"], each["actor"] and each["actor"]["id"]) for each in await events(auditor)][:4]
    assert found == [
        ("logOut", "DONE", ada.user_id), ("logIn", "DONE", ada.user_id),
        ("logIn", "CredentialsRefused", None), ("logIn", "CredentialsRefused", None),
    ]  # fmt: skip
    assert (await events(auditor, action="logIn", outcome="CredentialsRefused", subject=ada.user_id))[0]["actor"] is None


async def test_what_staff_do_with_users_is_recorded(staff: Staff, ada: Client, raw: asyncpg.Connection) -> None:
    admin = await staff(UserRole.ADMIN)
    for mutation in (
        'suspendUser(userId: $id, reason: "Lost phone")',
        "reinstateUser(userId: $id)",
        "setUserRole(userId: $id, role: TELLER)",
    ):
        await admin.run(f"mutation ($id: ID!) {{ {mutation} {{ __typename }} }}", id=ada.user_id)
    found = await events(admin, actor=admin.user_id, subject=ada.user_id)
    assert [(each["action"], each["detail"]) for each in found] == [
        ("setUserRole", "TELLER"),
        ("reinstateUser", None),
        ("suspendUser", None),
    ]
    written = await raw.fetchval("SELECT string_agg(to_jsonb(e)::text, '') FROM audit_events e")
    assert "Lost phone" not in written


async def test_the_audit_names_actions_as_the_api_does(auditor: Client) -> None:
    schema = await auditor.run("{ __schema { mutationType { fields { name } } } }")
    mutations = {field["name"] for field in schema["__schema"]["mutationType"]["fields"]}
    by_the_bank = {"createUser", "expireHold", "clearTransfer", "reserveReversal", "releaseReservation", "expireApproval"}
    by_the_bank |= {"runScheduledTransfer", "postDue", "consent", "endConsent"}
    actions = {*IdentityAction, *MemberAction, *GrantAction, *(command.action for command in COMMANDS)}
    assert actions - by_the_bank <= mutations
