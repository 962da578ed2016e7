"""What a profile and a password may look like. Pure: facts in, decision out."""

import re
import unicodedata
from threading import Lock

import phonenumbers
from email_validator import EmailNotValidError, validate_email
from zxcvbn import zxcvbn

from bank_graphql.kit.errors import FieldProblem
from bank_graphql.kit.text import normalise, normalise_name, problem_in

EMAIL_MAX = 320
PASSWORD_MIN, PASSWORD_MAX, PASSWORD_SCORE = 8, 256, 3
_ESTIMATED_MAX = 36
"""Characters of a password that are estimated: the time for that grows with them, and so many that are not easy are enough."""
_SYMBOLS, _SYMBOLS_MAX = frozenset("@({[<!|$+%"), 3
"""Characters that may stand for letters. zxcvbn tries all combinations of those in a password, so only so many are left in."""
_ESTIMATING = Lock()
"""zxcvbn keeps the words that it is given in a dictionary of its module, which threads would change for each other."""
NAME_MAX = 200
_WORD, _WORDS_MAX = re.compile(r"\w{3,}"), 20


def check_email(text: str, *, allow_test_domains: bool) -> str | FieldProblem:
    """Return the address in its one form, or what is wrong with it. `allow_test_domains` admits names under `.test`."""
    try:
        address = normalise(text[:EMAIL_MAX])
        valid = validate_email(address, check_deliverability=False, test_environment=allow_test_domains)
    except EmailNotValidError:
        return FieldProblem(("email",), "INVALID", "This is not an e-mail address.")
    return valid.normalized


def email_key(address: str) -> str:
    """Return what an address in its one form is known by.

    The part before the `@` is taken without case. The domain is as it is: domains that look the same may differ, such as
    `fass.example` and `faß.example` (IDNA 2008).
    """
    local, at, domain = address.rpartition("@")
    return unicodedata.normalize("NFKC", local).casefold() + at + domain.lower()


def check_full_name(text: str) -> str | FieldProblem:
    """Return the name in its one form, or what is wrong with it."""
    name = normalise_name(text)
    return problem_in(name, "A name", ("fullName",), NAME_MAX, is_name=True) or name


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


def normalise_password(password: str) -> str:
    """Return the password as it is hashed: composed, so that it does not depend on the keyboard that wrote it."""
    return unicodedata.normalize("NFC", password)


def check_password(password: str, *, about: tuple[str, ...]) -> FieldProblem | None:
    """Return what is wrong with a new password, if anything.

    How easily it is guessed is estimated by zxcvbn (Wheeler, USENIX Security 2016), from 0 to 4.

    Args:
        password: the password as it is hashed.
        about: the user's address and name, which make it easier to guess.
    """
    if len(password) < PASSWORD_MIN:
        return FieldProblem(("password",), "TOO_SHORT", f"A password has at least {PASSWORD_MIN} characters.")
    if len(password) > PASSWORD_MAX:
        return FieldProblem(("password",), "TOO_LONG", f"A password has at most {PASSWORD_MAX} characters.")
    words = [word for text in about for word in (text, *_WORD.findall(text))][:_WORDS_MAX]
    if not password.strip() or _score(password, words) < PASSWORD_SCORE:
        return FieldProblem(("password",), "TOO_COMMON", "This password is too easy to guess: make it longer, of several words.")
    return None


def _score(password: str, words: list[str]) -> int:
    with _ESTIMATING:
        score: int = zxcvbn(_estimable(password), user_inputs=words)["score"]
    return score


def _estimable(password: str) -> str:
    """Return a part of the password that is no harder to guess, and whose estimate takes some milliseconds whatever it is."""
    kept: set[str] = set()
    letters = []
    for letter in password[:_ESTIMATED_MAX]:
        if letter in _SYMBOLS and len(kept) < _SYMBOLS_MAX:
            kept.add(letter)
        letters.append("~" if letter in _SYMBOLS - kept else letter)
    return "".join(letters)
