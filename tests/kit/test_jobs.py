"""Periodic jobs."""

import asyncio
from datetime import datetime

from structlog.testing import capture_logs

from bank_graphql.kit.jobs import DueJob, Job, JobMetrics, running
from bank_graphql.kit.metrics import Metrics


async def test_a_job_runs_again_after_a_failure_and_stops_with_its_block() -> None:
    runs = 0
    enough = asyncio.Event()
    metrics = Metrics()

    async def work() -> None:
        nonlocal runs
        runs += 1
        if runs == 1:
            raise RuntimeError("once")
        if runs == 3:
            enough.set()

    with capture_logs() as logged:
        async with running([Job("work", 0.001, work)], JobMetrics(metrics)), asyncio.timeout(10):
            await enough.wait()
    assert [line["event"] for line in logged if line.get("job") == "work"] == ["a job failed and is tried again"]
    ended = runs
    exposed = (await metrics.expose()).decode()
    assert 'bank_job_runs_total{outcome="failed",task="work"} 1.0' in exposed
    assert 'bank_job_interval_seconds{task="work"} 0.001' in exposed
    for _ in range(20):
        await asyncio.sleep(0)
    assert runs == ended


async def test_what_was_due_and_is_done_is_logged_with_how_long_it_took() -> None:
    left = [3, 0]
    looked = asyncio.Event()

    async def run_due() -> int:
        if left:
            return left.pop(0)
        looked.set()
        return 0

    async def next_due(_: datetime) -> None:
        return None

    metrics = Metrics()
    with capture_logs() as logged:
        jobs = [DueJob("pay", 0.001, run_due, next_due).job]
        async with running(jobs, JobMetrics(metrics)), asyncio.timeout(10):
            await looked.wait()
    [line] = [line for line in logged if line.get("job") == "pay"]
    assert (line["event"], line["count"]) == ("what was due is done", 3)
    assert line["seconds"] >= 0
    assert 'bank_job_duration_seconds_count{task="pay"}' in (await metrics.expose()).decode()
