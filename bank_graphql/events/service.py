"""The only writer of the outbox."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from bank_graphql.events.models import TransactionEvent, TransactionEventKind
from bank_graphql.kit.statements import Insert, Writes

_INSERT = Insert(TransactionEvent, "kind", "account_id", "transaction_id", "occurred_at")


def record(writes: Writes, events: Sequence[tuple[TransactionEventKind, UUID, UUID, datetime]]) -> None:
    """Write events (kind, account, transaction, moment) in the transaction that moves the money, in order."""
    writes.insert(_INSERT, events)
