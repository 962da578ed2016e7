"""The words of this room. Plain enums: the rules and the API use them."""

from enum import StrEnum


class DayCount(StrEnum):
    """How days are counted for interest, per ISDA 2006, section 4.16."""

    ACT_365F = "ACT_365F"
    ACT_360 = "ACT_360"
    THIRTY_E_360 = "THIRTY_E_360"


class InterestSide(StrEnum):
    """Who pays interest: the bank on what an account has (CREDIT), or the customer on what it owes (DEBIT)."""

    CREDIT = "CREDIT"
    DEBIT = "DEBIT"
