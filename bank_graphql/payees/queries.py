"""Reads of payees. They are visible to their owner, and to staff who see what customers own."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import ARRAY, BigInteger, ColumnElement, Text, Uuid, any_, bindparam, func, literal_column, or_, select
from sqlalchemy.orm import aliased
from sqlmodel import col

from bank_graphql.accounts.enums import AccountStatus
from bank_graphql.accounts.member_queries import HOLDERS as HOLDERS_OF_ACCOUNT
from bank_graphql.accounts.member_queries import HoldersRow
from bank_graphql.accounts.models import Account
from bank_graphql.accounts.visibility import account_is_visible
from bank_graphql.identity.queries import fetch_rows, requested_keys, visible_to_viewer
from bank_graphql.identity.scopes import Scope
from bank_graphql.kit.loaders import Requested
from bank_graphql.kit.paging import Listing, uuid_key
from bank_graphql.kit.statements import Query, Reads, Row, array_of
from bank_graphql.ledger.models import Transaction
from bank_graphql.payees.enums import PayeeMatch
from bank_graphql.payees.models import Payee, VerifiedPayment


class PayeeRow(Row):
    """A payee."""

    id: UUID
    owner_id: UUID
    name: str
    account_number: str
    created_at: datetime
    removed_at: datetime | None


class CountRow(Row):
    """A number of payees."""

    count: int


COLUMNS = (
    col(Payee.id),
    col(Payee.owner_id),
    col(Payee.name),
    col(Payee.account_number),
    col(Payee.created_at),
    col(Payee.removed_at),
)
_ids = requested_keys(Uuid())
_PAYEES = Query(
    select(_ids.c.position, *COLUMNS)
    .select_from(_ids)
    .join(Payee, col(Payee.id) == _ids.c.key)
    .where(visible_to_viewer(col(Payee.owner_id), _ids), col(Payee.removed_at).is_(None)),
    PayeeRow,
)
_search = bindparam("search", type_=Text())


def _found() -> ColumnElement[bool]:
    return or_(
        _search.is_(None),
        func.strpos(func.lower(Payee.name), func.lower(_search)) > 0,
        func.strpos(col(Payee.account_number), func.upper(func.replace(_search, " ", ""))) > 0,
    )


PAYEES_OF_USERS = Listing(
    select(*COLUMNS).where(col(Payee.removed_at).is_(None), _found()),
    parents=[col(Payee.owner_id)],
    by=col(Payee.id),
    key=uuid_key("Payee"),
    visible=lambda listed: visible_to_viewer(listed.c.listed_parent, listed),
    newest_first=False,
    record=PayeeRow,
)
"""The payees of users whose name or number contains `search`, in the order in which they were added; all if it is null."""
BY_ID = Query(select(*COLUMNS).where(col(Payee.id) == any_(array_of("ids", Uuid()))), PayeeRow)
"""Payees by id, removed ones too, and whosever they are."""
COUNT = Query(
    select(func.count().label("count")).select_from(
        select(col(Payee.id))
        .where(col(Payee.owner_id) == bindparam("owner", type_=Uuid()), col(Payee.removed_at).is_(None))
        .limit(bindparam("maximum", type_=BigInteger()))
        .subquery()
    ),
    CountRow,
)


async def payees(db: Reads, requested: Sequence[Requested[UUID]]) -> list[PayeeRow | None]:
    """Return payees by id; None for one that was removed, or is not visible to the actor."""
    return await fetch_rows(db, _PAYEES, requested, None)


class MatchRow(Row):
    """How the payee of a payment was verified."""

    match: PayeeMatch


_held = aliased(Account, name="a")
HOLDERS = Query(
    select(literal_column(HOLDERS_OF_ACCOUNT, ARRAY(Text())).label("names"))
    .select_from(_held)
    .where(col(_held.number) == bindparam("number", type_=Text()), col(_held.status) != AccountStatus.CLOSED),
    HoldersRow,
)
"""Those who own the account with a number, unless it is closed."""
_paid = requested_keys(Uuid())
_MATCHES = Query(
    select(_paid.c.position, col(VerifiedPayment.match))
    .select_from(_paid)
    .join(VerifiedPayment, col(VerifiedPayment.transaction_id) == _paid.c.key)
    .join(Transaction, col(Transaction.id) == VerifiedPayment.transaction_id)
    .join(Account, col(Account.id) == Transaction.from_account_id)
    .where(account_is_visible(Account, _paid)),
    MatchRow,
)


async def matches(db: Reads, requested: Sequence[Requested[UUID]]) -> list[MatchRow | None]:
    """Return how the payees of payments were verified; None if they were not, or the payer's account is not visible."""
    return await fetch_rows(db, _MATCHES, requested, Scope.TRANSACTIONS_READ)
