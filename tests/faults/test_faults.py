"""Faults violate nothing, and the harness detects a bank that is broken."""

import os
from pathlib import Path

import pytest

from tests.faults.harness import MIN_MOVED, run
from tests.faults.variants import VARIANTS

pytestmark = [
    pytest.mark.skipif("TEST_DATABASE_URL" in os.environ, reason="it kills its own PostgreSQL, never another's"),
    pytest.mark.timeout(180),
]


@pytest.mark.parametrize("seconds", [5, pytest.param(60, marks=pytest.mark.deep)])
async def test_killed_processes_lose_double_and_falsify_nothing(folder: Path, seconds: float) -> None:
    report = await run(folder, seconds=seconds, seed=20261124)
    assert report.violations == []
    assert report.counts["kills of a server"] >= 1
    assert report.counts["kills of PostgreSQL"] >= 1
    assert report.counts["MoneyMoved"] >= MIN_MOVED


@pytest.mark.deep  # it tests the harness, which seldom changes
@pytest.mark.parametrize("variant", VARIANTS)
async def test_a_broken_bank_is_detected(folder: Path, variant: str) -> None:
    report = await run(folder, seconds=50, seed=7, variant=variant)
    assert report.violations
