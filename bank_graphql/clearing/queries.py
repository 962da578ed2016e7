"""Reads of payments through the clearing."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, DateTime, Select, Text, Uuid, any_, bindparam, case, func, select
from sqlalchemy.orm import aliased
from sqlmodel import col

from bank_graphql.accounts.models import Account
from bank_graphql.accounts.visibility import account_is_visible
from bank_graphql.clearing.models import ExternalTransaction
from bank_graphql.identity.queries import fetch_rows, requested_keys
from bank_graphql.identity.scopes import Scope
from bank_graphql.kit.db import Database
from bank_graphql.kit.jobs import DueRow
from bank_graphql.kit.loaders import Requested
from bank_graphql.kit.statements import Query, Reads, Row, array_of
from bank_graphql.ledger.models import Transaction


class LockedPaymentRow(Row):
    """A payment through the clearing, with the transaction's side at this bank: `to_account_id` if it arrived."""

    transaction_id: UUID
    account_number: str
    name: str
    end_to_end_id: str | None
    settles_on: date | None
    clears_at: datetime | None
    reference: str | None
    returned_id: UUID | None
    return_reason: str | None
    is_returned: bool
    payer_id: UUID | None
    to_account_id: UUID
    amount: int
    currency: str


class DuePaymentRow(Row):
    """A payment on which the sandbox's clearing is to act."""

    id: UUID


class ExternalTransactionRow(Row):
    """What the viewer may know of a payment through the clearing."""

    settles_on: date | None
    reference: str | None
    return_reason: str | None


class ExternalPartyRow(Row):
    """The holder of an account at another bank, and the last characters of the account's number."""

    name: str
    account_number: str


_return = aliased(ExternalTransaction)
_return_id = (
    select(col(_return.transaction_id))
    .where(col(_return.returned_id) == ExternalTransaction.transaction_id)
    .correlate(ExternalTransaction)
    .scalar_subquery()
)
_paid = aliased(Transaction)
_payer_of_returned = (
    select(col(Account.owner_id))
    .join(_paid, col(_paid.from_account_id) == Account.id)
    .where(col(_paid.id) == ExternalTransaction.returned_id)
    .correlate(ExternalTransaction)
    .scalar_subquery()
)
_locked = select(
    col(ExternalTransaction.transaction_id),
    col(ExternalTransaction.account_number),
    col(ExternalTransaction.name),
    col(ExternalTransaction.end_to_end_id),
    col(ExternalTransaction.settles_on),
    col(ExternalTransaction.clears_at),
    col(ExternalTransaction.reference),
    col(ExternalTransaction.returned_id),
    col(ExternalTransaction.return_reason),
    _return_id.is_not(None).label("is_returned"),
    _payer_of_returned.label("payer_id"),
    col(Transaction.to_account_id),
    col(Transaction.amount),
    col(Transaction.currency),
).join(Transaction, col(Transaction.id) == ExternalTransaction.transaction_id)
BY_TRANSACTION = Query(_locked.where(col(ExternalTransaction.transaction_id) == any_(array_of("ids", Uuid()))), LockedPaymentRow)
BY_REFERENCE = Query(_locked.where(col(ExternalTransaction.reference) == any_(array_of("references", Text()))), LockedPaymentRow)
"""Payments from other banks, by references; several banks may have given the same one."""
DUE = Query(
    select(col(ExternalTransaction.transaction_id).label("id"))
    .where(col(ExternalTransaction.clears_at) <= bindparam("now", type_=DateTime(timezone=True)))
    .order_by(col(ExternalTransaction.clears_at), col(ExternalTransaction.transaction_id))
    .limit(bindparam("maximum", type_=BigInteger())),
    DuePaymentRow,
)
_NEXT_DUE = Query(
    select(func.min(col(ExternalTransaction.clears_at)).label("due_at")).where(
        col(ExternalTransaction.clears_at) > bindparam("after", type_=DateTime(timezone=True))
    ),
    DueRow,
)
_known = requested_keys(Uuid(), sees_processed=True)
_parent = aliased(Transaction)
_own_id = case(
    (col(ExternalTransaction.settles_on).is_not(None), col(Transaction.from_account_id)),
    (col(ExternalTransaction.returned_id).is_not(None), col(_parent.from_account_id)),
    else_=col(Transaction.to_account_id),
)
"""The account at this bank. A return is about the account that paid, even if the money went to a suspense account."""


def _of_transactions(*columns: Any) -> Select[Any]:
    """Return a select of payments through the clearing by their transactions, as far as those are visible."""
    return (
        select(_known.c.position, *columns)
        .select_from(_known)
        .join(ExternalTransaction, col(ExternalTransaction.transaction_id) == _known.c.key)
        .join(Transaction, col(Transaction.id) == ExternalTransaction.transaction_id)
        .outerjoin(_parent, col(_parent.id) == ExternalTransaction.returned_id)
        .join(Account, col(Account.id) == _own_id)
        .where(account_is_visible(Account, _known) | _known.c.sees_processed)
    )


_PAYMENTS = Query(
    _of_transactions(
        col(ExternalTransaction.settles_on), col(ExternalTransaction.reference), col(ExternalTransaction.return_reason)
    ),
    ExternalTransactionRow,
)
_PARTIES = Query(
    _of_transactions(
        col(ExternalTransaction.name),
        func.concat("••••", func.right(ExternalTransaction.account_number, 4)).label("account_number"),
    ),
    ExternalPartyRow,
)


async def payments(db: Reads, requested: Sequence[Requested[UUID]]) -> list[ExternalTransactionRow | None]:
    """Return what is known of payments through the clearing, by their transactions; None if there is none, or none visible."""
    return await fetch_rows(db, _PAYMENTS, requested, Scope.TRANSACTIONS_READ)


async def parties(db: Reads, requested: Sequence[Requested[UUID]]) -> list[ExternalPartyRow | None]:
    """Return the accounts at other banks, by the transactions. Whoever sees a transaction sees them."""
    return await fetch_rows(db, _PARTIES, requested, Scope.TRANSACTIONS_READ)


async def next_due(db: Database, after: datetime) -> datetime | None:
    """Return when the sandbox's clearing next acts on a payment after a time; None if it does not."""
    [row] = await db.fetch(_NEXT_DUE, after=after)
    return row.due_at
