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


class StoredRow(Row):
    """A key that has a stored outcome, and the user whose key it is."""

    user_id: UUID
    key: str


class StatusRow(Row):
    """The status of a transaction, and why it came back if it did."""

    id: UUID
    status: TransactionStatus
    return_reason: str | None


class UnsentRow(Row):
    """A payment that is in no file."""

    id: UUID
    currency: str


class MessageRow(Row):
    """A file of payments for the clearing."""

    id: UUID
    currency: str
    settles_on: date
    created_at: datetime
    written_at: datetime | None


class SentRow(Row):
    """A payment of such a file; the amount in minor units."""

    id: UUID
    amount: int
    currency: str
    description: str | None
    end_to_end_id: str | None
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
STATUSES = Query(
    text(
        """
        SELECT t.id, t.status, x.return_reason FROM transactions t
        LEFT JOIN external_transactions x ON x.transaction_id = t.id WHERE t.id = ANY(:ids)
        """
    ).bindparams(array_of("ids", Uuid())),
    StatusRow,
)
STORED = Query(
    text(
        """
        SELECT o.user_id, o.key FROM unnest(:users, :keys) AS given (user_id, key)
        JOIN idempotency_outcomes o ON o.user_id = given.user_id AND o.key = given.key
        """
    ).bindparams(array_of("users", Uuid()), array_of("keys", Text())),
    StoredRow,
)
UNSENT = Query(
    text(
        """
        SELECT x.transaction_id AS id, (SELECT currency FROM transactions t WHERE t.id = x.transaction_id) AS currency
        FROM external_transactions x
        WHERE x.message_id IS NULL AND x.return_reason IS NULL AND x.settles_on IS NOT NULL AND x.settles_on <= :settles_on
            AND (SELECT status FROM transactions t WHERE t.id = x.transaction_id) = 'PENDING'
        ORDER BY x.settles_on LIMIT :maximum
        """
    ).bindparams(bindparam("settles_on", type_=Date()), bindparam("maximum", type_=BigInteger())),
    UnsentRow,
)
"""Payments that are to be settled by a day, and are in no file."""
PUT_IN_MESSAGE = Query(
    text("UPDATE external_transactions SET message_id = :message WHERE transaction_id = ANY(:ids)").bindparams(
        _message, array_of("ids", Uuid())
    ),
    Row,
)
_MESSAGES = "SELECT id, currency, settles_on, created_at, written_at FROM clearing_messages"
UNWRITTEN = Query(text(f"{_MESSAGES} WHERE written_at IS NULL ORDER BY id LIMIT 1"), MessageRow)
"""The oldest file that was not written."""
MESSAGE = Query(text(f"{_MESSAGES} WHERE id = :message").bindparams(_message), MessageRow)
TAKE_OUT_RETURNED = Query(
    text(
        "UPDATE external_transactions SET message_id = NULL WHERE message_id = :message AND return_reason IS NOT NULL"
    ).bindparams(_message),
    Row,
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
        SELECT t.id, t.amount, t.currency, n.description, x.end_to_end_id, u.full_name AS from_name, a.number AS from_number,
            x.name AS to_name, x.account_number AS to_number
        FROM external_transactions x JOIN transactions t ON t.id = x.transaction_id
        JOIN accounts a ON a.id = t.from_account_id JOIN users u ON u.id = a.owner_id
        LEFT JOIN transaction_notes n ON n.transaction_id = t.id
        WHERE x.message_id = :message ORDER BY t.id
        """
    ).bindparams(_message),
    SentRow,
)
"""The payments of a file."""
