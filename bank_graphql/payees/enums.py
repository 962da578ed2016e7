"""The values that a verification of a payee may have. Pure, so that rules may import them."""

from enum import StrEnum


class PayeeMatch(StrEnum):
    """How a payee's name compares with that of the account's holder, as in the EPC's scheme for the verification of payees."""

    MATCH = "MATCH"
    CLOSE_MATCH = "CLOSE_MATCH"
    NO_MATCH = "NO_MATCH"
    NOT_POSSIBLE = "NOT_POSSIBLE"
