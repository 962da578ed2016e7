"""Banks that are broken on purpose. `python -m tests.faults.variants NAME serve …` runs one; the harness must detect each."""

import asyncio
import sys
from collections.abc import Sequence
from contextvars import ContextVar
from typing import Any

from bank_graphql.cli import main
from bank_graphql.kit import embedded
from bank_graphql.kit.db import Connection, Database
from bank_graphql.ledger import service as ledger
from bank_graphql.payments import service
from bank_graphql.payments.decisions import Decisions
from bank_graphql.payments.groups import Group
from bank_graphql.payments.service import Policy
from bank_graphql.payments.state import BatchState


def no_key_check() -> None:
    """Outcomes are not stored under their keys: a repeated request moves money again."""
    write = service._write

    async def without_keys(connection: Connection, policy: Policy, state: BatchState, decisions: Decisions) -> None:
        decisions.new_outcomes.clear()
        await write(connection, policy, state, decisions)

    service._write = without_keys


def split_transaction() -> None:
    """Money and keys are written in two transactions: a crash between them leaves money moved without a key."""
    write, execute = service._write, service.execute_groups
    pending: ContextVar[list[Any]] = ContextVar("pending")

    async def money_first(connection: Connection, policy: Policy, state: BatchState, decisions: Decisions) -> None:
        pending.get()[:] = [(*key, *each.columns(), state.now) for key, each in decisions.new_outcomes.items()]
        decisions.new_outcomes.clear()
        await write(connection, policy, state, decisions)

    async def execute_groups(db: Database, policy: Policy, groups: Sequence[Group]) -> Any:
        rows: list[Any] = []
        pending.set(rows)
        outcomes = await execute(db, policy, groups)
        await asyncio.sleep(0.03)
        await db.transact(lambda connection: connection.insert(service._INSERT_OUTCOMES, rows))
        return outcomes

    service._write = money_first
    service.execute_groups = execute_groups


def lost_update() -> None:
    """No lock is taken: balances are computed from values that other transactions change."""

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
