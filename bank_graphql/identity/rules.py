"""Check and normalise e-mail addresses, names, phone numbers and passwords. Pure functions: no I/O."""

import re
import unicodedata
from threading import Lock

import phonenumbers
from email_validator import EmailNotValidError, validate_email
from zxcvbn import zxcvbn

from bank_graphql.kit.errors import FieldProblem, ValidationFailed
from bank_graphql.kit.text import check_line, normalise, normalise_name, problem_in

EMAIL_MAX = 320
PASSWORD_MIN, PASSWORD_MAX, PASSWORD_SCORE = 8, 256, 3
_MAX_ESTIMATED = 36
"""The characters of a password whose strength is estimated. The time grows with their number, and these are enough."""
_SYMBOLS, _MAX_SYMBOLS = frozenset("@({[<!|$+%"), 3
"""Characters that can replace letters. zxcvbn tries all combinations, so only `_MAX_SYMBOLS` different ones are estimated."""
_ZXCVBN_LOCK = Lock()
"""zxcvbn stores `user_inputs` in a dictionary of its module, so two threads must not use it at the same time."""
NAME_MAX = 200
REASON_MAX = 200
_WORD, _MAX_WORDS = re.compile(r"\w{3,}"), 20


def check_email(text: str, *, allow_test_domains: bool) -> str | FieldProblem:
    """Return the normalised address, or what is wrong with it. `allow_test_domains` admits domains under `.test`."""
    try:
        address = normalise(text[:EMAIL_MAX])
        valid = validate_email(address, check_deliverability=False, test_environment=allow_test_domains)
    except EmailNotValidError:
        return FieldProblem(("email",), "INVALID", "This is not an e-mail address.")
    if "=?" in valid.local_part:  # mail programs read it as the beginning of an encoded word, and so as another address
        return FieldProblem(("email",), "INVALID", "This is not an e-mail address.")
    return valid.normalized


def email_key(address: str) -> str:
    """Return the key of a normalised address. Two addresses with the same key are the same.

    The part before the `@` is compared without case. The domain is only lowered: domains that look the same may differ, such as
    `fass.example` and `faß.example` (IDNA 2008).
    """
    local, at, domain = address.rpartition("@")
    return unicodedata.normalize("NFKC", local).casefold() + at + domain.lower()


def check_full_name(text: str) -> str | FieldProblem:
    """Return the normalised name, or what is wrong with it."""
    name = normalise_name(text)
    return problem_in(name, "A name", ("fullName",), NAME_MAX, is_name=True) or name


def check_phone_number(text: str) -> str | FieldProblem:
    """Return the number in E.164 form, or what is wrong with it."""
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


def check_suspension_reason(text: str) -> str:
    """Return the normalised reason of a suspension.

    Raises:
        ValidationFailed: `REQUIRED`, `TOO_LONG` or `INVALID`.
    """
    checked = check_line(text, "A reason", ("reason",), REASON_MAX)
    if checked is None:
        raise ValidationFailed.of("reason", "REQUIRED", "A suspension needs a reason.")
    return checked


def normalise_password(password: str) -> str:
    """Return the password as it is hashed: composed (NFC), so that it does not depend on the keyboard that wrote it."""
    return unicodedata.normalize("NFC", password)


def check_password(password: str, *, user_inputs: tuple[str, ...]) -> FieldProblem | None:
    """Return what is wrong with a new password, or None.

    zxcvbn (Wheeler, USENIX Security 2016) scores from 0 to 4 how hard it is to guess.

    Args:
        password: the normalised password.
        user_inputs: the user's address and name, which make the password easier to guess if it contains them.
    """
    if len(password) < PASSWORD_MIN:
        return FieldProblem(("password",), "TOO_SHORT", f"A password has at least {PASSWORD_MIN} characters.")
    if len(password) > PASSWORD_MAX:
        return FieldProblem(("password",), "TOO_LONG", f"A password has at most {PASSWORD_MAX} characters.")
    words = [word for text in user_inputs for word in (text, *_WORD.findall(text))][:_MAX_WORDS]
    if not password.strip() or _score(password, words) < PASSWORD_SCORE:
        return FieldProblem(("password",), "TOO_COMMON", "This password is too easy to guess: make it longer, of several words.")
    return None


def _score(password: str, words: list[str]) -> int:
    with _ZXCVBN_LOCK:
        score: int = zxcvbn(_estimable(password), user_inputs=words)["score"]
    return score


def _estimable(password: str) -> str:
    """Return a part of the password that is no harder to guess than all of it, and is estimated in a few milliseconds."""
    kept: set[str] = set()
    letters = []
    for letter in password[:_MAX_ESTIMATED]:
        if letter in _SYMBOLS and len(kept) < _MAX_SYMBOLS:
            kept.add(letter)
        letters.append("~" if letter in _SYMBOLS - kept else letter)
    return "".join(letters)
