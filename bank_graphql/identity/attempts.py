"""Token buckets that all processes share: in the database, or in Redis or Valkey (`redis_buckets`).

Attempts, such as log-ins from one network, are counted there each time: without the database none is allowed. What requests cost
is added every second, so that no request waits for it: without the database each process grants the full rate.
"""

import hashlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Protocol

from sqlalchemy import ARRAY, DateTime, Double, LargeBinary, bindparam, delete, text
from sqlmodel import col

from bank_graphql.identity.models import AttemptBucket
from bank_graphql.kit.clock import utc_now
from bank_graphql.kit.db import Database
from bank_graphql.kit.errors import RateLimited
from bank_graphql.kit.rate_limiter import RateLimiter
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


class _UsedRow(Row):
    position: int
    level: float


_new = "unnest(:names, :costs) WITH ORDINALITY AS new (name_hash, cost, position)"
_ADD = Query(
    text(
        f"""
        WITH new AS MATERIALIZED (SELECT * FROM {_new}), added AS (
            INSERT INTO attempt_buckets AS b (name_hash, level, is_allowed, updated_at)
            SELECT name_hash, cost, true, now() FROM new ORDER BY name_hash
            ON CONFLICT (name_hash) DO UPDATE SET (level, updated_at) = (
                least(:maximum, excluded.level
                      + greatest(0, b.level - greatest(0, extract(epoch FROM now() - b.updated_at)) * :per_second)),
                greatest(b.updated_at, now())
            )
            RETURNING name_hash, level
        )
        SELECT new.position, added.level FROM new JOIN added USING (name_hash)
        """  # noqa: S608 - made of constants
    ).bindparams(
        bindparam("names", type_=ARRAY(LargeBinary())),
        bindparam("costs", type_=ARRAY(Double())),
        bindparam("per_second", type_=Double()),
        bindparam("maximum", type_=Double()),
    ),
    _UsedRow,
)
_DELETE = Query(
    delete(AttemptBucket)
    .where(col(AttemptBucket.updated_at) < bindparam("before", type_=DateTime(timezone=True)))
    .returning(col(AttemptBucket.is_allowed)),
    Row,
)


class Buckets(Protocol):
    """Buckets that all processes share."""

    async def spend(self, bucket: str, per_minute: int) -> None:
        """Count an attempt in a bucket that holds `per_minute` and empties at that rate.

        Raises:
            RateLimited: it is full. The attempt is not counted.
            Unavailable: the buckets cannot be reached.
        """

    async def add(self, costs: Mapping[str, int], per_minute: int) -> dict[str, float]:
        """Add costs to buckets that hold `per_minute`, and return how much is used of each.

        Raises:
            Unavailable: the buckets cannot be reached.
        """

    async def delete_old(self) -> int:
        """Delete the buckets that are empty, and return how many those were."""


class PostgresBuckets:
    """The buckets in the database.

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
            "name_hash": hash_of(bucket, self._key),
            "per_second": per_minute / 60,
            "maximum": float(per_minute),
        }
        [found] = await self._db.transact(lambda connection: connection.fetch(_SPEND, **given))
        if not found.is_allowed:
            raise full(found.level, per_minute)

    async def add(self, costs: Mapping[str, int], per_minute: int) -> dict[str, float]:
        """Add costs to buckets. See `Buckets`."""
        names = list(costs)
        given = {
            "names": [hash_of(name, self._key) for name in names],
            "costs": [float(costs[name]) for name in names],
            "per_second": per_minute / 60,
            "maximum": float(per_minute),
        }
        rows = await self._db.transact(lambda connection: connection.fetch(_ADD, **given))
        return {names[row.position - 1]: row.level for row in rows}

    async def delete_old(self) -> int:
        """Delete the buckets that are empty, and return how many those were."""
        before: datetime = utc_now() - KEPT_FOR
        return len(await self._db.transact(lambda connection: connection.fetch(_DELETE, before=before)))


def hash_of(bucket: str, key: bytes) -> bytes:
    """Return the hash under which a bucket is stored, because its name holds an address."""
    return hashlib.blake2b(bucket.encode(), digest_size=16, key=key).digest()


def full(level: float, per_minute: int) -> RateLimited:
    """Return the refusal of an attempt on a bucket that is full to this level."""
    return RateLimited(retry_after=max(1, round((level + 1 - per_minute) * 60 / per_minute + 0.5)))


async def share_costs(limiter: RateLimiter, buckets: Buckets) -> None:
    """Tell the other processes what was spent here, and learn what they have spent."""
    by_limit: dict[int, dict[str, int]] = {}
    for (bucket, per_minute), cost in limiter.take_spent().items():
        by_limit.setdefault(per_minute, {})[bucket] = cost
    for per_minute, costs in by_limit.items():
        for bucket, used in (await buckets.add(costs, per_minute)).items():
            limiter.note_shared(bucket, used, per_minute=per_minute)
