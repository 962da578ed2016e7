"""Account numbers: IBANs of any country (ISO 13616)."""

from schwifty import IBAN
from schwifty.exceptions import SchwiftyException

from bank_graphql.kit.errors import ValidationFailed


def check_iban(text: str, *path: str) -> str:
    """Return an account number without spaces: an IBAN of any country, whose length and check digits are right.

    Args:
        text: the number, with or without spaces.
        path: where it is in the input.

    Raises:
        ValidationFailed: `INVALID`.
    """
    try:
        return str(IBAN("".join(text.split()).upper()))
    except (SchwiftyException, ValueError):
        message = "This is no IBAN: check its length and its digits."
        raise ValidationFailed.of(path, "INVALID", message) from None


def bank_of(number: str) -> str:
    """Return the bank that keeps an account: the country, and the bank's code in it, as the number has them."""
    given = IBAN(number, allow_invalid=True)
    return f"{given.country_code}{given.bank_code}"


def bic_of(number: str) -> str | None:
    """Return the BIC of the bank that keeps an account, as far as the library knows banks; None if it does not."""
    bic = IBAN(number, allow_invalid=True).bic
    return None if bic is None else str(bic)
