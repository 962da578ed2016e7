"""The vault: card numbers under keys, their keyed hashes, and security codes, which are not stored.

It uses envelope encryption. A number is sealed with AES-256-GCM under a key of its own, with the card's id as associated data; a
master key wraps that key in the same way. The vault has keys of its own, which the master key wraps too: from one it computes
the hash by which numbers are looked up, from another the security codes (both by HMAC-SHA-256), and with the third `identity`
protects the secrets of second factors. So a new master key changes none of them.

The master key in use is the one that wraps the vault's own keys in the database. The keys of new cards are wrapped by the same
one, and its row is share-locked while a card is issued: once `rotate` has changed the row, no older key wraps anything new.
"""

import hmac
import secrets
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from joserfc.errors import JoseError
from joserfc.jwk import OctKey
from sqlalchemy import BigInteger, LargeBinary, Text, Uuid, bindparam, column, func, select, update
from sqlmodel import col

from bank_graphql.cards.models import CardSecret, VaultKey
from bank_graphql.cards.rules import NUMBER_DIGITS, check_digit
from bank_graphql.kit.db import Connection, Database
from bank_graphql.kit.encryption import KEY_BYTES, decrypt, encrypt
from bank_graphql.kit.errors import ConfigurationError
from bank_graphql.kit.keysets import Key, KeySource
from bank_graphql.kit.statements import Insert, Query, Row, array_of

_FILE = "card-master-keys.json"
_HASHES, _CODES, _SECRETS = "number hashes", "security codes", "user secrets"
_PURPOSES = (_HASHES, _CODES, _SECRETS)
_BATCH_SIZE = 500


class _VaultKeyRow(Row):
    purpose: str
    wrapped_key: bytes
    master_key: str


class SealedRow(Row):
    """A card's number, sealed."""

    card_id: UUID
    sealed_number: bytes
    wrapped_key: bytes
    master_key: str


_INSERT_KEYS = Insert(VaultKey, "purpose", "wrapped_key", "master_key", skip_existing=True)
_keys = select(col(VaultKey.purpose), col(VaultKey.wrapped_key), col(VaultKey.master_key))
_VAULT_KEYS = Query(_keys, _VaultKeyRow)
_VAULT_KEYS_TO_CHANGE = Query(_keys.with_for_update(), _VaultKeyRow)
_KEY_IN_USE = Query(_keys.where(col(VaultKey.purpose) == _HASHES).with_for_update(read=True), _VaultKeyRow)
_SET_VAULT_KEY = Query(
    update(VaultKey)
    .where(col(VaultKey.purpose) == bindparam("key_of", type_=Text()))
    .values(wrapped_key=bindparam("wrapped", type_=LargeBinary()), master_key=bindparam("by", type_=Text())),
    Row,
)
_sealed = select(col(CardSecret.card_id), col(CardSecret.sealed_number), col(CardSecret.wrapped_key), col(CardSecret.master_key))
SEALED = Query(
    # Share-locked, so that no rotation can end, and drop the master key, between reading and unwrapping.
    _sealed.where(col(CardSecret.card_id) == bindparam("card", type_=Uuid())).with_for_update(read=True),
    SealedRow,
)
_WRAPPED_BY_OTHERS = Query(
    _sealed.where(
        col(CardSecret.card_id) > bindparam("after", type_=Uuid()),
        col(CardSecret.master_key) != bindparam("by", type_=Text()),
        func.length(col(CardSecret.wrapped_key)) > 0,  # the key of an erased card is gone
    )
    .order_by(col(CardSecret.card_id))
    .limit(bindparam("maximum", type_=BigInteger()))
    .with_for_update(),
    SealedRow,
)
_rewrapped = (
    func.unnest(array_of("cards", Uuid()), array_of("wrapped", LargeBinary()))
    .table_valued(column("card_id", Uuid()), column("wrapped_key", LargeBinary()), name="new")
    .render_derived()
)
_SET_CARD_KEYS = Query(
    update(CardSecret)
    .where(col(CardSecret.card_id) == _rewrapped.c.card_id)
    .values(wrapped_key=_rewrapped.c.wrapped_key, master_key=bindparam("by", type_=Text())),
    Row,
)


def master_keys(given: str | None, folder: Path | None) -> KeySource:
    """Return the source of the master keys: 256-bit symmetric keys (JWK `oct`), each with a unique `kid`.

    Args:
        given: a JWK set, or the path of a file that holds one; None if the setting is not set.
        folder: where keys are generated at the first start and kept, if none are given.
    """
    return KeySource("card master keys", "BANK_CARD_KEYS", _new_key, given, None if folder is None else folder / _FILE)


class MasterKeys:
    """The master keys by name. They are read again when an unknown name is needed.

    Raises:
        ConfigurationError: there are no keys, or they are malformed.
    """

    def __init__(self, source: KeySource) -> None:
        self.source = source
        self.newest = ""
        self._ciphers: dict[str, AESGCM] = {}
        self.reload()

    def reload(self) -> None:
        """Read the keys again."""
        try:
            keys = [(str(key["kid"]), OctKey.import_key(_symmetric(key)).raw_value) for key in self.source.read()]
            self._ciphers = {name: AESGCM(raw) for name, raw in keys}
        except (JoseError, KeyError, ValueError, TypeError) as error:
            raise self.source.malformed from error
        if len(self._ciphers) < len(keys) or any(len(raw) != KEY_BYTES for _, raw in keys):
            raise self.source.malformed
        self.newest = keys[0][0]

    def wrap(self, key: bytes, name: str, bound_to: bytes) -> bytes:
        """Return a key wrapped by the master key with this name, with its purpose as associated data."""
        return encrypt(self._cipher(name), key, bound_to + name.encode())

    def unwrap(self, wrapped: bytes, name: str, bound_to: bytes) -> bytes:
        """Return the key that `wrap` wrapped.

        Raises:
            ConfigurationError: the master key is missing, or its name now belongs to another key.
        """
        try:
            return decrypt(self._cipher(name), wrapped, bound_to + name.encode())
        except InvalidTag as error:
            raise ConfigurationError(
                f"The card master key '{name}' in {self.source.location} is not the one that cards were stored with. "
                f"{self.source.advice}"
            ) from error

    def _cipher(self, name: str) -> AESGCM:
        if name not in self._ciphers:
            self.reload()
        if name not in self._ciphers:
            raise ConfigurationError(f"The card master key '{name}' is missing in {self.source.location}. {self.source.advice}")
        return self._ciphers[name]


class Vault:
    """Makes, seals and reads card numbers. Only `revealCard` may return what it reads; nothing of it is logged."""

    def __init__(self, masters: MasterKeys, bin_: str, hash_key: bytes, code_key: bytes, user_secrets_key: bytes) -> None:
        self._masters = masters
        self._bin = bin_
        self._hash_key = hash_key
        self._code_key = code_key
        self.user_secrets_key = user_secrets_key

    @classmethod
    async def open(cls, db: Database, source: KeySource, bin_: str) -> "Vault":
        """Open the vault of a bank whose card numbers begin with `bin_`. Those of its own keys that are missing are generated.

        Raises:
            ConfigurationError: there are no master keys, or they do not fit the stored ones.
        """
        masters = MasterKeys(source)

        async def generate_missing(connection: Connection) -> None:
            in_use = await connection.fetch_one(_KEY_IN_USE)  # locked, or a rotation could miss the new keys
            by = masters.newest if in_use is None else in_use.master_key
            generated = [(each, masters.wrap(secrets.token_bytes(KEY_BYTES), by, _own(each)), by) for each in _PURPOSES]
            await connection.insert(_INSERT_KEYS, generated)

        async def read() -> dict[str, bytes]:
            rows = await db.fetch(_VAULT_KEYS)
            return {row.purpose: masters.unwrap(row.wrapped_key, row.master_key, _own(row.purpose)) for row in rows}

        keys = await read()
        if len(keys) < len(_PURPOSES):  # only now, after the master key has proved to be the right one
            await db.transact(generate_missing)
            keys = await read()
        return cls(masters, bin_, keys[_HASHES], keys[_CODES], keys[_SECRETS])

    def new_number(self) -> str:
        """Return a random number with a valid check digit. The caller makes sure that no other card has it."""
        free = NUMBER_DIGITS - 1 - len(self._bin)
        digits = f"{self._bin}{secrets.randbelow(10**free):0{free}}"
        return digits + check_digit(digits)

    def hash_of(self, number: str) -> bytes:
        """Return the keyed hash of a number, for look-ups."""
        return hmac.digest(self._hash_key, number.encode(), sha256)

    def code_of(self, number: str, year: int, month: int) -> str:
        """Return the security code of a card: three digits, derived from its number and expiry."""
        digest = hmac.digest(self._code_key, f"{number}/{year:04}-{month:02}".encode(), sha256)
        return f"{int.from_bytes(digest) % 1000:03}"

    async def in_use(self, connection: Connection) -> str:
        """Return the name of the master key in use. It stays in use until the transaction ends."""
        [row] = await connection.fetch(_KEY_IN_USE)
        return row.master_key

    def seal(self, card_id: UUID, number: str, by: str) -> tuple[UUID, bytes, bytes, bytes, str]:
        """Return the row of `card_secrets` for a new card."""
        key = AESGCM.generate_key(8 * KEY_BYTES)
        sealed = encrypt(AESGCM(key), number.encode(), _number(card_id))
        return card_id, self.hash_of(number), sealed, self._masters.wrap(key, by, _key(card_id)), by

    def number_of(self, row: SealedRow) -> str:
        """Return the number of a card.

        Raises:
            ConfigurationError: its master key is missing.
        """
        key = self._masters.unwrap(row.wrapped_key, row.master_key, _key(row.card_id))
        return decrypt(AESGCM(key), row.sealed_number, _number(row.card_id)).decode()

    async def rotate(self, db: Database) -> int:
        """Wrap all keys by the newest master key, while the bank runs; return how many cards' keys were wrapped again.

        Raises:
            ConfigurationError: a master key that is still in use is missing.
        """
        masters = self._masters
        masters.reload()
        by = masters.newest

        async def rewrap_own_keys(connection: Connection) -> None:
            for row in await connection.fetch(_VAULT_KEYS_TO_CHANGE):
                key = masters.unwrap(row.wrapped_key, row.master_key, _own(row.purpose))
                await connection.execute(
                    _SET_VAULT_KEY, key_of=row.purpose, wrapped=masters.wrap(key, by, _own(row.purpose)), by=by
                )

        async def rewrap_card_keys(connection: Connection) -> list[UUID]:
            rows = await connection.fetch(_WRAPPED_BY_OTHERS, after=after, by=by, maximum=_BATCH_SIZE)
            keys = [masters.unwrap(row.wrapped_key, row.master_key, _key(row.card_id)) for row in rows]
            cards = [row.card_id for row in rows]
            wrapped = [masters.wrap(key, by, _key(card)) for key, card in zip(keys, cards, strict=True)]
            await connection.execute(_SET_CARD_KEYS, cards=cards, wrapped=wrapped, by=by)
            return cards

        await db.transact(rewrap_own_keys)
        after, rotated = UUID(int=0), 0
        while cards := await db.transact(rewrap_card_keys):  # one pass suffices: cards issued since use the new key
            after, rotated = cards[-1], rotated + len(cards)
        return rotated


async def rotate(db: Database, vault: Vault, source: KeySource) -> int:
    """Rotate the master key: to a new key if the keys are in the bank's own file, otherwise to the first that is given.

    Unused keys are removed from the bank's own file. A rotation that was interrupted is continued.

    Raises:
        ConfigurationError: the keys cannot be read or written, or one is missing.
    """
    if not source.is_managed:
        return await vault.rotate(db)
    with source.locked():
        if len(source.read()) == 1:
            source.add()
        rotated = await vault.rotate(db)
        source.keep_newest(1)
    return rotated


def _new_key(older: Sequence[Key]) -> Key:
    last = max((int(key["kid"]) for key in older), default=0)
    return {**OctKey.generate_key(8 * KEY_BYTES).as_dict(private=True), "kid": str(last + 1)}


def _symmetric(key: Key) -> Key:
    if key["kty"] != "oct":
        raise ValueError(key["kty"])
    return key


def _own(purpose: str) -> bytes:
    return b"vault key/" + purpose.encode() + b"/"


def _key(card_id: UUID) -> bytes:
    return b"card key/" + card_id.bytes


def _number(card_id: UUID) -> bytes:
    return b"card number/" + card_id.bytes
