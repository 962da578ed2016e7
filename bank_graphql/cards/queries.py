"""Reads of cards. An actor sees the cards on one's own accounts; with `READ_ANY`, everyone's."""

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    DateTime,
    LargeBinary,
    TableValuedAlias,
    Text,
    Uuid,
    and_,
    any_,
    bindparam,
    case,
    column,
    func,
    not_,
    select,
    true,
    union,
)
from sqlalchemy.orm import aliased
from sqlmodel import col

from bank_graphql.accounts.enums import FrozenBy
from bank_graphql.accounts.models import Account
from bank_graphql.accounts.queries import TRANSACTION_COLUMNS, TransactionRow, of_visible_user, with_notes
from bank_graphql.accounts.visibility import account_is_visible, of_visible_account
from bank_graphql.cards.enums import CardForm, CardKind, CardStatus, LimitWindow
from bank_graphql.cards.models import Card, CardBlock, CardLimit, CardSecret, CardTransaction
from bank_graphql.cards.rules import PERIODS, Calendar, SpentLimit, Window
from bank_graphql.identity.queries import fetch_lists, fetch_rows, requested_keys
from bank_graphql.identity.scopes import Scope
from bank_graphql.kit.clock import Clock
from bank_graphql.kit.db import Connection
from bank_graphql.kit.loaders import Requested
from bank_graphql.kit.money import Money
from bank_graphql.kit.paging import Listing, uuid_key
from bank_graphql.kit.statements import Query, Reads, Row, any_of, array_of
from bank_graphql.ledger.models import Balance, Transaction


class CardRow(Row):
    """A card."""

    id: UUID
    account_id: UUID
    owner_id: UUID
    kind: CardKind
    form: CardForm
    status: CardStatus
    frozen_by: FrozenBy | None
    replaces_id: UUID | None
    holder_name: str
    last4: str
    expiry_month: int
    expiry_year: int
    expires_at: datetime
    blocked_categories: list[str]
    created_at: datetime
    currency: str


class MerchantRow(Row):
    """The merchant of a card transaction, and why the transaction was declined, if it was."""

    name: str
    category_code: str
    country: str
    decline_reason: str | None

    @property
    def account_number(self) -> None:
        """None: a merchant, which may be a counterparty, has no account at this bank."""
        return


class CardReferenceRow(Row):
    """What never changes of a card: its account and that one's currency, its series, the keyed hash of its number."""

    id: UUID
    account_id: UUID
    series_id: UUID
    number_hash: bytes
    currency: str


class LockedCardRow(Row):
    """What decisions need to know of a card."""

    id: UUID
    account_id: UUID
    series_id: UUID
    kind: CardKind
    form: CardForm
    status: CardStatus
    frozen_by: FrozenBy | None
    holder_name: str
    expires_at: datetime
    blocked_categories: list[str]
    is_replaced: bool
    transaction_limit: int | None
    day_limit: int | None
    week_limit: int | None
    month_limit: int | None


class _LimitRow(Row):
    time_window: LimitWindow
    amount: int
    spent: int
    currency: str


class _SpentRow(Row):
    position: int
    spent: int


class IdRow(Row):
    """The id of a card."""

    id: UUID


class HashRow(Row):
    """The keyed hash of a card's number."""

    number_hash: bytes


_blocks = select(col(CardBlock.category)).where(col(CardBlock.card_id) == Card.id).order_by(CardBlock.category).correlate(Card)
_blocked_categories = func.array(_blocks.scalar_subquery(), type_=ARRAY(Text())).label("blocked_categories")
_expired = and_(col(Card.status) != CardStatus.CANCELLED, col(Card.expires_at) <= func.now())  # before the job writes it, too
CARD_COLUMNS = (
    col(Card.id),
    col(Card.account_id),
    col(Account.owner_id),
    col(Card.kind),
    col(Card.form),
    case((_expired, CardStatus.EXPIRED.value), else_=col(Card.status)).label("status"),
    col(Card.frozen_by),
    col(Card.replaces_id),
    col(Card.holder_name),
    col(Card.last4),
    col(Card.expiry_month),
    col(Card.expiry_year),
    col(Card.expires_at),
    _blocked_categories,
    col(Card.created_at),
    col(Balance.currency),
)


def with_accounts(cards: Any) -> Any:
    """Return a select of cards, joined with the accounts and balances that `CARD_COLUMNS` read."""
    return cards.join(Account, col(Account.id) == Card.account_id).join(Balance, col(Balance.account_id) == Card.account_id)


_ids, _transactions = requested_keys(Uuid()), requested_keys(Uuid())
_CARDS = Query(
    with_accounts(select(_ids.c.position, *CARD_COLUMNS).select_from(_ids).join(Card, col(Card.id) == _ids.c.key)).where(
        account_is_visible(Account, _ids)
    ),
    CardRow,
)
_CARDS_OF_TRANSACTIONS = Query(
    with_accounts(
        select(_transactions.c.position, *CARD_COLUMNS)
        .select_from(_transactions)
        .join(CardTransaction, col(CardTransaction.transaction_id) == _transactions.c.key)
        .join(Card, col(Card.id) == CardTransaction.card_id)
    ).where(account_is_visible(Account, _transactions)),
    CardRow,
)
_paid = requested_keys(Uuid(), sees_processed=True)
_MERCHANTS = Query(
    select(
        _paid.c.position,
        col(CardTransaction.merchant_name).label("name"),
        col(CardTransaction.merchant_category).label("category_code"),
        col(CardTransaction.merchant_country).label("country"),
        col(CardTransaction.decline_reason),
    )
    .select_from(_paid)
    .join(CardTransaction, col(CardTransaction.transaction_id) == _paid.c.key)
    .join(Card, col(Card.id) == CardTransaction.card_id)
    .join(Account, col(Account.id) == Card.account_id)
    .where(account_is_visible(Account, _paid) | _paid.c.sees_processed),
    MerchantRow,
)
_listing = partial(Listing, by=col(Card.id), key=uuid_key("Card"), newest_first=False, record=CardRow)
CARDS_OF_USERS: Listing[CardRow] = _listing(
    select(*CARD_COLUMNS)
    .select_from(Account)
    .join(Card, col(Card.account_id) == Account.id)
    .join(Balance, col(Balance.account_id) == Account.id),
    parents=[col(Account.owner_id)],
    visible=of_visible_user,
)
"""The cards of users, in the order in which they were issued."""
CARDS_OF_ACCOUNTS: Listing[CardRow] = _listing(
    with_accounts(select(*CARD_COLUMNS).select_from(Card)), parents=[col(Card.account_id)], visible=of_visible_account
)
"""The cards of accounts, in the order in which they were issued."""
_owner_account, _owned = aliased(Account), aliased(Card)


def _of_visible_card(listed: TableValuedAlias) -> ColumnElement[bool]:
    """Return the condition that a requested list belongs to a card that is visible to its viewer."""
    visible: ColumnElement[bool] = (
        select(account_is_visible(_owner_account, listed))
        .join(_owned, col(_owned.account_id) == _owner_account.id)
        .where(col(_owned.id) == listed.c.listed_parent)
        .correlate(listed)
        .scalar_subquery()
    )
    return visible


TRANSACTIONS_OF_CARDS = Listing(
    with_notes(
        select(col(CardTransaction.transaction_id), *TRANSACTION_COLUMNS)
        .select_from(CardTransaction)
        .join(Transaction, col(Transaction.id) == CardTransaction.transaction_id)
    ),
    parents=[col(CardTransaction.card_id)],
    by=col(CardTransaction.transaction_id),
    key=uuid_key("CardTransaction"),
    visible=_of_visible_card,
    newest_first=True,
    record=TransactionRow,
)
"""The transactions of cards, newest first: authorisations, captures, refunds."""

_begins = {name: bindparam(name.lower(), type_=DateTime(timezone=True)) for name in PERIODS}
_spent_now = (
    select(func.coalesce(func.sum(CardTransaction.counted), 0))
    .where(
        col(CardTransaction.series_id) == Card.series_id,
        col(CardTransaction.authorized_at) >= case(_begins, value=col(CardLimit.time_window)),
    )
    .correlate(Card, CardLimit)
    .scalar_subquery()
)
_order = case({window.value: order for order, window in enumerate(LimitWindow)}, value=col(CardLimit.time_window))
_limited = requested_keys(Uuid())
_LIMITS = Query(
    select(
        _limited.c.position, col(CardLimit.time_window), col(CardLimit.amount), _spent_now.label("spent"), col(Balance.currency)
    )
    .select_from(_limited)
    .join(Card, col(Card.id) == _limited.c.key)
    .join(CardLimit, col(CardLimit.card_id) == Card.id)
    .join(Account, col(Account.id) == Card.account_id)
    .join(Balance, col(Balance.account_id) == Card.account_id)
    .where(account_is_visible(Account, _limited))
    .order_by(_limited.c.position, _order),
    _LimitRow,
)
_secret_of = aliased(CardSecret)
_references = (
    select(col(Card.id), col(Card.account_id), col(Card.series_id), col(_secret_of.number_hash), col(Balance.currency))
    .select_from(_secret_of)
    .join(Card, col(Card.id) == _secret_of.card_id)
    .join(Balance, col(Balance.account_id) == Card.account_id)
)
CARD_REFERENCES = Query(
    union(
        _references.where(col(_secret_of.card_id) == any_(array_of("ids", Uuid()))),
        _references.where(col(_secret_of.number_hash) == any_(array_of("hashes", LargeBinary()))),
    ),
    CardReferenceRow,
)


def _limit(window: LimitWindow) -> Any:
    amount = select(col(CardLimit.amount)).where(col(CardLimit.card_id) == Card.id, col(CardLimit.time_window) == window)
    return amount.correlate(Card).scalar_subquery().label(f"{window.lower()}_limit")


_replacement, _latest = aliased(Card), aliased(Card)


def _is_replaced(card: Any) -> Any:
    """Return whether a card was replaced. For an EXISTS, the planner may read the whole table."""
    replacement = select(col(_replacement.id)).where(col(_replacement.replaces_id) == card.id).correlate(card)
    return replacement.scalar_subquery().is_not(None)


LOCKED_CARDS = Query(
    select(
        col(Card.id),
        col(Card.account_id),
        col(Card.series_id),
        col(Card.kind),
        col(Card.form),
        col(Card.status),
        col(Card.frozen_by),
        col(Card.holder_name),
        col(Card.expires_at),
        _blocked_categories,
        _is_replaced(Card).label("is_replaced"),
        *map(_limit, LimitWindow),
    ).where(
        any_of(
            col(Card.id),
            select(func.unnest(array_of("ids", Uuid()))),
            select(col(_latest.id)).where(
                col(_latest.series_id) == any_(array_of("series", Uuid())),
                not_(_is_replaced(_latest)),
            ),
        )
    ),
    LockedCardRow,
)
"""Cards by id, and the latest card of each given series."""
_window = (
    func.unnest(
        array_of("series", Uuid()), array_of("begins", DateTime(timezone=True)), array_of("ends", DateTime(timezone=True))
    )
    .table_valued(
        column("series_id", Uuid()),
        column("begins", DateTime(timezone=True)),
        column("ends", DateTime(timezone=True)),
        with_ordinality="position",
        name="requested",
    )
    .render_derived()
)
_spent_then = (
    select(func.coalesce(func.sum(CardTransaction.counted), 0).label("spent"))
    .where(
        col(CardTransaction.series_id) == _window.c.series_id,
        col(CardTransaction.authorized_at) >= _window.c.begins,
        col(CardTransaction.authorized_at) < _window.c.ends,
    )
    .correlate(_window)
    .lateral("counted")
)
_SPENT = Query(
    select(_window.c.position, _spent_then.c.spent).select_from(_window.join(_spent_then, true())).order_by(_window.c.position),
    _SpentRow,
)
TAKEN = Query(
    select(col(CardSecret.number_hash)).where(col(CardSecret.number_hash) == any_(array_of("hashes", LargeBinary()))), HashRow
)


async def cards(db: Reads, requested: Sequence[Requested[UUID]]) -> list[CardRow | None]:
    """Return cards by id; None for one that is not visible to the actor."""
    return await fetch_rows(db, _CARDS, requested, Scope.CARDS_READ)


async def cards_of_transactions(db: Reads, requested: Sequence[Requested[UUID]]) -> list[CardRow | None]:
    """Return the card that each transaction was made with; None if there is none, or it is not visible to the actor."""
    return await fetch_rows(db, _CARDS_OF_TRANSACTIONS, requested, Scope.CARDS_READ)


async def merchants(db: Reads, requested: Sequence[Requested[UUID]]) -> list[MerchantRow | None]:
    """Return the merchant of each card transaction. Whoever sees a transaction sees its merchant."""
    return await fetch_rows(db, _MERCHANTS, requested, Scope.TRANSACTIONS_READ)


async def limits(db: Reads, calendar: Calendar, clock: Clock, requested: Sequence[Requested[UUID]]) -> list[list[SpentLimit]]:
    """Return the limits of cards that are visible to the actors, and what counts toward them now."""
    now = clock()
    begins = {name.lower(): calendar.window(name, now)[0] for name in _begins}
    found = await fetch_lists(db, _LIMITS, requested, Scope.CARDS_READ, **begins)
    return [
        [SpentLimit(row.time_window, Money(row.amount, row.currency), Money(int(row.spent), row.currency)) for row in rows]
        for rows in found
    ]


async def spent(connection: Connection, calendar: Calendar, wanted: Sequence[tuple[Window, datetime]]) -> dict[Window, int]:
    """Return the spending in each window, in minor units. Each window comes with a time that it contains."""
    if not wanted:
        return {}
    ends = [calendar.window(name, at)[1] for (_, name, _), at in wanted]
    rows = await connection.fetch(
        _SPENT, series=[series for (series, _, _), _ in wanted], begins=[begins for (_, _, begins), _ in wanted], ends=ends
    )
    return {window: int(row.spent) for (window, _), row in zip(wanted, rows, strict=True)}
