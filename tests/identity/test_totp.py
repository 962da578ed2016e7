"""One-time codes, by the vectors of RFC 6238 and by another implementation."""

import shutil
import subprocess
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

import pytest
from lxml import etree

from bank_graphql.identity import totp

SECRET = b"12345678901234567890"
VECTORS = [
    (59, "94287082"),
    (1111111109, "07081804"),
    (1111111111, "14050471"),
    (1234567890, "89005924"),
    (2000000000, "69279037"),
    (20000000000, "65353130"),
]
"""RFC 6238, appendix B, SHA-1. They have eight digits; a code of six has the last six of them."""


def at(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


@pytest.mark.parametrize(("seconds", "code"), VECTORS)
def test_the_vectors_of_the_rfc(seconds: int, code: str) -> None:
    step = seconds // 30
    assert totp.step_of(SECRET, code[2:], at(seconds), after_step=0) == step
    assert totp.step_of(SECRET, code[2:], at(seconds), after_step=step) is None


def test_a_code_is_good_for_one_step_before_and_after() -> None:
    assert [totp.step_of(SECRET, "287082", at(30 * step + 29), after_step=0) for step in (3, 2, 1, 0)] == [None, 1, 1, 1]
    assert totp.step_of(SECRET, "081804", at(1111111109 - 60), after_step=0) is None


@pytest.mark.parametrize("code", ["", "28708", "2870822", "abcdef", "-87082", "28708é", "٢٨٧٠٨٢", "2" * 10_000, "287082\0"])
def test_what_is_no_code_is_refused(code: str) -> None:
    assert totp.step_of(SECRET, code, at(59), after_step=0) is None


@pytest.mark.skipif(shutil.which("oathtool") is None, reason="oathtool is not installed")
def test_oathtool_makes_the_same_codes() -> None:
    for seconds in range(1_700_000_000, 1_700_000_000 + 300, 30):
        command = ["oathtool", "--totp", "--base32", f"--now=@{seconds}", totp.base32_of(SECRET)]
        code = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
        assert totp.step_of(SECRET, code, at(seconds), after_step=0) == seconds // 30


def test_the_url_names_bank_and_user() -> None:
    url = urlsplit(totp.url_of(SECRET, "Bank: of Ümit", "ada+x@bank.test"))
    assert (url.scheme, url.netloc, url.path) == ("otpauth", "totp", "/Bank%20of%20%C3%9Cmit:ada%2Bx@bank.test")
    assert parse_qs(url.query) == {"secret": [totp.base32_of(SECRET)], "issuer": ["Bank of Ümit"]}
    picture = etree.fromstring(totp.qr_svg_of(url.geturl()))
    assert picture.tag == "{http://www.w3.org/2000/svg}svg"
