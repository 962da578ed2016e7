"""Keys, Relay global ids and paging cursors.

Keys are UUIDv7 (RFC 9562), made here and not in the database, so that a batch knows every key before it writes anything.
Global ids and cursors are opaque to clients: URL-safe base64 of a type name and a key.
"""

import hashlib
import re
from binascii import a2b_base64, b2a_base64
from uuid import UUID

import uuid_utils.compat

from bank_graphql.kit.errors import BadRequest

_LONGEST = 200
_HEX = re.compile(r"[0-9a-f]{32}")
_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def new_id() -> UUID:
    """A new UUIDv7: unique, and rising with time."""
    return uuid_utils.compat.uuid7()


def new_name() -> str:
    """A new UUIDv7 as 32 hexadecimal digits."""
    return uuid_utils.uuid7().hex


def global_id(kind: str, key: UUID | int | str) -> str:
    """The Relay global id of the `kind` of thing with this key."""
    text = f"{kind}:{key.hex if isinstance(key, UUID) else key}"
    # Of the characters that ids are made of, none gives one in which the URL-safe alphabet differs.
    return b2a_base64(text.encode(), newline=False).decode().rstrip("=")


def parse_global_id(text: str) -> tuple[str, str] | None:
    """Kind and key of a global id, or None if it is not one of ours."""
    kind, colon, key = (_decode(text) or "").partition(":")
    return (kind, key) if colon else None


def uuid_of(text: str, kind: str) -> UUID | None:
    """The UUID in a global id of this kind, or None: a malformed id is simply the id of nothing."""
    parsed = parse_global_id(text)
    return parse_uuid(parsed[1]) if parsed is not None and parsed[0] == kind else None


def parse_uuid(text: str) -> UUID | None:
    """The UUID written as 32 hexadecimal digits, or None."""
    return UUID(int=int(text, 16)) if _HEX.fullmatch(text) else None


def parse_serial(text: str) -> int | None:
    """The number of a row with a bigint identity, or None."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 18 else None


def encode_cursor(kind: str, key: UUID | int | str) -> str:
    """The cursor of an item in a list of `kind`."""
    return global_id(f"@{kind}", key)


def decode_cursor(text: str, kind: str) -> str:
    """The key in a cursor.

    Raises:
        BadRequest: it is not a cursor of such a list.
    """
    parsed = parse_global_id(text)
    if parsed is None or parsed[0] != f"@{kind}":
        raise BadRequest("The cursor belongs elsewhere: take one that this very list, or the feed, has given.")
    return parsed[1]


def reference(key: UUID) -> str:
    """A key as people read and type it: 26 characters of Crockford's base 32, as in a ULID."""
    number, digits = key.int, []
    for _ in range(26):
        number, digit = divmod(number, 32)
        digits.append(_CROCKFORD[digit])
    return "".join(reversed(digits))


def parse_reference(text: str) -> UUID | None:
    """The key that `reference` wrote so, in any case, or None."""
    number = 0
    for letter in text.strip().upper():
        digit = _CROCKFORD.find(letter)
        if digit < 0 or number >> 123:
            return None
        number = number * 32 + digit
    return UUID(int=number) if len(text.strip()) == 26 else None


def lock_key(kind: str, owner: UUID, name: str = "") -> int:
    """A signed 64-bit hash for advisory locks, of the name that something has with its owner. The same in every process."""
    digest = hashlib.blake2b(owner.bytes + name.encode(), digest_size=8, person=kind.encode()).digest()
    return int.from_bytes(digest, signed=True)


def _decode(text: str) -> str | None:
    if len(text) > _LONGEST:
        return None
    try:
        padded = text.replace("-", "+").replace("_", "/") + "=" * (-len(text) % 4)
        return a2b_base64(padded, strict_mode=True).decode()
    except ValueError:
        return None
