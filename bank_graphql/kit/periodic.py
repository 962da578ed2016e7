"""Jobs that run again and again beside the requests. A job that fails is tried again next time; no job outlives its owner."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import structlog

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Job:
    """Something to do every so many seconds. Several processes may do it at the same time."""

    name: str
    seconds: float
    run: Callable[[], Awaitable[object]]


@asynccontextmanager
async def running(jobs: Sequence[Job]) -> AsyncIterator[None]:
    """Run the jobs until leaving."""
    tasks = [asyncio.create_task(_repeat(job)) for job in jobs]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _repeat(job: Job) -> None:
    while True:
        # Not all processes at the same moment.
        await asyncio.sleep(job.seconds * random.uniform(0.8, 1.2))  # noqa: S311 - no secret
        try:
            await job.run()
        except Exception as error:  # noqa: BLE001 - whatever it is, the next time may go well
            _log.warning("a job failed and is tried again", job=job.name, exc_info=error)
