"""Checks of profiles and passwords, and the table of permissions."""

import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from zxcvbn.matching import L33T_TABLE, enumerate_l33t_subs, relevant_l33t_subtable

from bank_graphql.identity.enums import UserRole
from bank_graphql.identity.permissions import PERMISSIONS
from bank_graphql.identity.rules import _estimable, check_email, check_full_name, check_password, check_phone_number
from bank_graphql.kit.errors import FieldProblem


@pytest.mark.parametrize("text", ["ada@example.com", "Ada.Lovelace+bank@Example.COM", "müller@bücher.example.org"])
def test_valid_addresses_are_accepted(text: str) -> None:
    assert isinstance(check_email(text, allow_test_domains=False), str)


@pytest.mark.parametrize(
    "text", ["", "ada", "ada@", "@bank", "a b@example.com", "ada@localhost", "ada@bank.test", "x" * 400 + "@example.com"]
)
def test_malformed_addresses_are_refused(text: str) -> None:
    assert isinstance(check_email(text, allow_test_domains=False), FieldProblem)


def test_a_test_domain_is_accepted_where_it_is_allowed() -> None:
    assert check_email("ada@bank.test", allow_test_domains=True) == "ada@bank.test"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "REQUIRED"),
        ("  ", "REQUIRED"),
        ("\u00a0\u3000", "REQUIRED"),
        ("x" * 201, "TOO_LONG"),
        ("a\x00b", "INVALID"),
        ("a\nb", "INVALID"),
        ("Ada\u200b", "INVALID"),
    ],
)
def test_malformed_names_are_refused(text: str, code: str) -> None:
    problem = check_full_name(text)
    assert isinstance(problem, FieldProblem)
    assert problem.code == code


def test_names_are_trimmed() -> None:
    assert check_full_name("  Ada Lovelace ") == "Ada Lovelace"


def test_phone_numbers_are_normalised_to_e164() -> None:
    assert check_phone_number("+49 (0) 30 901820") == "+4930901820"
    for wrong in ("", "030 901820", "+1", "hello", "+99" * 30):
        assert isinstance(check_phone_number(wrong), FieldProblem)


@pytest.mark.parametrize(
    ("password", "code"),
    [
        ("short12", "TOO_SHORT"),
        ("x" * 257, "TOO_LONG"),
        ("password", "TOO_COMMON"),
        ("        ", "TOO_COMMON"),
        ("PASSWORD", "TOO_COMMON"),
        ("12345678", "TOO_COMMON"),
        ("aaaaaaaa", "TOO_COMMON"),
        ("letmein123", "TOO_COMMON"),
        ("passw0rd!", "TOO_COMMON"),
        ("Password123!", "TOO_COMMON"),
        ("lovelace1815", "TOO_COMMON"),
        ("x" * 256, "TOO_COMMON"),
        ("Ada@Example.com", "TOO_COMMON"),
        ("ada lovelace", "TOO_COMMON"),
    ],
)
def test_weak_passwords_are_refused(password: str, code: str) -> None:
    problem = check_password(password, user_inputs=("ada@example.com", "Ada Lovelace"))
    assert problem is not None
    assert problem.code == code


@pytest.mark.parametrize("password", ["correct horse", "ünïcödé passwörd", "demo bank 2026", "correct horse " * 18])
def test_strong_passwords_are_accepted(password: str) -> None:
    assert check_password(password, user_inputs=()) is None


def test_a_password_made_to_be_slow_is_estimated_quickly() -> None:
    slow = "4@8({[<369&#!1/|0$5+7%2" * 11
    estimated = _estimable(slow)
    assert len(enumerate_l33t_subs(relevant_l33t_subtable(estimated, L33T_TABLE))) <= 64
    assert len(estimated) <= 36
    assert check_password(slow, user_inputs=("x y z " * 100, "ada")) is None


def test_every_role_has_its_permissions() -> None:
    assert set(PERMISSIONS) == set(UserRole)


def test_threads_that_estimate_passwords_do_not_share_words() -> None:
    def code(name: str) -> str | None:
        problem = check_password(name, user_inputs=(name,))
        return problem.code if problem else None

    names = [f"quetzal{number}vexillology" for number in range(200)]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(8) as pool:
            assert set(pool.map(code, names)) == {code(names[0])}
    finally:
        sys.setswitchinterval(interval)
