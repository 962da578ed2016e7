"""Names and numbers of accounts. Pure: facts in, decision out."""

import math
import re
import warnings
from itertools import islice
from random import Random

from schwifty import IBAN
from schwifty.bban import BBAN
from schwifty.domain import Component, IBANSpec
from schwifty.exceptions import NationalChecksumNotVerified, SchwiftyException

from bank_graphql.kit import text as text_rules
from bank_graphql.kit.errors import ConfigurationError

NAME_MAX = 100
REASON_MAX = 500
_STRIDE = 6_180_339_887
_OFFSET = 2_718_281_828
_TRIED, _ENOUGH = 5000, 20
"""Serials that are tried at the start, until so many had numbers: that tells how many are skipped."""
_ACCOUNT_TYPES = {"BR": {"account_type": "C", "account_id": "1"}}
"""Parts of a number beside the account's own that are letters by the registry's rules, though the library takes digits."""
_DISPUTED = {"NO": "00"}
"""What an account's own number may not begin with: there, one check digit is right for some libraries and wrong for others."""


def check_name(text: str, field: str = "name") -> str:
    """Return a name of an account, or the name on a card, in its one form.

    Raises:
        ValidationFailed: `REQUIRED`, `TOO_LONG` or `INVALID`.
    """
    return text_rules.check_name(text, "A name", (field,), NAME_MAX)


class Numbering:
    """Makes account numbers: valid IBANs (ISO 13616) of the bank's country and bank code, national check digits included.

    Where the library (schwifty) knows no rule for a country's national check digits, they are zeros. Serial numbers are spread
    over the whole range by a permutation, so that one number does not tell the next. A serial whose number fails a national check
    is skipped: where the check digit is a part of the account's own number, that is ten of eleven.

    Args:
        country: two letters after ISO 3166.
        bank_code: the bank's code in that country, with its branch's code behind it where the country has such.

    Raises:
        ConfigurationError: no IBANs can be made for this country and bank code.
    """

    def __init__(self, country: str, bank_code: str) -> None:
        self._country = country
        try:
            spec = BBAN(country, "").spec
            self._digits = spec.positions[Component.ACCOUNT_CODE].length
            self._components = self._fixed_components(spec, bank_code)
            with_numbers = (serial for serial in range(1, _TRIED + 1) if self.number(serial) is not None)
            enough = list(islice(with_numbers, _ENOUGH))
        except (SchwiftyException, KeyError, TypeError, ValueError):
            enough = []
        if not enough:
            raise ConfigurationError(
                f"No IBANs can be made for country '{country}' and bank code '{bank_code}': "
                "set BANK_IBAN_COUNTRY and BANK_IBAN_BANK_CODE to a pair that fits."
            )
        self.serials_per_number = math.ceil(enough[-1] / len(enough))

    def number(self, serial: int) -> str | None:
        """Return the account number of a serial, compact, e.g. `DE59…`; None if the serial has none."""
        # The stride shares no factor with ten, so that no two serials below the space's size meet.
        code = str((serial * _STRIDE + _OFFSET) % 10**self._digits).zfill(self._digits)
        if code.startswith(_DISPUTED.get(self._country, "-")):
            return None
        try:
            bban = BBAN.from_components(self._country, **self._components, account_code=code)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", NationalChecksumNotVerified)
                bban.validate_national_checksum()
            return str(IBAN.from_bban(self._country, bban))
        except (SchwiftyException, ValueError):
            return None

    def _fixed_components(self, spec: IBANSpec, bank_code: str) -> dict[str, str]:
        """Return what all numbers have in common. What is not given is zero or, where that does not fit, the library's choice."""
        lengths = {component: spec.positions[component].length for component in (Component.BANK_CODE, Component.BRANCH_CODE)}
        bank, branch = bank_code[: lengths[Component.BANK_CODE]], bank_code[lengths[Component.BANK_CODE] :]
        if len(bank) != lengths[Component.BANK_CODE] or len(branch) not in {0, lengths[Component.BRANCH_CODE]}:
            raise ValueError("the code has another length")
        given = {"bank_code": bank, **({"branch_code": branch} if branch else {}), **_ACCOUNT_TYPES.get(self._country, {})}
        for components in (given, self._made_up(spec, given)):
            bban = BBAN.from_components(self._country, **components, account_code="1")
            if re.fullmatch(spec.regex, str(bban)):
                return components
        raise ValueError("nothing fits")

    def _made_up(self, spec: IBANSpec, given: dict[str, str]) -> dict[str, str]:
        """Return all components but the account's own, as the library would choose them."""
        made = BBAN.random(self._country, Random(0), use_registry=False, **given)  # noqa: S311 - the same at each start
        others = set(spec.positions) - {Component.ACCOUNT_CODE, Component.NATIONAL_CHECKSUM_DIGITS}
        return {**{component.value: getattr(made, component.value) for component in others}, **given}


def normalise_number(text: str) -> str:
    """An account number as people write it, as it is stored: no spaces, capitals."""
    return "".join(text.split()).upper()[:40]


def check_reason(text: str | None) -> str | None:
    """Return why an account is frozen, None if nobody says.

    Raises:
        ValidationFailed: `TOO_LONG` or `INVALID`.
    """
    return text_rules.check_line(text, "A reason", ("reason",), REASON_MAX)
