"""Metrics: what is exposed, and how often stored figures are read."""

import asyncio
import os
import struct
from collections.abc import Iterable
from pathlib import Path

import pytest
from prometheus_client.core import Metric

from bank_graphql.kit.errors import Unavailable
from bank_graphql.kit.metrics import SHARED_FOLDER, Increments, Metrics, gauge_family


async def test_stored_figures_are_read_again_only_after_their_time() -> None:
    now, reads = 0.0, 0
    metrics = Metrics(lambda: now)

    async def read() -> Iterable[Metric]:
        nonlocal reads, now
        reads += 1
        now += 1  # a read takes a second, so it is repeated after twenty at the earliest
        family = gauge_family("bank_reads", "How often it was read.")
        family.add_metric([], reads)
        return [family]

    metrics.figures(read, seconds=5)
    for at, seen in ((0, 1), (10, 1), (19, 1), (21, 2)):
        now = max(now, at)
        assert f"bank_reads {seen}.0" in (await metrics.expose()).decode()


async def test_figures_that_cannot_be_read_do_not_hide_the_others() -> None:
    metrics = Metrics()

    async def unavailable() -> Iterable[Metric]:
        raise Unavailable

    async def wrong() -> Iterable[Metric]:
        raise RuntimeError("the secret cause")

    metrics.figures(unavailable, seconds=1)
    metrics.figures(wrong, seconds=1)
    metrics.counter("bank_things", "Things.").inc()
    exposed = (await metrics.expose()).decode()
    assert "bank_things_total 1.0" in exposed
    assert "secret" not in exposed


async def test_samples_are_taken_before_an_exposition() -> None:
    metrics, counted = Metrics(), 0
    increments = Increments(metrics.counter("bank_things", "Things.").inc)
    metrics.sample(lambda: increments.update(counted))
    for counted in (3, 3, 5):
        assert f"bank_things_total {counted}.0" in (await metrics.expose()).decode()


async def test_an_exposition_waits_for_a_process_that_makes_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SHARED_FOLDER, str(tmp_path))
    file = tmp_path / f"counter_{os.getpid()}.db"
    file.touch()  # as it is for a moment
    asyncio.get_running_loop().call_later(0.1, file.write_bytes, struct.pack("i", 8) + bytes(60))
    assert await Metrics().expose() == b""


async def test_figures_that_take_long_do_not_hold_the_page_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bank_graphql.kit.metrics._WAIT_SECONDS", 0.01)
    metrics, done = Metrics(), asyncio.Event()

    async def read() -> Iterable[Metric]:
        await done.wait()
        family = gauge_family("bank_slow", "What takes long to read.")
        family.add_metric([], 1)
        return [family]

    metrics.figures(read, seconds=60)
    metrics.counter("bank_things", "Things.").inc()
    for _ in range(2):
        exposed = (await metrics.expose()).decode()
        assert "bank_things_total 1.0" in exposed
        assert "bank_slow" not in exposed
    done.set()
    assert "bank_slow 1.0" in (await metrics.expose()).decode()
