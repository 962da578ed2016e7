"""Accounts for the tests of the API: their balances, and the mutations that change their status."""

from tests.client import Client

FREEZE = "mutation ($id: ID!) { freezeAccount(id: $id) { __typename } }"
UNFREEZE = "mutation ($id: ID!) { unfreezeAccount(id: $id) { __typename } }"
CLOSE = "mutation ($id: ID!) { closeAccount(id: $id) { __typename } }"


async def balances(client: Client, account_id: str) -> tuple[str, str, str]:
    """Return an account's booked, held and available amount."""
    balance = (await client.account(account_id))["balance"]
    return balance["booked"]["amount"], balance["held"]["amount"], balance["available"]["amount"]
