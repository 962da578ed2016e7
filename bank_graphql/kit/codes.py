"""Codes that people type: random letters and digits of which none can be taken for another (Crockford's base 32)."""

import secrets

_LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_LOOKALIKES = str.maketrans("ILO", "110", " -")
_MAX_CHARACTERS = 100


def new_code(length: int) -> str:
    """Return a random code of an even length."""
    return "".join(secrets.choice(_LETTERS) for _ in range(length))


def shown(code: str) -> str:
    """Return a code as people are shown it, in two halves."""
    half = len(code) // 2
    return f"{code[:half]}-{code[half:]}"


def typed(text: str) -> str:
    """Return the code that somebody typed: in capitals, without spaces and dashes, and with lookalikes replaced."""
    return text[:_MAX_CHARACTERS].upper().translate(_LOOKALIKES)
