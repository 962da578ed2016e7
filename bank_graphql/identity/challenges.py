"""Challenges: what somebody is to answer within five minutes, once. They are tokens; those that were answered are stored."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from secrets import token_bytes
from typing import Any

from sqlalchemy import DateTime, LargeBinary, bindparam, delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col

from bank_graphql.identity.models import AnsweredChallenge
from bank_graphql.kit.clock import Clock
from bank_graphql.kit.db import Connection, Database
from bank_graphql.kit.seals import Seals
from bank_graphql.kit.statements import Query, Row

LIFETIME = timedelta(minutes=5)
"""How long a challenge waits for its answer."""
_BYTES = 32
_id = bindparam("id", type_=LargeBinary())
_expires = bindparam("expires", type_=DateTime(timezone=True))
_ANSWER = Query(
    insert(AnsweredChallenge)
    .values(id=_id, expires_at=_expires)
    .on_conflict_do_nothing()
    .returning(col(AnsweredChallenge.expires_at)),
    Row,
)
_ANSWERED = Query(select(col(AnsweredChallenge.expires_at)).where(col(AnsweredChallenge.id) == _id), Row)
_DELETE_EXPIRED = Query(
    delete(AnsweredChallenge)
    .where(col(AnsweredChallenge.expires_at) < bindparam("now", type_=DateTime(timezone=True)))
    .returning(col(AnsweredChallenge.expires_at)),
    Row,
)


@dataclass(frozen=True, slots=True)
class Challenge:
    """A challenge.

    Attributes:
        token: what the client sends back with its answer.
        id: random bytes, for an answer that signs them.
        expires_at: until when it can be answered.
        claims: what the bank noted in it. Its receiver can read it.
    """

    token: str
    id: bytes
    expires_at: datetime
    claims: dict[str, Any]


class Challenges:
    """Makes challenges for one purpose, and takes the answers.

    Args:
        keys: the keys that seal them, the present one first.
        purpose: what they are for, in at most 16 ASCII characters.
        clock: gives the real time.
    """

    def __init__(self, keys: Sequence[bytes], purpose: str, clock: Clock) -> None:
        self._seals = Seals(keys, purpose)
        self._clock = clock

    def make(self, **claims: str) -> Challenge:
        """Return a new challenge."""
        expires_at = (self._clock() + LIFETIME).astimezone(UTC).replace(microsecond=0)
        challenge_id = token_bytes(_BYTES)
        sealed = {**claims, "expires": int(expires_at.timestamp()), "id": urlsafe_b64encode(challenge_id).decode()}
        return Challenge(self._seals.seal(sealed), challenge_id, expires_at, claims)

    def open(self, token: str) -> Challenge | None:
        """Return the challenge of a token; None if it is not one of this purpose, or has expired."""
        sealed = self._seals.open(token)
        if sealed is None:
            return None
        expires_at = datetime.fromtimestamp(sealed.pop("expires"), UTC)
        if self._clock() >= expires_at:
            return None
        return Challenge(token, urlsafe_b64decode(sealed.pop("id")), expires_at, sealed)


async def answer(connection: Connection, challenge: Challenge) -> bool:
    """Note that a challenge was answered, and return whether this is the first answer."""
    given = {"id": challenge.id, "expires": challenge.expires_at}
    return bool(await connection.fetch(_ANSWER, **given))


async def is_answered(connection: Connection, challenge: Challenge) -> bool:
    """Return whether a challenge was answered, so that nothing else is spent on it in vain."""
    return bool(await connection.fetch(_ANSWERED, id=challenge.id))


async def delete_expired(db: Database, clock: Clock) -> int:
    """Delete the challenges that can no longer be answered, and return how many those were."""
    now = clock()
    return len(await db.transact(lambda connection: connection.fetch(_DELETE_EXPIRED, now=now)))
