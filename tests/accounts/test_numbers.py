"""Account numbers: valid in every country that the library knows, by the rules of a second library."""

import json
import warnings
from collections.abc import Iterator
from itertools import count, islice
from pathlib import Path
from random import Random

import pytest
import schwifty
import stdnum.iban
from schwifty import registry
from schwifty.bban import BBAN
from schwifty.domain import Component
from schwifty.exceptions import NationalChecksumNotVerified
from stdnum.exceptions import InvalidComponent
from stdnum.iso7064 import mod_97_10

from bank_graphql.accounts.rules import Numbering
from bank_graphql.kit.errors import ConfigurationError

_FILES = (Path(schwifty.__file__).parent / "iban_registry").glob("*.json")
COUNTRIES = sorted({country for file in _FILES for country in json.loads(file.read_text(encoding="utf-8"))})
WITH_NUMBERS = [country for country in COUNTRIES if registry.get_iban_spec(country).has_positions]


def bank_codes(country: str) -> list[str]:
    """Return real bank codes of a country, if the library has any; otherwise one that the library generates."""
    codes = sorted({bank.bank_code for bank in registry.get_banks_by_country(country) if bank.bank_code})
    if not codes:
        field = registry.get_iban_spec(country).positions[Component.BANK_CODE]
        made = BBAN.random(country, Random(1), use_registry=False).bank_code
        return ["1" * field.length if country == "BR" else made]
    return codes[:: max(1, len(codes) // 3)][:4]


def numbers(numbering: Numbering) -> Iterator[str]:
    """Yield account numbers, those of the first serials first."""
    return (number for serial in count(1) if (number := numbering.number(serial)) is not None)


def check(number: str, country: str) -> None:
    """Check a number with both libraries, national checks included; of countries that the second does not know, the check digits."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NationalChecksumNotVerified)
        schwifty.IBAN(number, validate_bban=True)
    try:
        stdnum.iban.validate(number)
    except InvalidComponent:
        assert number.startswith(country)
        mod_97_10.validate(number[4:] + number[:4])


@pytest.mark.parametrize("how_many", [30, pytest.param(1000, marks=pytest.mark.deep)])
@pytest.mark.parametrize("country", WITH_NUMBERS)
def test_accounts_have_different_valid_numbers(country: str, how_many: int) -> None:
    for place, code in enumerate(bank_codes(country)):
        numbering = Numbering(country, code)
        made = list(islice(numbers(numbering), min(how_many, 50) if place else how_many))
        assert len(set(made)) == len(made)
        assert all(code in number for number in made)
        for number in made:
            check(number, country)


@pytest.mark.parametrize(
    ("country", "code", "example"),
    # Examples of the registry (ISO 13616), and a bank's code with its branch's.
    [("NL", "ABNA", "NL91ABNA0417164300"), ("NO", "8601", "NO9386011117947"), ("DE", "37040044", "DE89370400440532013000")],
)
def test_numbers_have_the_form_of_the_registrys_examples(country: str, code: str, example: str) -> None:
    made = next(numbers(Numbering(country, code)))
    assert len(made) == len(example)
    assert made[:2] + made[4 : 4 + len(code)] == example[:2] + example[4 : 4 + len(code)]


@pytest.mark.parametrize(
    ("country", "code"), [("GB", "NWBK601613"), ("IT", "0542811101"), ("FR", "2004101005"), ("ES", "21000418")]
)
def test_a_bank_code_may_include_the_branch(country: str, code: str) -> None:
    made = next(numbers(Numbering(country, code)))
    assert code in made
    check(made, country)


@pytest.mark.parametrize(
    ("country", "code"),
    [
        ("DE", "12"),
        ("DE", "123456789"),
        ("DE", "ABCDEFGH"),
        ("XX", "1"),
        ("US", "1"),
        ("GB", "NWBK6"),
        ("DE", ""),
        ("AO", "0001"),
    ],
)
def test_a_bank_code_that_does_not_fit_its_country_is_refused(country: str, code: str) -> None:
    with pytest.raises(ConfigurationError, match="BANK_IBAN_BANK_CODE"):
        Numbering(country, code)


def test_a_serial_has_the_same_number_in_every_version() -> None:
    numbering = Numbering("DE", "99999999")
    assert numbering.serials_per_number == 1
    assert [numbering.number(serial) for serial in (1, 2)] == ["DE92999999998898621715", "DE29999999995078961602"]
