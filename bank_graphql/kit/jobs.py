"""Jobs that a process runs periodically, besides serving requests."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import structlog

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Job:
    """A job that runs at an interval. Several processes may run it at the same time.

    Attributes:
        name: what the logs call it.
        seconds: the interval between two runs.
        run: runs the job once.
    """

    name: str
    seconds: float
    run: Callable[[], Awaitable[object]]


@asynccontextmanager
async def running(jobs: Sequence[Job]) -> AsyncIterator[None]:
    """Run the jobs inside an `async with` block, and cancel them at its end. A job that fails runs again at its next time."""
    tasks = [asyncio.create_task(_repeat(job)) for job in jobs]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _repeat(job: Job) -> None:
    while True:
        # Jitter, so that not all processes run the job at the same moment.
        await asyncio.sleep(job.seconds * random.uniform(0.8, 1.2))  # noqa: S311 - no secret
        try:
            await job.run()
        except Exception as error:  # noqa: BLE001 - whatever the error is, the next run may succeed
            _log.warning("a job failed and is tried again", job=job.name, exc_info=error)
