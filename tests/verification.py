"""Verification of the books at the end of a test, and of books that a test has changed."""

from collections.abc import Sequence

import asyncpg

from bank_graphql.bank import CHECKS
from bank_graphql.kit.checks import Examination
from bank_graphql.kit.db import Connection, Database
from bank_graphql.ledger.verification import verify


async def assert_verified(db: Database) -> None:
    """Assert that no check of any room finds a discrepancy."""
    findings = await verify(db, CHECKS)
    assert [(finding.name, finding.first_problem) for finding in findings if not finding.ok] == []


async def found_wrong(raw: "asyncpg.Connection[asyncpg.Record]", checks: Sequence[Examination], change: str) -> set[str]:
    """Return the checks that find something wrong after a change of the books, which is then undone."""
    changed = raw.transaction()
    await changed.start()
    try:
        await raw.execute(change)
        findings = [await check.examine(Connection(raw)) for check in checks]  # type: ignore[arg-type]
    finally:
        await changed.rollback()
    return {finding.name for finding in findings if not finding.ok}
