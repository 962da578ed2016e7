"""Names and numbers of accounts. Pure: facts in, decision out."""

from schwifty import IBAN
from schwifty.domain import Component
from schwifty.exceptions import SchwiftyException

from bank_graphql.kit import text as text_rules
from bank_graphql.kit.errors import ConfigurationError

NAME_MAX = 100
REASON_MAX = 500
_STRIDE = 6_180_339_887
_OFFSET = 2_718_281_828


def check_name(text: str, field: str = "name") -> str:
    """Return a name of an account, or the name on a card, in its one form.

    Raises:
        ValidationFailed: `REQUIRED`, `TOO_LONG` or `INVALID`.
    """
    return text_rules.check_name(text, "A name", (field,), NAME_MAX)


class Numbering:
    """Makes account numbers: valid IBANs (ISO 13616) of the bank's country and bank code.

    Serial numbers are spread over the whole range by a permutation, so that one number does not tell the next.

    Raises:
        ConfigurationError: no IBAN can be made for this country and bank code.
    """

    def __init__(self, country: str, bank_code: str) -> None:
        self._country, self._bank_code = country, bank_code
        try:
            made = IBAN.generate(country, bank_code=bank_code, account_code="1")
            if made.bank_code != bank_code:
                raise ValueError("the bank code is too short")  # noqa: TRY301 - told below, as the others
            field = made.spec.positions[Component.ACCOUNT_CODE]
            self._space = 10 ** (field.end - field.start)
            IBAN(self.number(1), validate_bban=True)
        except (SchwiftyException, KeyError, TypeError, ValueError) as error:
            raise ConfigurationError(
                f"No IBANs can be made for country '{country}' and bank code '{bank_code}': "
                "set BANK_IBAN_COUNTRY and BANK_IBAN_BANK_CODE to a pair that fits."
            ) from error

    def number(self, serial: int) -> str:
        """The account number of the `serial`-th account, compact, e.g. `DE59…`."""
        # The stride shares no factor with ten, so that no two serials below the space's size meet.
        code = (serial * _STRIDE + _OFFSET) % self._space
        return str(IBAN.generate(self._country, bank_code=self._bank_code, account_code=str(code)))


def normalise_number(text: str) -> str:
    """An account number as people write it, as it is stored: no spaces, capitals."""
    return "".join(text.split()).upper()[:40]


def check_reason(text: str | None) -> str | None:
    """Return why an account is frozen, None if nobody says.

    Raises:
        ValidationFailed: `TOO_LONG` or `INVALID`.
    """
    return text_rules.check_line(text, "A reason", ("reason",), REASON_MAX)
