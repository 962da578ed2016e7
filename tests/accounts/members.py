"""People who use accounts of others, for tests."""

from typing import Any

import asyncpg

from tests.client import INVALID, Client

MEMBERSHIP = "id role mayPay mayManageCards status email memberName inviterName dailyLimit { amount currency } account { id }"
_RESULT = f"""__typename ... on Membership {{ {MEMBERSHIP} }} {INVALID} ... on StateConflictRejection {{ conflict }}
    ... on CurrencyMismatchRejection {{ expected given }}"""
INVITE = f"mutation ($i: InviteMemberInput!) {{ x: inviteMember(input: $i) {{ {_RESULT} }} }}"
ACCEPT = f"""mutation ($id: ID!) {{ x: acceptMembership(id: $id) {{
    __typename ... on Membership {{ {MEMBERSHIP} }} {INVALID} ... on StateConflictRejection {{ conflict }} }} }}"""
CHANGE = f"mutation ($i: ChangeMembershipInput!) {{ x: changeMembership(input: $i) {{ {_RESULT} }} }}"
END = "mutation ($id: ID!) { x: endMembership(id: $id) { __typename ... on Rejection { message } } }"
MINE = f"{{ me {{ memberships {{ {MEMBERSHIP} }} }} }}"


async def invite(owner: Client, account_id: str, email: str, **may: Any) -> dict[str, Any]:
    """Invite somebody, and return the answer."""
    answer: dict[str, Any] = (await owner.run(INVITE, i={"accountId": account_id, "email": email, **may}))["x"]
    return answer


async def accept(member: Client, membership_id: str) -> dict[str, Any]:
    """Accept an invitation, and return the answer."""
    answer: dict[str, Any] = (await member.run(ACCEPT, id=membership_id))["x"]
    return answer


async def end(client: Client, membership_id: str) -> dict[str, Any]:
    """End a membership, and return the answer."""
    answer: dict[str, Any] = (await client.run(END, id=membership_id))["x"]
    return answer


async def join(raw: asyncpg.Connection, owner: Client, account_id: str, member: Client, email: str, **may: Any) -> str:
    """Make somebody a member, and return the membership's id."""
    await raw.execute("UPDATE users SET email_verified_at = now() WHERE email = $1", email)
    invited = await invite(owner, account_id, email, **may)
    assert invited["__typename"] == "Membership", invited
    accepted = await accept(member, invited["id"])
    assert (accepted["__typename"], accepted["status"]) == ("Membership", "ACTIVE"), accepted
    membership_id: str = invited["id"]
    return membership_id
