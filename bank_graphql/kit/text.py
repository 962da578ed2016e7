"""Normalise and check text that people write, for every input and for every search.

Normalised text is composed (Unicode's NFC), without spaces around it. So text that looks the same is equal, and searches find it.
"""

import re
import unicodedata
from collections.abc import Sequence

from bank_graphql.kit.errors import FieldProblem, ValidationFailed

_DIRECTIONS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_FILLERS = frozenset("\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u200b\u200e\u200f\u2800\u3164\ufeff\uffa0\U00016fe4\U0001d159")
_FILLER_RANGES = (
    ("\u180b", "\u180f"),
    ("\u2060", "\u206f"),
    ("\ufff0", "\ufffb"),
    ("\U0001bca0", "\U0001bca3"),
    ("\U0001d173", "\U0001d17a"),
    ("\U000e0000", "\U000e0fff"),  # tags, and reserved characters next to them
)
_SELECTORS = (("\ufe00", "\ufe0f"), ("\U000e0100", "\U000e01ef"))
_JOINERS = frozenset("\u200c\u200d")
_FIRST_JOINED_SCRIPT = "\u0600"
"""Scripts that join letters, and emoji, start here. Between Latin, Greek or Cyrillic letters a joiner is only invisible."""
_EMOJI_BASES = frozenset("0123456789#*\u00a9\u00ae")
"""Characters before those scripts that become emoji with a variation selector."""
_SPACES = re.compile(r"[ \u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]+")
_VISIBLE = frozenset("LNPS")
_UNDEFINED = frozenset({"Cn", "Co"})
"""Categories of unassigned and private characters, which look different on different devices."""


_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 does not allow."""


def for_xml(text: str) -> str:
    """Return the text with a replacement character for each character that XML does not allow."""
    return _NOT_IN_XML.sub("\N{REPLACEMENT CHARACTER}", text)


def normalise(text: str) -> str:
    """Return the normalised text."""
    return unicodedata.normalize("NFC", text).strip()


def normalise_name(text: str) -> str:
    """Return the normalised name, in which one or more spaces of any kind are a single space."""
    return _SPACES.sub(" ", normalise(text))


def has_controls(text: str) -> bool:
    """Return whether the text has control characters, line breaks, or marks that change the text direction.

    Lone surrogates and noncharacters, which are for programs' own use, count as control characters.
    """
    return any(
        letter in _DIRECTIONS or unicodedata.category(letter) in {"Cc", "Cs", "Zl", "Zp"} or _is_noncharacter(letter)
        for letter in text
    )


def _is_noncharacter(letter: str) -> bool:
    return "\ufdd0" <= letter <= "\ufdef" or ord(letter) & 0xFFFE == 0xFFFE


def has_hidden(text: str) -> bool:
    """Return whether the text has invisible characters, by which two names can look the same, or no visible ones.

    Joiners and variation selectors are visible by their effect on the character before them, so they are allowed after one.
    """
    before = ""
    for index, letter in enumerate(text):
        if letter in _JOINERS:
            if index + 1 == len(text) or before < _FIRST_JOINED_SCRIPT:
                return True
            before = ""
        elif _is_between(letter, _SELECTORS):
            if before < _FIRST_JOINED_SCRIPT and (not before or before not in _EMOJI_BASES):
                return True
        elif letter in _FILLERS or _is_between(letter, _FILLER_RANGES) or unicodedata.category(letter) in _UNDEFINED:
            return True
        else:
            before = "" if unicodedata.category(letter) == "Zs" else letter
    return not any(unicodedata.category(letter)[0] in _VISIBLE for letter in text)


def _is_between(letter: str, ranges: Sequence[tuple[str, str]]) -> bool:
    return any(first <= letter <= last for first, last in ranges)


def problem_in(text: str, what: str, path: tuple[str, ...], maximum: int, *, is_name: bool) -> FieldProblem | None:
    """Return the problem of a normalised line of text, or None.

    Args:
        text: the text.
        what: what the message calls it, e.g. "A name".
        path: the path of the field in the input.
        maximum: the maximum number of characters.
        is_name: whether it is a name, which must not be empty, and has no invisible characters.
    """
    if is_name and not text:
        return FieldProblem(path, "REQUIRED", f"{what} is needed.")
    if len(text) > maximum:
        return FieldProblem(path, "TOO_LONG", f"{what} has at most {maximum} characters.")
    if has_controls(text):
        return FieldProblem(path, "INVALID", f"{what} must not contain control characters.")
    if is_name and has_hidden(text):
        return FieldProblem(path, "INVALID", f"{what} must not contain invisible characters.")
    return None


def check_name(text: str, what: str, path: tuple[str, ...], maximum: int) -> str:
    """Return the normalised name. Arguments as in `problem_in`.

    Raises:
        ValidationFailed: `REQUIRED`, `TOO_LONG` or `INVALID`.
    """
    return _check(text, what, path, maximum, is_name=True)


def check_line(text: str | None, what: str, path: tuple[str, ...], maximum: int) -> str | None:
    """Return the normalised line of text, or None if it is empty. Arguments as in `problem_in`.

    Raises:
        ValidationFailed: `TOO_LONG` or `INVALID`.
    """
    return None if text is None else _check(text, what, path, maximum, is_name=False) or None


def _check(text: str, what: str, path: tuple[str, ...], maximum: int, *, is_name: bool) -> str:
    text = normalise_name(text) if is_name else normalise(text)
    problem = problem_in(text, what, path, maximum, is_name=is_name)
    if problem is not None:
        raise ValidationFailed([problem])
    return text
