"""Codes that are mailed to an address, to prove that its owner reads it. The only writer of their table.

A code is for one purpose and one address, good for one use and for a while. Rows do not say
whose they are, so that there can be one for any address, whether the bank knows it or not.
"""

import hmac
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256

from sqlalchemy import DateTime, Integer, LargeBinary, bindparam, delete, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col

from bank_graphql.identity.models import EmailCode
from bank_graphql.kit.clock import Clock
from bank_graphql.kit.codes import new_code, shown, typed
from bank_graphql.kit.db import Connection, Database
from bank_graphql.kit.statements import Query, Row

LIFETIME = timedelta(minutes=30)
"""How long a code is good."""
PAUSE = timedelta(minutes=5)
"""How long it takes until another code is made for the same address."""
MAX_GUESSES = 10_000
"""How many codes may be tried: so many that nobody uses them up for somebody else, and far too few to find one of 2^50."""
_LENGTH = 10


class CodePurpose(StrEnum):
    """What a code is for."""

    VERIFY_EMAIL = "VERIFY_EMAIL"
    RESET_PASSWORD = "RESET_PASSWORD"  # noqa: S105 - a purpose


class _CodeRow(Row):
    code_hash: bytes


_name = bindparam("name", type_=LargeBinary())
_now = bindparam("now", type_=DateTime(timezone=True))
_made = insert(EmailCode).values(
    name_hash=_name,
    code_hash=bindparam("code", type_=LargeBinary()),
    guesses=0,
    created_at=_now,
    expires_at=bindparam("expires", type_=DateTime(timezone=True)),
)
_MAKE = Query(
    _made.on_conflict_do_update(
        index_elements=["name_hash"],
        set_={name: _made.excluded[name] for name in ("code_hash", "guesses", "created_at", "expires_at")},
        where=(col(EmailCode.created_at) <= bindparam("recent", type_=DateTime(timezone=True)))
        | (col(EmailCode.guesses) >= bindparam("maximum", type_=Integer())),
    ).returning(col(EmailCode.guesses)),
    Row,
)
_GUESS = Query(
    update(EmailCode)
    .where(
        col(EmailCode.name_hash) == _name,
        col(EmailCode.expires_at) > _now,
        col(EmailCode.guesses) < bindparam("maximum", type_=Integer()),
    )
    .values(guesses=EmailCode.guesses + 1)
    .returning(col(EmailCode.code_hash)),
    _CodeRow,
)
_SPEND = Query(delete(EmailCode).where(col(EmailCode.name_hash) == _name), Row)
_expired = select(col(EmailCode.name_hash)).where(col(EmailCode.expires_at) < _now).with_for_update(skip_locked=True)
_DELETE_EXPIRED = Query(delete(EmailCode).where(col(EmailCode.name_hash).in_(_expired)).returning(col(EmailCode.guesses)), Row)


class EmailCodes:
    """The codes that were mailed.

    Args:
        key: the key of the hashes by which codes and addresses are stored.
        clock: gives the real time.
    """

    def __init__(self, key: bytes, clock: Clock) -> None:
        self._key = hmac.digest(key, b"codes by mail", sha256)
        self._clock = clock

    async def make(self, connection: Connection, purpose: CodePurpose, email_key: str) -> str | None:
        """Return a new code, in place of an older one; None if one was made a moment ago, which is then still good."""
        code, now = new_code(_LENGTH), self._clock()
        name = self._name_of(purpose, email_key)
        given = {
            "name": name,
            "code": self._hash_of(name, code),
            "now": now,
            "expires": now + LIFETIME,
            "recent": now - PAUSE,
            "maximum": MAX_GUESSES,
        }
        return shown(code) if await connection.fetch(_MAKE, **given) else None

    async def spend(self, connection: Connection, purpose: CodePurpose, email_key: str, code: str) -> bool:
        """Spend a code, and return whether it was good. A wrong one counts as a guess, if the transaction is committed."""
        name = self._name_of(purpose, email_key)
        found = await connection.fetch_one(_GUESS, name=name, now=self._clock(), maximum=MAX_GUESSES)
        given = self._hash_of(name, typed(code))
        if found is None or not hmac.compare_digest(found.code_hash, given):
            return False
        await connection.execute(_SPEND, name=name)
        return True

    async def delete_expired(self, db: Database) -> int:
        """Delete the codes that have expired, and return how many those were."""
        now: datetime = self._clock()
        return len(await db.transact(lambda connection: connection.fetch(_DELETE_EXPIRED, now=now)))

    def _name_of(self, purpose: CodePurpose, email_key: str) -> bytes:
        return hmac.digest(self._key, f"{purpose}/{email_key}".encode(), sha256)

    def _hash_of(self, name: bytes, code: str) -> bytes:
        return hmac.digest(self._key, name + code.encode(), sha256)
