"""Names and account numbers of payees. Pure."""

from dataclasses import dataclass

from bank_graphql.kit import text as text_rules
from bank_graphql.kit.iban import check_iban
from bank_graphql.payees.enums import PayeeMatch

NAME_MAX = 140
"""How long a payee's name may be: as long as ISO 20022 allows."""
MAX_PAYEES = 1000
"""How many payees a customer may have."""


@dataclass(frozen=True, slots=True)
class VerifiedPayee:
    """What a verification says.

    Attributes:
        number: the account number.
        name: the name that was given.
        match: how it compares with the holder's.
        is_expired: whether it can no longer be used for a new payment.
    """

    number: str
    name: str
    match: PayeeMatch
    is_expired: bool


def check_name(text: str) -> str:
    """Return the normalised name of a payee.

    Raises:
        ValidationFailed: `REQUIRED`, `TOO_LONG` or `INVALID`.
    """
    return text_rules.check_name(text, "A name", ("name",), NAME_MAX)


def check_number(text: str) -> str:
    """Return an account number without spaces: an IBAN of any country, whose length and check digits are right (ISO 13616).

    Raises:
        ValidationFailed: `INVALID`.
    """
    return check_iban(text, "accountNumber")
