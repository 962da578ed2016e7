"""Metrics in Prometheus's format: counted by each process, and exposed by any of them for all processes of a server.

The rooms declare what they measure in their `metrics.py`. Labels have few possible values, and none of them comes from a client.
What is stored in the database is read when somebody looks, and not again for some seconds.
"""

import asyncio
import os
import shutil
import struct
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector

from bank_graphql.kit.errors import Unavailable

SHARED_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
"""The environment's name of the folder by which processes share their metrics. `prometheus_client` reads it when imported."""
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
"""Bounds of histograms of durations."""
SIZES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
"""Bounds of histograms of sizes."""
disable_created_metrics()  # type: ignore[no-untyped-call] # the time at which each series was made would double their number
_ATTEMPTS = 20
_WAIT_SECONDS = 3.0
"""How long an exposition waits for figures. Prometheus gives the whole page ten seconds."""
_log = structlog.get_logger(__name__)
Read = Callable[[], Awaitable[Iterable[Metric]]]
"""Reads figures that are stored somewhere, such as in the database."""


class Metrics:
    """The metrics of an application.

    Args:
        monotonic: returns the time in seconds.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._registry = CollectorRegistry()
        self._figures: list[_Figures] = []
        self._samples: list[Callable[[], None]] = []

    def counter(self, name: str, description: str, *labels: str) -> Counter:
        """Return a new counter. Its name is exposed with the suffix `_total`."""
        return Counter(name, description, labels, registry=self._registry)

    def histogram(self, name: str, description: str, *labels: str, bounds: Sequence[float] = SECONDS) -> Histogram:
        """Return a new histogram."""
        return Histogram(name, description, labels, buckets=bounds, registry=self._registry)

    def gauge(self, name: str, description: str, *labels: str, of_processes: Literal["livesum", "livemax", "max"]) -> Gauge:
        """Return a new gauge; `of_processes` says how the values of several processes become one."""
        return Gauge(name, description, labels, registry=self._registry, multiprocess_mode=of_processes)

    def sample(self, take: Callable[[], None]) -> None:
        """Have `take` called periodically and before each exposition: it sets gauges, and adds to counters what is new."""
        self._samples.append(take)

    def take_samples(self) -> None:
        """Take all samples now."""
        for take in self._samples:
            take()

    def figures(self, read: Read, *, seconds: float) -> None:
        """Have `read` called at expositions, but not again within `seconds`, nor within 20 times as long as it took."""
        self._figures.append(_Figures(read, seconds, self._monotonic))

    def close(self) -> None:
        """Stop reading figures."""
        for figures in self._figures:
            figures.cancel()

    async def expose(self) -> bytes:
        """Return the exposition of all processes of this server, in Prometheus's text format."""
        self.take_samples()
        folder = os.environ.get(SHARED_FOLDER)
        counted = generate_latest(self._registry) if folder is None else await _of_all_processes(Path(folder))
        stored = CollectorRegistry()
        current = await asyncio.gather(*(figures.current() for figures in self._figures))
        stored.register(_Collected([metric for figures in current for metric in figures]))
        return counted + generate_latest(stored)


@contextmanager
def shared_by_processes() -> Iterator[None]:
    """Inside a `with` block, processes that this one starts share their metrics, and each of them exposes those of all."""
    for left in Path(tempfile.gettempdir()).glob("bank-metrics-*-*"):  # by a process that was killed
        if _has_ended(left.name.split("-")[2]):
            shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=f"bank-metrics-{os.getpid()}-") as folder:
        os.environ[SHARED_FOLDER] = folder
        try:
            yield
        finally:
            del os.environ[SHARED_FOLDER]


async def _of_all_processes(folder: Path) -> bytes:
    """Return the exposition of what all processes have counted. It is tried again while a process that starts makes its files."""
    _drop_gauges_of_the_dead(folder)
    attempt = 0
    while True:
        registry = CollectorRegistry()
        try:
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call] # registers itself
            return generate_latest(registry)
        except (OSError, ValueError, RuntimeError, struct.error):
            attempt += 1
            if attempt == _ATTEMPTS:
                raise
            await asyncio.sleep(0.05)


def _drop_gauges_of_the_dead(folder: Path) -> None:
    """Delete the gauges of processes that have ended, and files that they have not begun to fill. What they counted stays."""
    for file in folder.glob("*.db"):
        with suppress(FileNotFoundError):
            is_stale = file.name.startswith("gauge_live") or file.stat().st_size == 0
            if is_stale and _has_ended(file.stem.rpartition("_")[2]):
                file.unlink()


def _has_ended(process: str) -> bool:
    return Path("/proc/self").exists() and not Path(f"/proc/{process}").exists()


def gauge_family(name: str, description: str, labels: Sequence[str] = ()) -> GaugeMetricFamily:
    """Return an empty gauge for stored figures; `add_metric(labels, value)` adds to it."""
    return GaugeMetricFamily(name, description, labels=labels)


class Increments:
    """Adds the increase of a number that something else counts to a counter of metrics.

    Args:
        add: adds to the counter.
    """

    def __init__(self, add: Callable[[float], None]) -> None:
        self._add = add
        self._last = 0.0

    def update(self, count: float) -> None:
        """Add what `count` has increased by since the last call."""
        if count > self._last:
            self._add(count - self._last)
            self._last = count


class _Collected:
    """A collector of metrics that are read already."""

    def __init__(self, metrics: Sequence[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterable[Metric]:
        return self._metrics


class _Figures:
    """Stored figures, and how long they are current. While they cannot be read there are none."""

    def __init__(self, read: Read, seconds: float, monotonic: Callable[[], float]) -> None:
        self._read = read
        self._seconds = seconds
        self._monotonic = monotonic
        self._reading: asyncio.Task[None] | None = None
        self._metrics: Sequence[Metric] = ()
        self._expires_at = float("-inf")

    async def current(self) -> Sequence[Metric]:
        """Return the figures. If reading them takes long, it goes on, and the next exposition has them."""
        if self._reading is None and self._monotonic() >= self._expires_at:
            self._reading = asyncio.create_task(self._read_again())
        if self._reading is not None:
            await asyncio.wait([self._reading], timeout=_WAIT_SECONDS)
        return self._metrics

    def cancel(self) -> None:
        if self._reading is not None:
            self._reading.cancel()

    async def _read_again(self) -> None:
        started = self._monotonic()
        try:
            self._metrics = list(await self._read())
        except Unavailable:
            self._metrics = ()
        except Exception as error:  # noqa: BLE001 - one room's figures must not hide those of the others
            _log.warning("figures cannot be read", exc_info=error)
            self._metrics = ()
        finally:
            self._expires_at = started + max(self._seconds, 20 * (self._monotonic() - started))
            self._reading = None
