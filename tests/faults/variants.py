"""Banks that are broken on purpose. `python -m tests.faults.variants NAME serve …` runs one; the harness must catch each."""

import asyncio
import sys
from collections.abc import Sequence
from typing import Any

from bank_graphql.cli import main
from bank_graphql.kit import embedded
from bank_graphql.kit.db import Connection, Database
from bank_graphql.ledger import service as ledger
from bank_graphql.payments import service
from bank_graphql.payments.commands import Group


def no_key_check() -> None:
    """Keys are neither looked up nor remembered: a repetition moves money again."""
    write = service._Batch._write

    async def forget(self: Any, facts: Any, book: Any) -> None:
        self._new = {}
        await write(self, facts, book)

    service._Batch._write = forget  # type: ignore[method-assign]


def split_transaction() -> None:
    """Money and key are written in two transactions: who dies in between has moved money that no key remembers."""
    write = service._Batch._write

    async def money_first(self: Any, facts: Any, book: Any) -> None:
        self.owed, self._new = self._new, {}
        self.facts = facts
        await write(self, facts, book)

    service._Batch._write = money_first  # type: ignore[method-assign]

    async def execute_groups(db: Database, policy: Any, groups: Sequence[Group]) -> Any:
        batches = []

        async def move(connection: Connection) -> Any:
            batches.append(service._Batch(connection, policy, groups))
            return await batches[-1].run()

        outcomes = await db.transact(move)
        await asyncio.sleep(0.03)
        batch: Any = batches[-1]
        rows = [(*key, *new.stored(), batch.facts.now) for key, new in batch.owed.items()]
        await db.transact(lambda connection: connection.insert(service._REMEMBER, rows))
        return outcomes

    service.execute_groups = execute_groups


def lost_update() -> None:
    """Nothing is locked: balances are computed from what others are changing."""

    async def unlocked(connection: Connection, keys: Any) -> None:
        return None

    ledger.lock = unlocked


def commits_that_are_not_durable() -> None:
    """PostgreSQL answers before a commit is on the disk."""
    embedded.SETTINGS.update({"synchronous_commit": "off", "wal_writer_delay": "10s"})


VARIANTS = {each.__name__: each for each in (no_key_check, split_transaction, lost_update, commits_that_are_not_durable)}


if __name__ == "__main__":
    VARIANTS[sys.argv.pop(1)]()
    main()
