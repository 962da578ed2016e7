"""Text that people write."""

import unicodedata

_DIRECTIONS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def has_controls(text: str) -> bool:
    """Whether the text has control characters, line breaks, lone surrogates, or marks that turn the direction of what follows."""
    return any(letter in _DIRECTIONS or unicodedata.category(letter) in {"Cc", "Cs", "Zl", "Zp"} for letter in text)
