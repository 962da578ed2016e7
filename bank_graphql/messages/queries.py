"""Reads and writes for files of payments."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import BigInteger, Date, DateTime, Text, Uuid, bindparam, text

from bank_graphql.identity.enums import UserStatus
from bank_graphql.kit.statements import Query, Row, array_of
from bank_graphql.ledger.enums import TransactionStatus


class DebtorRow(Row):
    """An account that pays, and its owner."""

    id: UUID
    number: str
    owner_id: UUID
    status: UserStatus


class StatusRow(Row):
    """The status of a transaction."""

    id: UUID
    status: TransactionStatus


class MessageRow(Row):
    """A file of payments for the clearing."""

    id: UUID
    currency: str
    settles_on: date
    created_at: datetime


class SentRow(Row):
    """A payment of such a file; the amount in minor units."""

    id: UUID
    amount: int
    currency: str
    description: str | None
    from_name: str
    from_number: str
    to_name: str
    to_number: str


_message = bindparam("message", type_=Uuid())
DEBTORS = Query(
    text(
        """
        SELECT a.id, a.number, a.owner_id, u.status FROM accounts a JOIN users u ON u.id = a.owner_id
        WHERE a.number = ANY(:numbers)
        """
    ).bindparams(array_of("numbers", Text())),
    DebtorRow,
)
"""The accounts with these numbers."""
STATUSES = Query(text("SELECT id, status FROM transactions WHERE id = ANY(:ids)").bindparams(array_of("ids", Uuid())), StatusRow)
MAKE_MESSAGE = Query(
    text(
        """
        WITH unsent AS (
            SELECT x.transaction_id, t.currency FROM external_transactions x JOIN transactions t ON t.id = x.transaction_id
            WHERE x.message_id IS NULL AND x.return_reason IS NULL AND x.settles_on IS NOT NULL AND x.settles_on <= :settles_on
                AND t.status = 'PENDING'
            ORDER BY x.settles_on LIMIT :maximum
        ), chosen AS (
            SELECT transaction_id, currency FROM unsent WHERE currency = (SELECT currency FROM unsent LIMIT 1)
        ), message AS (
            INSERT INTO clearing_messages (id, currency, settles_on, created_at)
            SELECT :message, currency, :settles_on, :now FROM chosen LIMIT 1 RETURNING id, currency, settles_on, created_at
        ), marked AS (
            UPDATE external_transactions SET message_id = message.id FROM chosen, message
            WHERE external_transactions.transaction_id = chosen.transaction_id
        )
        SELECT id, currency, settles_on, created_at FROM message
        """
    ).bindparams(
        _message,
        bindparam("settles_on", type_=Date()),
        bindparam("now", type_=DateTime(timezone=True)),
        bindparam("maximum", type_=BigInteger()),
    ),
    MessageRow,
)
"""Makes a file of payments that are to be settled and were not sent, of one currency; no row if there are none."""
UNWRITTEN = Query(
    text("SELECT id, currency, settles_on, created_at FROM clearing_messages WHERE written_at IS NULL ORDER BY id"), MessageRow
)
MESSAGE = Query(
    text("SELECT id, currency, settles_on, created_at FROM clearing_messages WHERE id = :message").bindparams(_message),
    MessageRow,
)
SET_WRITTEN = Query(
    text("UPDATE clearing_messages SET written_at = :now WHERE id = :message").bindparams(
        _message, bindparam("now", type_=DateTime(timezone=True))
    ),
    Row,
)
SENT = Query(
    text(
        """
        SELECT t.id, t.amount, t.currency, n.description, u.full_name AS from_name, a.number AS from_number, x.name AS to_name,
            x.account_number AS to_number
        FROM external_transactions x JOIN transactions t ON t.id = x.transaction_id
        JOIN accounts a ON a.id = t.from_account_id JOIN users u ON u.id = a.owner_id
        LEFT JOIN transaction_notes n ON n.transaction_id = t.id
        WHERE x.message_id = :message ORDER BY t.id
        """
    ).bindparams(_message),
    SentRow,
)
"""The payments of a file."""
