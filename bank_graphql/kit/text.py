"""Text that people write: brought into one form and checked here, for every input and for every search.

One form: composed (Unicode's NFC), without space around it. So what looks the same is the same, and a search finds it.
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
    ("\U000e0000", "\U000e0fff"),  # tags, and what is reserved beside them
)
_SELECTORS = (("\ufe00", "\ufe0f"), ("\U000e0100", "\U000e01ef"))
_JOINERS = frozenset("\u200c\u200d")
_FIRST_OF_JOINED_SCRIPTS = "\u0600"
"""Scripts that join letters, and emoji, come from here on; between Latin, Greek or Cyrillic letters a joiner only hides."""
_BEFORE_SELECTORS = frozenset("0123456789#*\u00a9\u00ae")
"""Characters before those scripts that are emoji with a selector."""
_SPACES = re.compile(r"[ \u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]+")
_VISIBLE = frozenset("LNPS")
_NO_CHARACTERS = frozenset({"Cn", "Co"})
"""Unassigned, and for private use: what is seen of them differs from place to place."""


def normalise(text: str) -> str:
    """Return the text in its one form."""
    return unicodedata.normalize("NFC", text).strip()


def normalise_name(text: str) -> str:
    """Return a name in its one form: spaces of any kind and number are one space."""
    return _SPACES.sub(" ", normalise(text))


def has_controls(text: str) -> bool:
    """Return whether the text has control characters, line breaks, lone surrogates, or marks that turn the direction of text."""
    return any(letter in _DIRECTIONS or unicodedata.category(letter) in {"Cc", "Cs", "Zl", "Zp"} for letter in text)


def has_hidden(text: str) -> bool:
    """Return whether the text has characters that nobody sees, which would make two names look the same; or nothing to be seen.

    Joiners and selectors of variants are seen by what they do to the character before them, so they pass behind one.
    """
    before = ""
    for place, letter in enumerate(text):
        if letter in _JOINERS:
            if place + 1 == len(text) or before < _FIRST_OF_JOINED_SCRIPTS:
                return True
            before = ""
        elif _is_between(letter, _SELECTORS):
            if before < _FIRST_OF_JOINED_SCRIPTS and (not before or before not in _BEFORE_SELECTORS):
                return True
        elif letter in _FILLERS or _is_between(letter, _FILLER_RANGES) or unicodedata.category(letter) in _NO_CHARACTERS:
            return True
        else:
            before = "" if unicodedata.category(letter) == "Zs" else letter
    return not any(unicodedata.category(letter)[0] in _VISIBLE for letter in text)


def _is_between(letter: str, ranges: Sequence[tuple[str, str]]) -> bool:
    return any(first <= letter <= last for first, last in ranges)


def problem_in(text: str, what: str, path: tuple[str, ...], maximum: int, *, is_name: bool) -> FieldProblem | None:
    """Return what is wrong with a line of text in its one form, or None.

    Args:
        text: the text.
        what: what to call it, e.g. "A name".
        path: where it is in the input.
        maximum: characters that it may have.
        is_name: whether it names something or someone: then it is not empty, and holds nothing that nobody sees.
    """
    if is_name and not text:
        return FieldProblem(path, "REQUIRED", f"{what} is needed.")
    if len(text) > maximum:
        return FieldProblem(path, "TOO_LONG", f"{what} has at most {maximum} characters.")
    if has_controls(text):
        return FieldProblem(path, "INVALID", f"{what} has no control characters.")
    if is_name and has_hidden(text):
        return FieldProblem(path, "INVALID", f"{what} has no characters that cannot be seen.")
    return None


def check_name(text: str, what: str, path: tuple[str, ...], maximum: int) -> str:
    """Return a name in its one form.

    Raises:
        ValidationFailed: `REQUIRED`, `TOO_LONG` or `INVALID`.
    """
    return _check(text, what, path, maximum, is_name=True)


def check_line(text: str | None, what: str, path: tuple[str, ...], maximum: int) -> str | None:
    """Return a line of text in its one form, or None if there is none.

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
