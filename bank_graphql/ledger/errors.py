"""Refusals about money."""

from dataclasses import dataclass
from typing import ClassVar

from bank_graphql.kit.errors import Refusal
from bank_graphql.kit.money import Money


@dataclass(eq=False)
class InsufficientFunds(Refusal):
    """The account's available balance does not cover the amount."""

    code: ClassVar[str] = "InsufficientFunds"
    available: Money
    required: Money

    def __str__(self) -> str:
        return f"Only {self.available} are available, and {self.required} are needed."


@dataclass(eq=False)
class CurrencyMismatch(Refusal):
    """The amount is in another currency than the account, or the two accounts differ."""

    code: ClassVar[str] = "CurrencyMismatch"
    expected: str
    given: str

    def __str__(self) -> str:
        return f"The account is in {self.expected}, not in {self.given}."
