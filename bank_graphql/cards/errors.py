"""Refusals about cards."""

from dataclasses import dataclass
from typing import ClassVar

from bank_graphql.kit.errors import Refusal
from bank_graphql.kit.money import Money


@dataclass(eq=False)
class LimitExceeded(Refusal):
    """A spending limit of the card does not leave that much.

    Attributes:
        time_window: which limit: TRANSACTION, DAY, WEEK or MONTH.
        amount: the limit.
        spent: what counts towards it already; of a TRANSACTION, what was authorised for the same one.
    """

    code: ClassVar[str] = "LimitExceeded"
    time_window: str
    amount: Money
    spent: Money

    def __str__(self) -> str:
        if self.time_window == "TRANSACTION":
            return f"The card allows {self.amount} in one transaction."
        return f"The card allows {self.amount} a {self.time_window.lower()}, and {self.spent} are spent."
