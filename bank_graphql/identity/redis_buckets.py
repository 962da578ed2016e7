"""Token buckets in Redis or Valkey, which all processes share. Each is changed by a script, so that none is read in between."""

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from bank_graphql.identity.attempts import KEPT_FOR, full, hash_of
from bank_graphql.kit.errors import Unavailable

if TYPE_CHECKING:
    from redis.asyncio import Redis

TIMEOUT_SECONDS = 2
_SCRIPT = """
local found = redis.call('HMGET', KEYS[1], 'level', 'at')
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
local per_minute, cost = tonumber(ARGV[1]), tonumber(ARGV[2])
local level = tonumber(found[1] or 0)
level = math.max(0, level - math.max(0, now - tonumber(found[2] or now)) * per_minute / 60)
local allowed = 1
if ARGV[3] == 'add' then level = math.min(per_minute, level + cost)
elseif level + cost <= per_minute then level = level + cost
else allowed = 0 end
redis.call('HSET', KEYS[1], 'level', level, 'at', now)
redis.call('EXPIRE', KEYS[1], ARGV[4])
return {allowed, tostring(level)}
"""


class RedisBuckets:
    """The buckets in Redis or Valkey. They are gone by themselves when nobody has used them for some minutes.

    Args:
        address: `redis://…`.
        key: the key of the hashes by which buckets are stored.
    """

    def __init__(self, address: str, key: bytes) -> None:
        import redis.asyncio  # noqa: PLC0415 - takes a tenth of the start-up time, which only processes with Redis should spend

        self._errors = (redis.RedisError, OSError)
        self._client: Redis = redis.asyncio.from_url(
            address, socket_connect_timeout=TIMEOUT_SECONDS, socket_timeout=TIMEOUT_SECONDS
        )
        self._run = self._client.register_script(_SCRIPT)
        self._key = key

    async def spend(self, bucket: str, per_minute: int) -> None:
        """Count an attempt. See `attempts.Buckets`."""
        [(is_allowed, level)] = await self._answers([self._change(bucket, per_minute, 1, "spend")])
        if not is_allowed:
            raise full(float(level), per_minute)

    async def add(self, costs: Mapping[str, int], per_minute: int) -> dict[str, float]:
        """Add costs to buckets. See `attempts.Buckets`."""
        answers = await self._answers([self._change(name, per_minute, cost, "add") for name, cost in costs.items()])
        return {name: float(level) for name, (_, level) in zip(costs, answers, strict=True)}

    async def delete_old(self) -> int:
        """Delete nothing: old buckets expire by themselves."""
        return 0

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    def _change(self, bucket: str, per_minute: int, cost: int, how: str) -> Awaitable[Any]:
        given = (per_minute, cost, how, int(KEPT_FOR.total_seconds()))
        return self._run(keys=[b"bank:bucket:" + hash_of(bucket, self._key)], args=given)

    async def _answers(self, changes: Sequence[Awaitable[Any]]) -> list[tuple[int, bytes]]:
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                return [(answer[0], answer[1]) for answer in await asyncio.gather(*changes)]
        except self._errors as error:
            raise Unavailable from error
