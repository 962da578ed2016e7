"""Programs that act for users, for tests."""

from datetime import timedelta
from typing import Any

from bank_graphql.kit.clock import utc_now
from tests.client import INVALID, Client, money

GRANT = """id kind name scopes payees dailyLimit { amount currency } approvalAbove { amount } expiresAt lastUsedAt
    accounts { id }"""
_RESULT = f"""__typename ... on NewAccessGrant {{ token grant {{ {GRANT} }} }} {INVALID}
    ... on CurrencyMismatchRejection {{ expected given }}"""
CREATE = f"mutation ($i: CreateAccessGrantInput!) {{ x: createAccessGrant(input: $i) {{ {_RESULT} }} }}"
CREATE_KEY = f"mutation ($i: CreateApiKeyInput!) {{ x: createApiKey(input: $i) {{ {_RESULT} }} }}"
ROTATE = f"mutation ($id: ID!, $overlap: Int!) {{ x: rotateAccessGrant(id: $id, overlapMinutes: $overlap) {{ __typename ... on NewAccessGrant {{ token }} {INVALID} }} }}"
REVOKE = "mutation ($id: ID!) { x: revokeAccessGrant(id: $id) { __typename } }"
APPROVAL = "id kind status reason amount { amount } payeeName payeeNumber description account { id } transaction { id status } hold { id status amount { amount } }"
DECIDE = f"""mutation ($id: ID!, $approve: Boolean!) {{ x: decide(approvalId: $id, approve: $approve) {{
    __typename ... on Approval {{ {APPROVAL} }} ... on Rejection {{ message }} ... on StateConflictRejection {{ conflict state }} }} }}"""
TRANSFER = f"""mutation ($i: TransferInput!) {{ x: transfer(input: $i) {{
    __typename ... on MoneyMoved {{ replayed transaction {{ id status }} }} ... on MoneyPreview {{ amount {{ amount }} }}
    ... on ApprovalRequiredRejection {{ approval {{ {APPROVAL} }} }} ... on Rejection {{ message }} }} }}"""
READ = ("ACCOUNTS_READ", "TRANSACTIONS_READ")
PAY = (*READ, "PAYMENTS_WRITE")


async def create(owner: Client, *accounts: str, scopes: Any = PAY, document: str = CREATE, **more: Any) -> dict[str, Any]:
    """Let a program act, and return the answer."""
    given = {"name": "Agent", "scopes": list(scopes), "accountIds": list(accounts), **more}
    given.setdefault("expiresAt", (utc_now() + timedelta(days=30)).isoformat())
    if "PAYMENTS_WRITE" in scopes:
        given.setdefault("dailyLimit", money("50"))
    answer: dict[str, Any] = (await owner.run(document, i=given))["x"]
    return answer


async def program(owner: Client, *accounts: str, **more: Any) -> Client:
    """Return a client that is a program of the owner's; its `user_id` is the id of its grant."""
    made = await create(owner, *accounts, **more)
    assert made["__typename"] == "NewAccessGrant", made
    return Client(owner.http, made["token"], made["grant"]["id"])


async def pay(client: Client, source: str, to: dict[str, Any], amount: str, key: str, **more: Any) -> dict[str, Any]:
    """Transfer, and return the answer."""
    given = {"fromAccountId": source, "to": to, "amount": money(amount), "idempotencyKey": key, **more}
    answer: dict[str, Any] = (await client.run(TRANSFER, i=given))["x"]
    return answer


async def decide(client: Client, approval: str, *, approve: bool) -> dict[str, Any]:
    """Decide about a payment of a program, and return the answer."""
    answer: dict[str, Any] = (await client.run(DECIDE, id=approval, approve=approve))["x"]
    return answer
