"""Refusals about cards."""

from dataclasses import dataclass
from typing import ClassVar

from bank_graphql.cards.enums import LimitWindow
from bank_graphql.kit.errors import Refusal
from bank_graphql.kit.money import Money


@dataclass(eq=False)
class LimitExceeded(Refusal):
    """The amount exceeds a spending limit of the card.

    Attributes:
        time_window: the window of the limit.
        amount: the limit.
        spent: what counts toward it already; for a TRANSACTION, what was authorised for the same one before.
    """

    code: ClassVar[str] = "LimitExceeded"
    time_window: LimitWindow
    amount: Money
    spent: Money

    def __str__(self) -> str:
        if self.time_window == LimitWindow.TRANSACTION:
            return f"The card allows {self.amount} in one transaction."
        return f"The card allows {self.amount} a {self.time_window.lower()}, and {self.spent} are spent."
