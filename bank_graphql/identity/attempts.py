"""Limits attempts, such as log-ins from one network, for all processes together: token buckets in the database.

Without the database no attempt is allowed.
"""

import hashlib
from datetime import datetime, timedelta

from sqlalchemy import DateTime, Double, LargeBinary, bindparam, delete, text
from sqlmodel import col

from bank_graphql.identity.models import AttemptBucket
from bank_graphql.kit.clock import utc_now
from bank_graphql.kit.db import Database
from bank_graphql.kit.errors import RateLimited
from bank_graphql.kit.statements import Query, Row

KEPT_FOR = timedelta(minutes=10)
"""For how long a bucket is kept after its last attempt. By then it is empty, whatever its size."""


class _BucketRow(Row):
    level: float
    is_allowed: bool


_SPEND = Query(
    text(
        """
        INSERT INTO attempt_buckets AS b (name_hash, level, is_allowed, updated_at) VALUES (:name_hash, 1, true, now())
        ON CONFLICT (name_hash) DO UPDATE SET (level, is_allowed, updated_at) = (
            SELECT CASE WHEN left_over + 1 <= :maximum THEN left_over + 1 ELSE left_over END, left_over + 1 <= :maximum,
                   greatest(b.updated_at, now())
            FROM (SELECT greatest(0, b.level - greatest(0, extract(epoch FROM now() - b.updated_at)) * :per_second)) o (left_over)
        )
        RETURNING level, is_allowed
        """
    ).bindparams(
        bindparam("name_hash", type_=LargeBinary()),
        bindparam("per_second", type_=Double()),
        bindparam("maximum", type_=Double()),
    ),
    _BucketRow,
)
_DELETE = Query(
    delete(AttemptBucket)
    .where(col(AttemptBucket.updated_at) < bindparam("before", type_=DateTime(timezone=True)))
    .returning(col(AttemptBucket.is_allowed)),
    Row,
)


class Attempts:
    """The buckets of attempts.

    Args:
        db: the database.
        key: the key of the hashes by which buckets are stored.
    """

    def __init__(self, db: Database, key: bytes) -> None:
        self._db = db
        self._key = key

    async def spend(self, bucket: str, per_minute: int) -> None:
        """Count an attempt in a bucket that holds `per_minute` and empties at that rate.

        Raises:
            RateLimited: it is full. The attempt is not counted.
            Unavailable: the database cannot be reached.
        """
        given = {
            "name_hash": hashlib.blake2b(bucket.encode(), digest_size=16, key=self._key).digest(),
            "per_second": per_minute / 60,
            "maximum": float(per_minute),
        }
        [found] = await self._db.transact(lambda connection: connection.fetch(_SPEND, **given))
        if not found.is_allowed:
            raise RateLimited(retry_after=max(1, round((found.level + 1 - per_minute) * 60 / per_minute + 0.5)))

    async def delete_old(self) -> int:
        """Delete the buckets that are empty, and return how many those were."""
        before: datetime = utc_now() - KEPT_FOR
        return len(await self._db.transact(lambda connection: connection.fetch(_DELETE, before=before)))
