"""Executes the commands of requests in batches: each batch is one transaction."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from time import perf_counter

from bank_graphql.kit.batch import Batcher
from bank_graphql.kit.db import Database
from bank_graphql.kit.errors import Refusal
from bank_graphql.kit.tracing import Tracing
from bank_graphql.payments import service as payments
from bank_graphql.payments.groups import GROUP_MAX, Group
from bank_graphql.payments.outcomes import Outcome
from bank_graphql.settings import Settings

LOCKS_PER_COMMAND = 3
"""One for the idempotency key, and one for each of two accounts."""
BATCHES_AT_A_TIME = 3


def max_locks(settings: Settings) -> int:
    """Return how many locks commands hold at a time."""
    return _max_concurrent_commands(settings) * LOCKS_PER_COMMAND


def batched_execute(
    db: Database,
    policy: payments.Policy,
    settings: Settings,
    *,
    after_each: Callable[[], None],
    stack: AsyncExitStack,
    tracing: Tracing | None,
) -> Callable[[Group], Awaitable[list[Outcome]]]:
    """Return a function that executes a group in a batch with others; `after_each` is called after each batch."""

    async def execute_batch(groups: Sequence[Group]) -> Sequence[list[Outcome] | Refusal]:
        started, size = perf_counter(), sum(len(group.commands) for group in groups)
        for group in groups:
            group.on_batch(size)
        try:
            return await payments.execute_groups(db, policy, groups)
        finally:
            policy.metrics.batch_ended(perf_counter() - started)
            after_each()

    async def execute_traced(groups: Sequence[Group]) -> Sequence[list[Outcome] | Refusal]:
        with tracing.batch(sum(len(group.commands) for group in groups), [group.span for group in groups]):  # type: ignore[union-attr]
            return await execute_batch(groups)

    batcher: Batcher[Group, list[Outcome]] = Batcher(
        execute_traced if tracing else execute_batch,
        size_of=lambda group: len(group.commands),
        max_batch_size=settings.batch_max,
        max_queue_size=settings.batch_queue,
        owner_of=lambda group: group.sender_id,
        max_queue_size_per_owner=settings.batch_queue // 4,
        max_concurrent_batches=BATCHES_AT_A_TIME,
        max_concurrent_size=_max_concurrent_commands(settings),
        min_start_ratio=0.5,
        on_start=policy.metrics.batch_started,
    )
    policy.metrics.watch_queue(batcher)
    stack.push_async_callback(batcher.close)

    async def execute_parts(group: Group) -> list[Outcome]:
        return [outcome for part in group.split(settings.batch_max) for outcome in await batcher.submit(part)]

    async def execute(group: Group) -> list[Outcome]:
        if tracing is not None:
            group = replace(group, span=tracing.current())
        if len(group.commands) <= settings.batch_max:
            return await batcher.submit(group)
        # Very large transactions would nearly always share an account, and wait for one another: hence the parts. There must be
        # room for all of them now. They run one after another, also if the caller goes away, and a later one may be refused.
        batcher.require_room(group)
        return await asyncio.shield(asyncio.create_task(execute_parts(group)))

    return execute


def _max_concurrent_commands(settings: Settings) -> int:
    """Return how many commands may be executed at a time: full batches, or the largest atomic group beside smaller ones."""
    return max(settings.batch_max * BATCHES_AT_A_TIME, GROUP_MAX * 3 // 2)
