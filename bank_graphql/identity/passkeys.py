"""Passkeys (WebAuthn): keys on a user's device, with which the user signs in without a password.

A device that uses a passkey has verified its user, by a fingerprint or a PIN. So a passkey is two factors, and no code is
asked for.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, Boolean, DateTime, LargeBinary, Uuid, bindparam, delete, select, update
from sqlmodel import col

from bank_graphql.identity import authenticators
from bank_graphql.identity.authenticators import RelyingParty
from bank_graphql.identity.challenges import Challenge, Challenges
from bank_graphql.identity.challenges import answer as answer_challenge
from bank_graphql.identity.models import Passkey
from bank_graphql.kit.clock import Clock
from bank_graphql.kit.db import Connection
from bank_graphql.kit.errors import NotFound, ValidationFailed
from bank_graphql.kit.ids import global_id, new_id
from bank_graphql.kit.statements import Insert, Query, Reads, Row
from bank_graphql.kit.text import check_name

MAX_PASSKEYS = 20
"""How many passkeys a user may have."""
NAME_MAX = 100


@dataclass(frozen=True, slots=True)
class PasskeyRequest:
    """A request for a device.

    Attributes:
        options: in JSON, for `parseCreationOptionsFromJSON` or `parseRequestOptionsFromJSON` in a browser.
        challenge: what the answer is to be sent with.
    """

    options: str
    challenge: Challenge


@dataclass(frozen=True, slots=True)
class PasskeyAnswer:
    """What a device answered: the token of the challenge, and the credential in JSON."""

    challenge_token: str
    credential: str


class PasskeyRow(Row):
    """A passkey, as its user sees it."""

    id: UUID
    name: str
    is_synced: bool
    created_at: datetime
    last_used_at: datetime | None


class _KeyRow(Row):
    id: UUID
    user_id: UUID
    public_key: bytes
    sign_count: int


class _IdRow(Row):
    credential_id: bytes


class _OwnerRow(Row):
    user_id: UUID


_user = bindparam("user", type_=Uuid())
_credential = bindparam("credential", type_=LargeBinary())
_of_user = col(Passkey.user_id) == _user
_LIST = Query(
    select(col(Passkey.id), col(Passkey.name), col(Passkey.is_synced), col(Passkey.created_at), col(Passkey.last_used_at)).where(
        _of_user
    ),
    PasskeyRow,
)
_CREDENTIALS = Query(select(col(Passkey.credential_id)).where(_of_user), _IdRow)
_OWNER = Query(select(col(Passkey.user_id)).where(col(Passkey.credential_id) == _credential), _OwnerRow)
_KEY = Query(
    select(col(Passkey.id), col(Passkey.user_id), col(Passkey.public_key), col(Passkey.sign_count))
    .where(col(Passkey.credential_id) == _credential)
    .with_for_update(),
    _KeyRow,
)
_INSERT = Insert(
    Passkey, "id", "user_id", "credential_id", "public_key", "sign_count", "name", "is_synced", "created_at", skip_existing=True
)
_USE = Query(
    update(Passkey)
    .where(col(Passkey.credential_id) == _credential)
    .values(
        sign_count=bindparam("count", type_=BigInteger()),
        is_synced=bindparam("synced", type_=Boolean()),
        last_used_at=bindparam("now", type_=DateTime(timezone=True)),
    ),
    Row,
)
_REMOVE = Query(delete(Passkey).where(_of_user, col(Passkey.id) == bindparam("id", type_=Uuid())).returning(col(Passkey.id)), Row)

_REMOVE_ALL = Query(delete(Passkey).where(_of_user).returning(col(Passkey.id)), Row)


class Passkeys:
    """The passkeys of all users. The only writer of their table.

    Args:
        party: the bank as devices know it.
        keys: the keys that seal challenges.
        clock: gives the real time.
    """

    def __init__(self, party: RelyingParty, keys: Sequence[bytes], clock: Clock) -> None:
        self._party = party
        self._new = Challenges(keys, "bank new passkey", clock)
        self._uses = Challenges(keys, "bank passkeys", clock)
        self._clock = clock

    async def of(self, db: Reads | Connection, user_id: UUID) -> list[PasskeyRow]:
        """Return a user's passkeys, oldest first."""
        return sorted(await db.fetch(_LIST, user=user_id), key=lambda row: row.id)

    async def request_new(self, db: Connection, user_id: UUID, email: str, full_name: str) -> PasskeyRequest:
        """Return what to ask a user's device for, so that it makes a passkey. One that has one already makes none."""
        known = await db.fetch(_CREDENTIALS, user=user_id)
        challenge = self._new.make(user=user_id.hex)
        ids = [row.credential_id for row in known]
        options = authenticators.creation_options(self._party, user_id, email, full_name, challenge=challenge.id, known=ids)
        return PasskeyRequest(options, challenge)

    async def add(self, connection: Connection, user_id: UUID, name: str, answer: PasskeyAnswer) -> UUID:
        """Store the passkey that a user's device made, and return its id.

        Raises:
            ValidationFailed: the name is empty or too long; the answer is not that of a device to a challenge of this user, or
                was sent before; or the user has too many passkeys.
        """
        checked = check_name(name, "name", ("name",), NAME_MAX)
        if len(await connection.fetch(_CREDENTIALS, user=user_id)) >= MAX_PASSKEYS:
            raise ValidationFailed.of("credential", "TOO_MANY", f"You have {MAX_PASSKEYS} passkeys: remove one first.")
        challenge = self._new.open(answer.challenge_token)
        made = authenticators.verify_made(self._party, challenge.id, answer.credential) if challenge else None
        if challenge is None or made is None or challenge.claims["user"] != user_id.hex:
            raise _not_verified()
        if not await answer_challenge(connection, challenge):
            raise _not_verified()
        passkey_id = new_id()
        row = (
            passkey_id, user_id, made.credential_id, made.public_key, made.sign_count, checked, made.is_synced, self._clock(),
        )  # fmt: skip
        await connection.insert(_INSERT, [row])
        stored = await connection.fetch_one(_KEY, credential=made.credential_id)
        if stored is None or stored.id != passkey_id:
            raise ValidationFailed.of("credential", "TAKEN", "This passkey is known already.")
        return passkey_id

    async def remove(self, connection: Connection, user_id: UUID, passkey_id: UUID) -> None:
        """Forget a passkey of a user.

        Raises:
            NotFound: the user has no such passkey.
        """
        if not await connection.fetch(_REMOVE, user=user_id, id=passkey_id):
            raise NotFound("passkey", global_id("Passkey", passkey_id))

    async def remove_all(self, connection: Connection, user_id: UUID) -> bool:
        """Forget all passkeys of a user, and return whether there were any."""
        return bool(await connection.fetch(_REMOVE_ALL, user=user_id))

    def request(self) -> PasskeyRequest:
        """Return what to ask a device for, so that it proves with a passkey who its user is. The device knows who that is."""
        challenge = self._uses.make()
        return PasskeyRequest(authenticators.request_options(self._party, challenge.id), challenge)

    async def owner_of(self, connection: Connection, answer: PasskeyAnswer) -> UUID | None:
        """Return the id of the user whose passkey an answer names; None if there is none. The answer is not verified."""
        named = authenticators.named_in(answer.credential)
        owner = await connection.fetch_one(_OWNER, credential=named[0]) if named else None
        return owner.user_id if owner else None

    async def use(self, connection: Connection, user_id: UUID, answer: PasskeyAnswer) -> bool:
        """Verify the answer of a user's device, which is good once, and return whether it is good.

        The caller has locked the user's row.
        """
        challenge = self._uses.open(answer.challenge_token)
        named = authenticators.named_in(answer.credential)
        if challenge is None or named is None:
            return False
        credential_id, user_handle = named
        key = await connection.fetch_one(_KEY, credential=credential_id)
        if key is None or key.user_id != user_id or user_handle not in {None, user_id.bytes}:
            return False
        used = authenticators.verify_used(
            self._party, challenge.id, answer.credential, public_key=key.public_key, sign_count=key.sign_count
        )
        if used is None:
            return False
        if not await answer_challenge(connection, challenge):
            return False
        given = {"count": used.sign_count, "synced": used.is_synced, "now": self._clock()}
        await connection.execute(_USE, credential=credential_id, **given)
        return True


def _not_verified() -> ValidationFailed:
    reason = "This is not what a device answers to the challenge: begin with requestPasskey again."
    return ValidationFailed.of("credential", "NOT_VERIFIED", reason)
