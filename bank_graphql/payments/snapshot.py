"""Makes facts of what was read: transactions as the book has them, and the cards that a batch needs."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from bank_graphql.cards import queries as cards
from bank_graphql.cards.queries import CardFactsRow, PlaceRow
from bank_graphql.cards.rules import WINDOWS, CardPayment, CardPolicy, CardState, Merchant, Spending, Window, windows
from bank_graphql.kit.db import Connection
from bank_graphql.ledger.rules import TransactionState
from bank_graphql.payments.commands import AuthorizeCard, CaptureHold, Command
from bank_graphql.payments.queries import TransactionFactsRow
from bank_graphql.payments.state import CardFacts


async def read_cards(
    connection: Connection,
    policy: CardPolicy,
    commands: Sequence[Command],
    transactions: Sequence[TransactionFactsRow],
    places: Sequence[PlaceRow],
    now: datetime,
) -> CardFacts:
    """The cards that commands name, by themselves or by their transactions, and what they have spent.

    It is read under the locks of their accounts, and only what decisions may depend on: of authorisations the windows of now, of
    captures those of their authorisations.
    """
    paid = {row.id: row for row in transactions if row.card_id is not None}
    ids = {place.id for place in places} | {row.card_id for row in paid.values() if row.card_id}
    if not ids:
        return CardFacts(policy, {}, {}, {}, Spending(policy.calendar, {}))
    captured = [c.transaction_id for c in commands if isinstance(c, CaptureHold) and c.transaction_id in paid]
    rows = await connection.fetch(cards.CARD_FACTS, ids=list(ids), series=[paid[key].series_id for key in captured])
    wanted: dict[Window, datetime] = {}
    if any(isinstance(command, AuthorizeCard) for command in commands):
        for place in places:
            wanted |= dict.fromkeys(windows(policy.calendar, place.series_id, now), now)
    for key in captured:
        row = paid[key]
        wanted |= dict.fromkeys(windows(policy.calendar, row.series_id, row.authorized_at), row.authorized_at)
    spent = await cards.spent(connection, policy.calendar, list(wanted.items()))
    return CardFacts(
        policy,
        {row.id: _card(row) for row in rows},
        {place.number_hash: place.id for place in places},
        {key: _payment(row) for key, row in paid.items()},
        Spending(policy.calendar, spent),
    )


def state_of(row: TransactionFactsRow) -> TransactionState:
    """A transaction as the book has it."""
    return TransactionState(
        row.id,
        row.kind,
        row.status,
        row.from_account_id,
        row.to_account_id,
        row.amount,
        row.currency,
        row.description,
        row.created_at,
        row.posted_at,
        row.captured,
        row.expires_at,
        row.parent_id,
        row.reverses_id,
        is_reversed=row.is_reversed,
    )


def _card(row: CardFactsRow) -> CardState:
    limits: Mapping[str, int | None] = {window: getattr(row, f"{window.lower()}_limit") for window in WINDOWS}
    return CardState(
        *(row.id, row.account_id, row.series_id, row.kind, row.form, row.status, row.frozen_by, row.holder_name, row.expires_at),
        row.blocked_categories,
        row.is_replaced,
        {window: limit for window, limit in limits.items() if limit is not None},
    )


def _payment(row: TransactionFactsRow) -> CardPayment:
    if row.card_id is None:
        raise TypeError("not a transaction of a card")
    merchant = Merchant(row.merchant_name, row.merchant_category, row.merchant_country)
    return CardPayment(row.id, row.card_id, row.series_id, row.authorized_at, row.counted, merchant)
