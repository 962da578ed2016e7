"""Verification of the ledger, cards and payments at the end of a test."""

from bank_graphql.bank import CHECKS
from bank_graphql.kit.db import Database
from bank_graphql.ledger.verification import verify


async def assert_verified(db: Database) -> None:
    """Assert that no check of any room finds a discrepancy."""
    findings = await verify(db, CHECKS)
    assert [(finding.name, finding.first_problem) for finding in findings if not finding.ok] == []
