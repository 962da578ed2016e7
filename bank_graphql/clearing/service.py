"""Writes what payments add to the clearing's tables."""

from collections.abc import Iterable

from bank_graphql.clearing.models import ExternalTransaction
from bank_graphql.clearing.rules import ExternalPayment
from bank_graphql.kit.statements import Insert, Update, Writes

_INSERT = Insert(
    ExternalTransaction,
    *("transaction_id", "account_number", "name", "bank", "end_to_end_id"),
    *("settles_on", "clears_at", "reference", "returned_id", "return_reason"),
    shared=["end_to_end_id", "settles_on", "clears_at", "reference", "returned_id", "return_reason"],
)
_UPDATE = Update(ExternalTransaction, "transaction_id", "clears_at", "return_reason")


def record(writes: Writes, new: Iterable[ExternalPayment], changed: Iterable[ExternalPayment]) -> None:
    """Add new payments through the clearing to the writes, and what has happened to earlier ones."""
    rows = [
        (
            *(each.transaction_id, each.account.number, each.account.name, each.account.bank, each.end_to_end_id),
            *(each.settles_on, each.clears_at, each.reference, each.returned_id, each.return_reason),
        )
        for each in new
    ]
    writes.insert(_INSERT, rows)
    writes.update(_UPDATE, [(each.transaction_id, each.clears_at, each.return_reason) for each in changed])
