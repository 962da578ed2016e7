"""The only writer of the outbox."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from bank_graphql.events.models import TransactionEvent, TransactionEventKind
from bank_graphql.kit.db import Connection
from bank_graphql.kit.statements import Insert

_INSERT = Insert(TransactionEvent, "kind", "account_id", "transaction_id", "occurred_at")


async def record(connection: Connection, events: Sequence[tuple[TransactionEventKind, UUID, UUID, datetime]]) -> None:
    """Write events (kind, account, transaction, moment) in the transaction that moves the money, in order."""
    await connection.insert(_INSERT, events)
