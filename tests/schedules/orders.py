"""Standing orders, as tests make and read them."""

from datetime import UTC, datetime, timedelta
from typing import Any

from tests.client import REJECTIONS, Client, key, money

START = datetime(2030, 1, 15, 12, tzinfo=UTC)
"""A Tuesday. The bank's time zone is UTC in tests."""
ORDER = """
    id status toAccountNumber amount { amount currency } description recurrence startsOn nextRunOn nextRuns(first: 3) dayRule
    missedRuns from { id } payee { name }
"""
RUN = """
    plannedFor ranAt status attempts transaction { id amount { amount } description }
    rejection { __typename message ... on InsufficientFundsRejection { available { amount } required { amount } } }
"""
RESULT = f"__typename ... on ScheduledTransfer {{ {ORDER} }} ... on Rejection {{ message }} {REJECTIONS}"


def day(days: int, hour: int = 23) -> datetime:
    """A time so many days after the start."""
    return START.replace(hour=hour) + timedelta(days=days)


async def order(customer: Client, source: str, to: dict[str, Any], amount: str = "5", currency: str = "EUR", **more: Any) -> Any:
    """Make a standing order, daily from the next day on unless said otherwise."""
    given = {
        "fromAccountId": source, "to": to, "amount": money(amount, currency), "recurrence": "FREQ=DAILY",
        "startsOn": day(1).date().isoformat(), "idempotencyKey": key(), **more,
    }  # fmt: skip
    query = f"mutation ($input: ScheduleTransferInput!) {{ scheduleTransfer(input: $input) {{ {RESULT} }} }}"
    return (await customer.run(query, input=given))["scheduleTransfer"]


async def act(customer: Client, what: str, order_id: str, change: dict[str, Any] | None = None) -> Any:
    """Pause, resume, cancel or change a standing order."""
    name = f"{what}ScheduledTransfer"
    if change is None:
        query = f"mutation ($id: ID!) {{ {name}(id: $id) {{ {RESULT} }} }}"
        return (await customer.run(query, id=order_id))[name]
    query = f"mutation ($id: ID!, $input: ChangeScheduledTransferInput!) {{ {name}(id: $id, input: $input) {{ {RESULT} }} }}"
    return (await customer.run(query, id=order_id, input=change))[name]


async def read(customer: Client, order_id: str) -> Any:
    """A standing order, with what became of its dates, oldest first."""
    query = f"query ($id: ID!) {{ node(id: $id) {{ ... on ScheduledTransfer {{ {ORDER} runs(first: 100) {{ nodes {{ {RUN} }} }} }} }} }}"
    found = (await customer.run(query, id=order_id))["node"]
    if found:
        found["runs"] = found["runs"]["nodes"][::-1]
    return found


def statuses(found: Any) -> list[tuple[str, str]]:
    """The dates of a standing order, and what became of them."""
    return [(run["plannedFor"][8:], run["status"]) for run in found["runs"]]
