"""The only writer of cards: new ones, their lifecycle, their limits, and showing their numbers to holders."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar
from uuid import UUID

from sqlalchemy import BigInteger, DateTime, Text, Uuid, any_, bindparam, delete, func, select, text, update
from sqlalchemy.orm import aliased
from sqlmodel import col

from bank_graphql.accounts.access import NONE, Access
from bank_graphql.accounts.enums import FrozenBy
from bank_graphql.accounts.member_queries import access_to
from bank_graphql.accounts.models import Account
from bank_graphql.audit import service as audit
from bank_graphql.cards import queries
from bank_graphql.cards.enums import CardAction, CardStatus, LimitWindow
from bank_graphql.cards.models import Card, CardBlock, CardLimit, CardSecret, CardTransaction
from bank_graphql.cards.queries import CARD_COLUMNS, CardRow, with_accounts
from bank_graphql.cards.rules import CardPayment, NewCard, status_after
from bank_graphql.cards.vault import SEALED, Vault
from bank_graphql.identity.errors import CredentialsRefused, StepUpRequired
from bank_graphql.identity.models import User
from bank_graphql.identity.permissions import Permission
from bank_graphql.identity.service import Identity
from bank_graphql.kit.actor import Actor
from bank_graphql.kit.clock import Clock, utc_now
from bank_graphql.kit.db import Connection, Database
from bank_graphql.kit.errors import Forbidden, NotFound, Unavailable
from bank_graphql.kit.ids import global_id
from bank_graphql.kit.jobs import DueRow
from bank_graphql.kit.money import Money
from bank_graphql.kit.statements import Insert, Query, Row, Update, Writes, any_of, array_of
from bank_graphql.ledger import service as ledger
from bank_graphql.ledger.errors import CurrencyMismatch

T = TypeVar("T")
_MAX_DRAWS = 100
SHOWN_FOR = timedelta(seconds=60)
"""How long a client may show what `revealCard` returns."""

_INSERT_CARDS = Insert(
    Card,
    *("id", "account_id", "series_id", "replaces_id", "kind", "form", "status", "holder_name", "last4"),
    *("expiry_month", "expiry_year", "expires_at", "created_at", "updated_at"),
)
_INSERT_SECRETS = Insert(CardSecret, "card_id", "number_hash", "sealed_number", "wrapped_key", "master_key")
_INSERT_LIMITS = Insert(CardLimit, "card_id", "time_window", "amount")
_INSERT_BLOCKS = Insert(CardBlock, "card_id", "category")
_INSERT_PAYMENTS = Insert(
    CardTransaction,
    *("transaction_id", "card_id", "series_id", "authorized_at", "counted"),
    *("merchant_name", "merchant_category", "merchant_country", "decline_reason"),
)
_owned = select(col(Account.id)).where(col(Account.owner_id) == bindparam("owner", type_=Uuid()))
_of_owner = select(col(Card.id)).where(any_of(col(Card.account_id), _owned))
_ERASE_HOLDER = Query(
    update(Card).where(any_of(col(Card.id), _of_owner)).values(holder_name=bindparam("new_name", type_=Text())), Row
)
_ERASE_KEYS = Query(
    update(CardSecret).where(any_of(col(CardSecret.card_id), _of_owner)).values(wrapped_key=b"", master_key=""), Row
)
ERASED_HOLDER = "ERASED"
"""The holder's name on the cards of a user who was erased."""
_LIVE = text("cards.status IN ('INACTIVE', 'ACTIVE', 'FROZEN')")  # as the partial index on expires_at is defined
_card = bindparam("card", type_=Uuid())
_CARD = Query(with_accounts(select(*CARD_COLUMNS).select_from(Card)).where(col(Card.id) == _card), CardRow)
_SET_STATUS = Query(
    update(Card)
    .where(col(Card.id) == any_(array_of("cards", Uuid())))
    .values(status=bindparam("new_status", type_=Text()), frozen_by=bindparam("by", type_=Text()), updated_at=bindparam("now")),
    Row,
)
_other = aliased(Card)
_CANCEL = Query(
    update(Card)
    .where(
        any_of(
            col(Card.id),
            select(func.unnest(array_of("cards", Uuid()))),
            select(col(_other.id)).where(col(_other.account_id) == any_(array_of("accounts", Uuid()))),
        ),
        # Written unlike the partial index on expires_at, so that the planner does not use that.
        text("cards.status NOT IN ('CANCELLED', 'EXPIRED')"),
    )
    .values(status=CardStatus.CANCELLED, updated_at=bindparam("now")),
    Row,
)
_due = (
    select(col(Card.id))
    .where(
        _LIVE,
        col(Card.expires_at) <= bindparam("now", type_=DateTime(timezone=True)),
    )
    .limit(bindparam("maximum", type_=BigInteger()))
    .with_for_update(skip_locked=True)
)
_EXPIRE = Query(
    update(Card)
    .where(col(Card.id).in_(_due))
    .values(status=CardStatus.EXPIRED, updated_at=bindparam("now", type_=DateTime(timezone=True)))
    .returning(col(Card.id)),
    queries.IdRow,
)
_NEXT_EXPIRY = Query(
    select(func.min(col(Card.expires_at)).label("due_at")).where(
        _LIVE, col(Card.expires_at) > bindparam("after", type_=DateTime(timezone=True))
    ),
    DueRow,
)
_DELETE_LIMITS = Query(delete(CardLimit).where(col(CardLimit.card_id) == _card), Row)
_DELETE_BLOCKS = Query(delete(CardBlock).where(col(CardBlock.card_id) == _card), Row)
_ADJUST_SPENDING = Update(CardTransaction, "transaction_id", "counted")


class _HolderRow(Row):
    account_id: UUID
    full_name: str


_HOLDERS = Query(
    select(col(Account.id).label("account_id"), col(User.full_name))
    .join(User, col(User.id) == Account.owner_id)
    .where(col(Account.id) == any_(array_of("accounts", Uuid()))),
    _HolderRow,
)


@dataclass(frozen=True, slots=True)
class Secrets:
    """The number and security code of a card, which its holder may be shown until `expires_at`."""

    number: str
    security_code: str
    expires_at: datetime

    def __repr__(self) -> str:
        return "Secrets(…)"


async def issue(connection: Connection, writes: Writes, vault: Vault, issued: Sequence[NewCard], now: datetime) -> None:
    """Add new cards to the writes, each with a new number. A card without a holder's name bears that of its account's owner."""
    if not issued:
        return
    numbers = await _new_numbers(connection, vault, len(issued))
    by = await vault.in_use(connection)
    unnamed = [card.account_id for card in issued if card.holder_name is None]
    rows = await connection.fetch(_HOLDERS, accounts=unnamed) if unnamed else []
    owners = {row.account_id: row.full_name for row in rows}
    writes.insert(
        _INSERT_CARDS,
        [
            (
                *(c.id, c.account_id, c.series_id, c.replaces_id, c.kind, c.form, c.status),
                *(c.holder_name or owners[c.account_id], number[-4:], c.expiry.month, c.expiry.year, c.expiry.at, now, now),
            )
            for c, number in zip(issued, numbers, strict=True)
        ],
    )
    writes.insert(_INSERT_SECRETS, [vault.seal(c.id, number, by) for c, number in zip(issued, numbers, strict=True)])
    writes.insert(_INSERT_LIMITS, [(c.id, window, amount) for c in issued for window, amount in c.limits])
    writes.insert(_INSERT_BLOCKS, [(c.id, category) for c in issued for category in c.blocked_categories])
    replaced = [c.replaces_id for c in issued if c.replaces_id is not None]
    if replaced:
        writes.add(_CANCEL, cards=replaced, accounts=[], now=now)


async def _new_numbers(connection: Connection, vault: Vault, count: int) -> list[str]:
    """Return numbers that no card has. If two transactions draw the same one at a time, the table's unique key refuses one."""
    found: dict[bytes, str] = {}
    for _ in range(_MAX_DRAWS):
        missing = count - len(found)
        drawn = {vault.hash_of(number): number for number in (vault.new_number() for _ in range(missing))}
        taken = {row.number_hash for row in await connection.fetch(queries.TAKEN, hashes=list(drawn))}
        found |= {key: number for key, number in drawn.items() if key not in taken}
        if len(found) == count:
            return list(found.values())
    raise Unavailable("The bank is running out of card numbers: it needs another BIN (BANK_CARD_BIN).")


def record(writes: Writes, payments: Iterable[CardPayment], adjusted: Iterable[CardPayment]) -> None:
    """Add new transactions of cards to the writes, and what earlier ones count toward limits from now on."""
    writes.insert(
        _INSERT_PAYMENTS,
        [
            (
                *(each.transaction_id, each.card_id, each.series_id, each.authorized_at, each.counted),
                *(each.merchant.name, each.merchant.category, each.merchant.country, each.decline_reason),
            )
            for each in payments
        ],
    )
    writes.update(_ADJUST_SPENDING, [(each.transaction_id, each.counted) for each in adjusted])


async def cancel_of_account(connection: Connection, account_id: UUID, now: datetime) -> None:
    """Cancel all cards of an account that is being closed. Its lock must be held."""
    await connection.execute(_CANCEL, cards=[], accounts=[account_id], now=now)


async def expire(db: Database, clock: Clock, batch_size: int = 500) -> int:
    """Expire all cards that are due, in batches, and return how many expired."""
    expired = 0

    async def work(connection: Connection) -> int:
        rows = await connection.fetch(_EXPIRE, now=clock(), maximum=batch_size)
        await audit.write(connection, [audit.Record(None, "expireCard", row.id) for row in rows])
        return len(rows)

    while some := await db.transact(work):
        expired += some
    return expired


async def next_expiry(db: Database, after: datetime) -> datetime | None:
    """Return when the next card expires after a time; None if none does."""
    [row] = await db.fetch(_NEXT_EXPIRY, after=after)
    return row.due_at


class Cards:
    """Changes to single cards. Each is audited, and so is each refusal."""

    def __init__(self, db: Database, identity: Identity, vault: Vault, clock: Clock) -> None:
        self._db = db
        self._identity = identity
        self._vault = vault
        self._clock = clock

    def hash_of(self, number: str) -> bytes:
        """Return the keyed hash of a card number. Cards are looked up by it, so the number itself is not passed on."""
        return self._vault.hash_of(number)

    async def activate(self, actor: Actor, card_id: UUID) -> None:
        """Activate a physical card.

        Raises:
            NotFound, Forbidden, StateConflict: the card is not visible to the actor, not the actor's own, not INACTIVE.
        """
        await self._set_status(actor, CardAction.ACTIVATE, card_id, _require_manager_of)

    async def freeze(self, actor: Actor, card_id: UUID) -> None:
        """Freeze a card: it declines payments. Only staff can unfreeze a card that staff froze.

        Raises:
            NotFound, Forbidden: the card is not visible to the actor; the actor is neither its owner nor staff.
            StateConflict: it is not ACTIVE.
        """
        await self._set_status(actor, CardAction.FREEZE, card_id, lambda *_: None)

    async def unfreeze(self, actor: Actor, card_id: UUID) -> None:
        """Unfreeze a card: it pays again.

        Raises:
            NotFound, Forbidden: the card is not visible to the actor; the actor is neither its owner nor staff, or staff has
                frozen it.
            StateConflict: it is not FROZEN.
        """
        await self._set_status(actor, CardAction.UNFREEZE, card_id, _require_not_frozen_by_staff)

    async def cancel(self, actor: Actor, card_id: UUID) -> None:
        """Cancel a card for good. Its pending authorisations can still be captured.

        Raises:
            NotFound, Forbidden: the card is not visible to the actor; the actor is neither its owner nor staff.
            StateConflict: it is CANCELLED or EXPIRED.
        """
        await self._set_status(actor, CardAction.CANCEL, card_id, lambda *_: None)

    async def set_limits(
        self, actor: Actor, card_id: UUID, limits: Sequence[tuple[LimitWindow, Money]], blocked: Sequence[str] | None
    ) -> None:
        """Replace all limits of a card, and its blocked categories unless they are None.

        Raises:
            NotFound, Forbidden: the card is not visible to the actor, or not the actor's own.
            CurrencyMismatch, StateConflict: a limit is in another currency; the card is CANCELLED or EXPIRED.
        """

        async def change(connection: Connection, card: CardRow, access: Access) -> None:
            _require_manager(access)
            status_after(CardAction.SET_LIMITS, card.status, card.expires_at, self._clock())
            for _, amount in limits:
                if amount.currency != card.currency:
                    raise CurrencyMismatch(card.currency, amount.currency)
            await connection.execute(_DELETE_LIMITS, card=card_id)
            await connection.insert(_INSERT_LIMITS, [(card_id, window, amount.minor) for window, amount in limits])
            if blocked is not None:
                await connection.execute(_DELETE_BLOCKS, card=card_id)
                await connection.insert(_INSERT_BLOCKS, [(card_id, category) for category in blocked])

        await self._change(actor, CardAction.SET_LIMITS, card_id, change)

    async def reveal(self, actor: Actor, card_id: UUID, password: str) -> Secrets:
        """Return the number and security code of a card to whoever may manage it, and gives the password again.

        Raises:
            NotFound: there is no such card that the actor may manage.
            CredentialsRefused: the password is wrong.
            StepUpRequired: the actor has a second factor, which was not proved a short while ago.
            StateConflict: the card is not ACTIVE or FROZEN.
        """
        # The password is checked before the transaction, which would stay open while it is hashed; and only for a card to manage.
        found = await self._db.fetch_one(_CARD, card=card_id)
        access = NONE if found is None else await access_to(self._db, actor, found.account_id, found.owner_id)
        is_password = access.may_manage_cards and await self._identity.verify_password(actor, password)
        needs_code = is_password and await self._identity.needs_code(actor)

        async def read(connection: Connection, card: CardRow, access: Access) -> Secrets:
            if not access.may_manage_cards:
                raise NotFound("card", global_id("Card", card_id))
            if not is_password:
                raise CredentialsRefused
            if needs_code:
                raise StepUpRequired
            status_after(CardAction.REVEAL, card.status, card.expires_at, self._clock())
            [row] = await connection.fetch(SEALED, card=card_id)
            number = self._vault.number_of(row)
            code = self._vault.code_of(number, card.expiry_year, card.expiry_month)
            return Secrets(number, code, utc_now() + SHOWN_FOR)

        return await self._change(actor, CardAction.REVEAL, card_id, read)

    async def _set_status(
        self, actor: Actor, action: CardAction, card_id: UUID, require: Callable[[CardRow, FrozenBy, Access], None]
    ) -> None:
        async def change(connection: Connection, card: CardRow, access: Access) -> None:
            by = _authority(actor, access)
            require(card, by, access)
            now = self._clock()
            taken_over = (action, by, card.status) == (CardAction.FREEZE, FrozenBy.STAFF, CardStatus.FROZEN)
            status = status_after(action, CardStatus.ACTIVE if taken_over else card.status, card.expires_at, now)
            frozen_by = {CardStatus.FROZEN: by, CardStatus.ACTIVE: None}.get(CardStatus(status), card.frozen_by)
            await connection.execute(_SET_STATUS, cards=[card_id], new_status=status, by=frozen_by, now=now)

        await self._change(actor, action, card_id, change)

    async def _change(
        self, actor: Actor, action: CardAction, card_id: UUID, change: Callable[[Connection, CardRow, Access], Awaitable[T]]
    ) -> T:
        """Change a card under its account's lock, and record it in the audit; a refusal is recorded too, then raised."""

        async def locked(connection: Connection) -> T:
            references = await connection.fetch(queries.CARD_REFERENCES, ids=[card_id], hashes=[])
            await ledger.lock(connection, [ledger.account_lock(each.account_id) for each in references])
            card = await connection.fetch_one(_CARD, card=card_id)
            access = NONE if card is None else await access_to(connection, actor, card.account_id, card.owner_id)
            if card is None or not access.is_visible:
                raise NotFound("card", global_id("Card", card_id))
            return await change(connection, card, access)

        return await audit.execute_audited(self._db, actor, action, card_id, locked)


def _require_manager(access: Access) -> None:
    if not access.may_manage_cards:
        raise Forbidden("Only the account's owners, and members with mayManageCards, do this.")


def _require_manager_of(_: CardRow, __: FrozenBy, access: Access) -> None:
    _require_manager(access)


def _require_not_frozen_by_staff(card: CardRow, by: FrozenBy, _: Access) -> None:
    if card.frozen_by == FrozenBy.STAFF and by == FrozenBy.OWNER:
        raise Forbidden("The bank froze this card: ask the bank.")


def _authority(actor: Actor, access: Access) -> FrozenBy:
    """Return the role in which the actor changes the card: staff on a customer's card, otherwise whoever may manage it.

    Raises:
        Forbidden: the actor is neither.
    """
    if actor.is_allowed(Permission.MANAGE_ACCOUNTS) and not access.is_party:
        return FrozenBy.STAFF
    _require_manager(access)
    return FrozenBy.OWNER


async def erase(connection: Connection, owner_id: UUID) -> None:
    """Erase the holder's name on a user's cards, which are cancelled, and the keys that decrypt their numbers."""
    await connection.execute(_ERASE_KEYS, owner=owner_id)
    await connection.execute(_ERASE_HOLDER, owner=owner_id, new_name=ERASED_HOLDER)
