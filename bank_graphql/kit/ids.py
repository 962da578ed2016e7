"""Keys, Relay global ids, cursors of pages, and references for people.

Keys are UUIDv7 (RFC 9562), generated here and not in the database, so that a batch knows all keys before it writes anything.
Global ids and cursors are opaque to clients: the URL-safe base64 of a type name and a key.
"""

import hashlib
import re
from binascii import a2b_base64, b2a_base64
from uuid import UUID

import uuid_utils.compat

from bank_graphql.kit.errors import BadRequest

_MAX_LENGTH = 200
_HEX = re.compile(r"[0-9a-f]{32}")
_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def new_id() -> UUID:
    """Return a new UUIDv7. It is unique, and later ones are greater."""
    return uuid_utils.compat.uuid7()


def new_hex_id() -> str:
    """Return a new UUIDv7 as 32 hexadecimal digits."""
    return uuid_utils.uuid7().hex


def global_id(kind: str, key: UUID | int | str) -> str:
    """Return the Relay global id of an object: `kind` is its type, and `key` its key."""
    text = f"{kind}:{key.hex if isinstance(key, UUID) else key}"
    # Plain base64 is URL-safe here: the characters of these ids never encode to "+" or "/".
    return b2a_base64(text.encode(), newline=False).decode().rstrip("=")


def parse_global_id(text: str) -> tuple[str, str] | None:
    """Return the kind and the key of a global id, or None if it is malformed."""
    kind, colon, key = (_decode(text) or "").partition(":")
    return (kind, key) if colon else None


def uuid_of(text: str, kind: str) -> UUID | None:
    """Return the UUID in a global id of this kind, or None. A malformed id is treated as the id of nothing."""
    parsed = parse_global_id(text)
    return parse_uuid(parsed[1]) if parsed is not None and parsed[0] == kind else None


def parse_uuid(text: str) -> UUID | None:
    """Return the UUID that is written as 32 hexadecimal digits, or None."""
    return UUID(int=int(text, 16)) if _HEX.fullmatch(text) else None


def parse_serial(text: str) -> int | None:
    """Return the identity (a bigint) that is written in decimal digits, or None."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 18 else None


def encode_cursor(kind: str, key: UUID | int | str) -> str:
    """Return the cursor of an item in a list of this kind."""
    return global_id(f"@{kind}", key)


def decode_cursor(text: str, kind: str) -> str:
    """Return the key in a cursor.

    Raises:
        BadRequest: it is not a cursor of a list of this kind.
    """
    parsed = parse_global_id(text)
    if parsed is None or parsed[0] != f"@{kind}":
        raise BadRequest("The cursor belongs to another list: use one that this list, or the feed, has returned.")
    return parsed[1]


def reference(key: UUID) -> str:
    """Return a key for people to read and type: 26 characters of Crockford's base 32, as in a ULID."""
    number, digits = key.int, []
    for _ in range(26):
        number, digit = divmod(number, 32)
        digits.append(_CROCKFORD[digit])
    return "".join(reversed(digits))


def parse_reference(text: str) -> UUID | None:
    """Return the key of a reference, in upper or lower case, or None if it is malformed."""
    number = 0
    for letter in text.strip().upper():
        digit = _CROCKFORD.find(letter)
        if digit < 0 or number >> 123:
            return None
        number = number * 32 + digit
    return UUID(int=number) if len(text.strip()) == 26 else None


def lock_key(kind: str, owner: UUID, name: str = "") -> int:
    """Return the key of an advisory lock: a signed 64-bit hash of kind, owner and name. It is the same in all processes."""
    digest = hashlib.blake2b(owner.bytes + name.encode(), digest_size=8, person=kind.encode()).digest()
    return int.from_bytes(digest, signed=True)


def _decode(text: str) -> str | None:
    if len(text) > _MAX_LENGTH:
        return None
    try:
        padded = text.replace("-", "+").replace("_", "/") + "=" * (-len(text) % 4)
        return a2b_base64(padded, strict_mode=True).decode()
    except ValueError:
        return None
