"""Jobs that a process runs periodically, besides serving requests."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from time import perf_counter, time

import structlog

from bank_graphql.kit.metrics import Metrics
from bank_graphql.kit.statements import Row

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Job:
    """A job that runs at an interval. Several processes may run it at the same time.

    Attributes:
        name: what the logs call it.
        seconds: the interval between two runs.
        run: runs the job once.
        counts: whether that returns how much was done, which is logged.
    """

    name: str
    seconds: float
    run: Callable[[], Awaitable[object]]
    counts: bool = False


class DueRow(Row):
    """When something first falls due; None if nothing does."""

    due_at: datetime | None


@dataclass(frozen=True, slots=True)
class DueJob:
    """Does what falls due by the bank's time. Several processes may run it at the same time.

    Attributes:
        name: what it does, in a few words, e.g. "expire holds".
        seconds: the interval at which to look for what is due.
        run_due: does all that is due, and returns how many things those were.
        next_due: returns when something first falls due after a time; None if nothing does.
    """

    name: str
    seconds: float
    run_due: Callable[[], Awaitable[int]]
    next_due: Callable[[datetime], Awaitable[datetime | None]]

    @property
    def job(self) -> Job:
        """The job that runs it periodically."""
        return Job(self.name, self.seconds, self.run_due, counts=True)


class JobMetrics:
    """Counts the runs of jobs, and keeps when each has last succeeded.

    The label is `task`, because `job` is Prometheus's own.

    Args:
        metrics: where to declare them.
    """

    def __init__(self, metrics: Metrics) -> None:
        self._runs = metrics.counter("bank_job_runs", "Runs of periodic jobs.", "task", "outcome")
        self._durations = metrics.histogram("bank_job_duration_seconds", "How long runs of periodic jobs took.", "task")
        self._succeeded = metrics.gauge(
            "bank_job_success_timestamp_seconds", "When a job last succeeded, in Unix time.", "task", of_processes="max"
        )
        self._interval = metrics.gauge("bank_job_interval_seconds", "How often a job is to run.", "task", of_processes="max")

    def start(self, job: Job) -> None:
        """Begin to watch a job. It counts as having succeeded just now, so that it is overdue only when it should have run."""
        self._interval.labels(job.name).set(job.seconds)
        self._succeeded.labels(job.name).set(time())
        self._runs.labels(job.name, "failed")

    def record(self, job: Job, seconds: float, *, succeeded: bool) -> None:
        """Count a run, and observe how long it took."""
        self._durations.labels(job.name).observe(seconds)
        self._runs.labels(job.name, "done" if succeeded else "failed").inc()
        if succeeded:
            self._succeeded.labels(job.name).set(time())


@asynccontextmanager
async def running(jobs: Sequence[Job], metrics: JobMetrics) -> AsyncIterator[None]:
    """Run the jobs inside an `async with` block, and cancel them at its end. A job that fails runs again at its next time."""
    for job in jobs:
        metrics.start(job)
    tasks = [asyncio.create_task(_repeat(job, metrics)) for job in jobs]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _repeat(job: Job, metrics: JobMetrics) -> None:
    while True:
        # Jitter, so that not all processes run the job at the same moment.
        await asyncio.sleep(job.seconds * random.uniform(0.8, 1.2))  # noqa: S311 - no secret
        began = perf_counter()
        try:
            done = await job.run()
            seconds = perf_counter() - began
            metrics.record(job, seconds, succeeded=True)
            if job.counts and done:
                _log.info("what was due is done", job=job.name, count=done, seconds=round(seconds, 3))
        except Exception as error:  # noqa: BLE001 - whatever the error is, the next run may succeed
            metrics.record(job, perf_counter() - began, succeeded=False)
            _log.warning("a job failed and is tried again", job=job.name, exc_info=error)
