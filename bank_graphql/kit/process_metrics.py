"""Metrics of each process: its memory, its processor time, and how late its event loop runs."""

import asyncio
import resource
import sys
import time
from pathlib import Path

from bank_graphql.kit.jobs import Job
from bank_graphql.kit.metrics import Increments, Metrics

SAMPLE_SECONDS = 1.0
_STATM = Path("/proc/self/statm")


class ProcessMetrics:
    """Samples the process and all other metrics periodically.

    Args:
        metrics: where to declare them.
    """

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._lag = metrics.histogram("bank_event_loop_lag_seconds", "How late the event loop ran a timer.")
        self._memory = metrics.gauge(
            "bank_resident_memory_bytes", "Resident memory of the server's processes.", of_processes="livesum"
        )
        self._processes = metrics.gauge("bank_processes", "Processes that serve.", of_processes="livesum")
        cpu = metrics.counter("bank_cpu_seconds", "Processor time of the server's processes.")
        self._cpu = Increments(cpu.inc)
        metrics.sample(self._take)

    @property
    def job(self) -> Job:
        """The job that takes all samples once a second, and measures how late it is itself."""
        return Job("sample metrics", SAMPLE_SECONDS, self._run)

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time() + 0.01
        await asyncio.sleep(0.01)
        self._lag.observe(max(0.0, loop.time() - due))
        self._metrics.take_samples()

    def _take(self) -> None:
        self._memory.set(_resident_bytes())
        self._processes.set(1)
        self._cpu.update(time.process_time())


def _resident_bytes() -> int:
    if _STATM.exists():
        return int(_STATM.read_text(encoding="ascii").split()[1]) * resource.getpagesize()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # macOS has no present value, and its unit is bytes
    return peak if sys.platform == "darwin" else peak * 1024
