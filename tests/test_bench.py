"""The measurements work: their data verifies, their loads are answered, and their table is right. No time is asserted."""

import shutil
from pathlib import Path

import pytest

from bank_graphql.kit.db import Database
from bench import data, feed, load, measures, report, requests, sides
from tests.verification import assert_verified

SIZE = data.Size(accounts=320, entries=4_000, deep=40)


@pytest.fixture
async def filled(server: str, new_database: object) -> str:
    """A small bank, filled like the large ones."""
    return await sides.database(server, "bank_test_bench", SIZE)


@pytest.mark.timeout(240)
@pytest.mark.skipif(shutil.which("wrk") is None, reason="wrk is not installed; .ci/run installs it")
@pytest.mark.deep
async def test_the_loads_are_answered_and_the_bank_verifies_afterwards(filled: str, folder: Path) -> None:
    async with sides.bank(filled, folder) as bank:
        await bank.log_in()
        for each in (
            requests.nested(bank),
            requests.point(bank, SIZE.accounts),
            requests.of_schema(bank),
            requests.transfer(bank, SIZE.accounts),
            requests.transfer(bank, SIZE.accounts, hot=True),
            requests.batch(bank, SIZE.accounts, 5),
        ):
            result = await load.run(each, clients=4, seconds=1)
            assert result.per_second > 0
        received = await feed.measure(bank, subscribers=20, events_per_second=40, seconds=1)
        assert len(received.delays) == received.expected > 0
        assert bank.memory > 0
    db = await Database.open(filled)
    await assert_verified(db)
    await db.close()


def test_the_table_shows_which_measures_met_their_targets() -> None:
    rows = [
        measures.Row("reads", "other", "requests/s", [300, 200, 210], [100, 90, 110], target=2, generator=0.08),
        measures.Row("memory", "—", "MB", [300], target=250, is_maximum=True),
    ]
    table = report.table(rows)
    assert "| reads | other | 210 requests/s [200–300] | 100 requests/s [90–110] | 2.10× | ≥ 2× | yes | 8% of a core |" in table
    assert "| memory | — | 300 MB |  |  | ≤ 250 MB | **no** |  |" in table
