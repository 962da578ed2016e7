"""The inputs of mutations about standing orders."""

from datetime import date

import strawberry

from bank_graphql.api.inputs.common import KEY, MoneyInput, account_id, check_description, check_key
from bank_graphql.api.inputs.money import TransferDestination
from bank_graphql.api.types.enums import DayRule, MissedRuns, Sweep
from bank_graphql.kit.money import Money
from bank_graphql.schedules.rules import ONCE
from bank_graphql.schedules.service import Change, Order

_RULE = (
    "ONCE, or an RRULE of RFC 5545 with FREQ of DAILY, WEEKLY, MONTHLY or YEARLY, and INTERVAL, COUNT, UNTIL (a date), BYDAY, "
    "BYMONTHDAY, BYMONTH, BYSETPOS, WKST. A rule on the 29th, 30th or 31st runs on the last day of months that are shorter, "
    "where RFC 5545 would leave them out. Without COUNT and UNTIL it has no end."
)


@strawberry.input(description="A standing order.")
class ScheduleTransferInput:
    from_account_id: strawberry.ID = strawberry.field(description="The account that pays: one of the viewer's.")
    to: TransferDestination = strawberry.field(description="Where the money goes.")
    amount: MoneyInput = strawberry.field(description="The amount of each transfer, in the currency of the account or accounts.")
    description: str | None = strawberry.field(
        default=None, description="The text of each transfer, at most 500 characters; for a payment to another bank, 140."
    )
    recurrence: str = strawberry.field(default=ONCE, description=_RULE)
    starts_on: date = strawberry.field(description="The first day that can be a date, in the bank's time zone: today or later.")
    day_rule: DayRule = strawberry.field(
        default=DayRule.AS_IS, description="When the transfer of a date is made that is no business day."
    )
    missed_runs: MissedRuns = strawberry.field(
        default=MissedRuns.ALL, description="Which transfers are made of dates that passed while the bank was down."
    )
    sweep: Sweep | None = strawberry.field(
        default=None,
        description="For a sweep: its transfers move what is above the amount, which may be zero, or what is missing up to it.",
    )
    idempotency_key: str = strawberry.field(description=KEY)

    def order(self) -> Order:
        """Return the order. Raises ValidationFailed, NotFound."""
        return Order(
            from_account_id=account_id(self.from_account_id),
            to=self.to.resolved(),
            amount=self._amount(),
            description=check_description(self.description),
            recurrence=self.recurrence,
            starts_on=self.starts_on,
            day_rule=self.day_rule,
            missed_runs=self.missed_runs,
            key=check_key(self.idempotency_key),
            sweep=self.sweep,
        )

    def _amount(self) -> Money:
        amount = self.amount.any("amount")
        return amount if self.sweep == Sweep.ABOVE and amount.minor == 0 else self.amount.positive()


@strawberry.input(description="What is to be different from the next date on. What is not given stays as it is.")
class ChangeScheduledTransferInput:
    amount: MoneyInput | None = strawberry.field(default=None, description="The amount of each transfer.")
    description: str | None = strawberry.field(default=None, description="The text of each transfer. An empty one removes it.")
    recurrence: str | None = strawberry.field(default=None, description=_RULE)
    starts_on: date | None = strawberry.field(default=None, description="The first day that can be a date: today or later.")

    def change(self) -> Change:
        """Return the change. Raises ValidationFailed."""
        text = None if self.description is None else check_description(self.description) or ""
        return Change(
            amount=self.amount.positive() if self.amount else None,
            description=text,
            recurrence=self.recurrence,
            starts_on=self.starts_on,
        )
