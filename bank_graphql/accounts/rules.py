"""Names and numbers of accounts. Pure."""

import math
import re
import warnings
from itertools import islice
from random import Random
from uuid import UUID

from schwifty import IBAN
from schwifty.bban import BBAN
from schwifty.domain import Component, IBANSpec
from schwifty.exceptions import NationalChecksumNotVerified, SchwiftyException

from bank_graphql.kit import text as text_rules
from bank_graphql.kit.errors import ConfigurationError
from bank_graphql.kit.ids import lock_key

NAME_MAX = 100
REASON_MAX = 500
_STRIDE = 6_180_339_887
_OFFSET = 2_718_281_828
_TRIED, _ENOUGH = 5000, 20
"""How many serials are tried at the start, at most, to find this many account numbers: the ratio is how many are skipped."""
_ACCOUNT_TYPES = {"BR": {"account_type": "C", "account_id": "1"}}
"""Parts of a BBAN that are letters by the registry's rules, although the library would fill in digits."""
_DISPUTED = {"NO": "00"}
"""Prefixes of account codes that are not used: for these, libraries disagree about the check digit."""


def check_name(text: str, field: str = "name") -> str:
    """Return the normalised name of an account, or the name on a card.

    Raises:
        ValidationFailed: `REQUIRED`, `TOO_LONG` or `INVALID`.
    """
    return text_rules.check_name(text, "A name", (field,), NAME_MAX)


class Numbering:
    """Makes account numbers: valid IBANs (ISO 13616) of the bank's country and bank code, with national check digits.

    Where the library (schwifty) has no rule for a country's national check digits, they are zeros. Serials are spread over the
    whole range of account codes by a permutation, so that the next number cannot be guessed from one. A serial whose number would
    fail a national check is skipped: where the account code includes the check digit, that is ten of eleven.

    Args:
        country: two letters per ISO 3166.
        bank_code: the bank's code in that country, followed by a branch code where the country has branch codes.

    Raises:
        ConfigurationError: no IBAN can be made for this country and bank code.
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
        """Return the account number of a serial without spaces, e.g. `DE59…`; None if the serial is skipped."""
        # The stride has no factor in common with ten, so that no two serials below 10**digits give the same code.
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

    def is_own(self, number: str) -> bool:
        """Return whether an IBAN is one of this bank's: of its country, with its bank code."""
        given = IBAN(number, allow_invalid=True)
        return given.country_code == self._country and given.bban.bank_code == self._components[Component.BANK_CODE.value]

    def _fixed_components(self, spec: IBANSpec, bank_code: str) -> dict[str, str]:
        """Return the components that all numbers share. One not given is zero or, if zero is invalid, the library's choice."""
        lengths = {component: spec.positions[component].length for component in (Component.BANK_CODE, Component.BRANCH_CODE)}
        bank, branch = bank_code[: lengths[Component.BANK_CODE]], bank_code[lengths[Component.BANK_CODE] :]
        if len(bank) != lengths[Component.BANK_CODE] or len(branch) not in {0, lengths[Component.BRANCH_CODE]}:
            raise ValueError("the code has another length")
        given = {"bank_code": bank, **({"branch_code": branch} if branch else {}), **_ACCOUNT_TYPES.get(self._country, {})}
        for components in (given, self._chosen_by_library(spec, given)):
            bban = BBAN.from_components(self._country, **components, account_code="1")
            if re.fullmatch(spec.regex, str(bban)):
                return components
        raise ValueError("nothing fits")

    def _chosen_by_library(self, spec: IBANSpec, given: dict[str, str]) -> dict[str, str]:
        """Return all components except the account code, as the library chooses them."""
        made = BBAN.random(self._country, Random(0), use_registry=False, **given)  # noqa: S311 - seeded: the same at each start
        others = set(spec.positions) - {Component.ACCOUNT_CODE, Component.NATIONAL_CHECKSUM_DIGITS}
        return {**{component.value: getattr(made, component.value) for component in others}, **given}


def normalise_number(text: str) -> str:
    """Return an account number in the form in which it is stored: capitals, no spaces."""
    return "".join(text.split()).upper()[:40]


def opening_lock(owner_id: UUID) -> int:
    """Return the key of the advisory lock that is held while an account is opened for a user, or while the user is closed."""
    return lock_key("opening", owner_id)


def grant_lock(grant_id: UUID) -> int:
    """Return the key of the advisory lock that is held while a program pays under an access grant, or while the grant ends."""
    return lock_key("grant", grant_id)


def check_reason(text: str | None) -> str | None:
    """Return the normalised reason for a freeze, or None if there is none.

    Raises:
        ValidationFailed: `TOO_LONG` or `INVALID`.
    """
    return text_rules.check_line(text, "A reason", ("reason",), REASON_MAX)
