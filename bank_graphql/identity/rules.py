"""What a profile and a password may look like. Pure: facts in, decision out."""

import unicodedata

import phonenumbers
from email_validator import EmailNotValidError, validate_email
from zxcvbn.frequency_lists import FREQUENCY_LISTS

from bank_graphql.kit.errors import FieldProblem
from bank_graphql.kit.text import has_controls

PASSWORD_MIN, PASSWORD_MAX = 8, 256
NAME_MAX = 200
_COMMON_PASSWORDS = frozenset(FREQUENCY_LISTS["passwords"])


def check_email(text: str, *, allow_test_domains: bool) -> str | FieldProblem:
    """The address in its normal form, or what is wrong with it. `allow_test_domains` admits names under `.test`."""
    try:
        valid = validate_email(text, check_deliverability=False, test_environment=allow_test_domains)
    except EmailNotValidError:
        return FieldProblem(("email",), "INVALID", "This is not an e-mail address.")
    return valid.normalized


def email_key(address: str) -> str:
    """What an address is known by: all its spellings have the same key."""
    return unicodedata.normalize("NFKC", address).casefold()


def check_full_name(text: str) -> str | FieldProblem:
    """The name without space around it, or what is wrong with it."""
    name = unicodedata.normalize("NFC", text).strip()
    if not name:
        return FieldProblem(("fullName",), "REQUIRED", "A name is needed.")
    if len(name) > NAME_MAX:
        return FieldProblem(("fullName",), "TOO_LONG", f"A name has at most {NAME_MAX} characters.")
    if has_controls(name):
        return FieldProblem(("fullName",), "INVALID", "A name has no control characters.")
    return name


def check_phone_number(text: str) -> str | FieldProblem:
    """The number in E.164 form, or what is wrong with it."""
    problem = FieldProblem(
        ("phoneNumber",), "INVALID", "A phone number is international, with its plus sign, for example +49 30 901820."
    )
    try:
        number = phonenumbers.parse(text[:50])
    except phonenumbers.NumberParseException:
        return problem
    if not phonenumbers.is_valid_number(number):
        return problem
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def check_password(password: str, *, about: tuple[str, ...]) -> FieldProblem | None:
    """What is wrong with a new password, if anything. `about`: the user's address and name, which it may not be."""
    if len(password) < PASSWORD_MIN:
        return FieldProblem(("password",), "TOO_SHORT", f"A password has at least {PASSWORD_MIN} characters.")
    if len(password) > PASSWORD_MAX:
        return FieldProblem(("password",), "TOO_LONG", f"A password has at most {PASSWORD_MAX} characters.")
    folded = password.casefold()
    if not password.strip() or folded in _COMMON_PASSWORDS or folded in {text.casefold() for text in about}:
        return FieldProblem(("password",), "TOO_COMMON", "This password is too easy to guess: choose another.")
    return None
