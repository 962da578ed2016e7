"""The only writer of accounts: changes to one account at a time. `payments` does what moves money or needs several accounts."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from sqlalchemy import BigInteger, Text, Uuid, bindparam, func, select, update
from sqlmodel import col

from bank_graphql.accounts.access import NONE, Access
from bank_graphql.accounts.enums import AccountKind, AccountStatus, FrozenBy
from bank_graphql.accounts.errors import AccountStatusRefused
from bank_graphql.accounts.member_queries import access_to
from bank_graphql.accounts.member_statements import ERASE_ADDRESSES
from bank_graphql.accounts.models import ACCOUNT_SERIALS, Account
from bank_graphql.accounts.queries import ACCOUNT_COLUMNS, AccountRow
from bank_graphql.accounts.rules import Numbering, check_name, check_reason
from bank_graphql.audit import service as audit
from bank_graphql.identity.permissions import Permission
from bank_graphql.kit.actor import Actor
from bank_graphql.kit.clock import Clock
from bank_graphql.kit.conflicts import StateConflict, StateConflictCode
from bank_graphql.kit.db import Connection, Database
from bank_graphql.kit.errors import Forbidden, NotFound, Refusal, ValidationFailed
from bank_graphql.kit.ids import global_id
from bank_graphql.kit.money import Money
from bank_graphql.kit.statements import Insert, Query, Row, Writes
from bank_graphql.ledger import service as ledger
from bank_graphql.ledger.errors import CurrencyMismatch
from bank_graphql.ledger.models import Balance

_INSERT = Insert(Account, "id", "owner_id", "number", "name", "kind", "status", "opened_at", "updated_at")


class _SerialRow(Row):
    serial: int


_SERIALS = Query(
    select(func.nextval(ACCOUNT_SERIALS.name).label("serial")).select_from(
        func.generate_series(1, bindparam("how_many", type_=BigInteger()))
    ),
    _SerialRow,
)
_ACCOUNT = Query(
    select(*ACCOUNT_COLUMNS)
    .join(Balance, col(Balance.account_id) == Account.id)
    .where(col(Account.id) == bindparam("id", type_=Uuid())),
    AccountRow,
)
_RENAME = Query(
    update(Account)
    .where(col(Account.id) == bindparam("account", type_=Uuid()))
    .values(name=bindparam("new_name"), updated_at=bindparam("now")),
    Row,
)
SET_STATUS = Query(
    update(Account)
    .where(col(Account.id) == bindparam("account", type_=Uuid()))
    .values(
        status=bindparam("new_status", type_=Text()),
        frozen_by=bindparam("by", type_=Text()),
        freeze_reason=bindparam("reason", type_=Text()),
        closed_at=bindparam("closed"),
        updated_at=bindparam("now"),
    ),
    Row,
)


class Opening(Protocol):
    """An account to open. Its balance is written by the ledger, in the same transaction."""

    @property
    def account_id(self) -> UUID: ...  # noqa: D102
    @property
    def owner_id(self) -> UUID: ...  # noqa: D102
    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def kind(self) -> AccountKind: ...  # noqa: D102


async def open_accounts(
    connection: Connection, writes: Writes, numbering: Numbering, openings: Sequence[Opening], now: datetime
) -> None:
    """Add new accounts to the writes, each with a new account number."""
    if not openings:
        return
    numbers: list[str] = []
    while len(numbers) < len(openings):
        missing = len(openings) - len(numbers)
        serials = await connection.fetch(_SERIALS, how_many=missing * numbering.serials_per_number)
        numbers += filter(None, (numbering.number(row.serial) for row in serials))
    writes.insert(
        _INSERT,
        [
            (o.account_id, o.owner_id, number, o.name, o.kind, AccountStatus.ACTIVE, now, now)
            for o, number in zip(openings, numbers, strict=False)
        ],
    )


class _IdRow(Row):
    id: UUID


_owner = bindparam("owner", type_=Uuid())
_OWNED = Query(select(col(Account.id)).where(col(Account.owner_id) == _owner), _IdRow)
_ERASE = Query(
    update(Account).where(col(Account.owner_id) == _owner).values(name=bindparam("new_name", type_=Text()), freeze_reason=None),
    Row,
)
ERASED_NAME = "Account"
"""The name of the accounts of a user who was erased."""


@dataclass(frozen=True, slots=True)
class Ending:
    """What other rooms do when an account is closed.

    Attributes:
        settle: posts the interest of the account, before it is closed.
        check: called under its lock, before anything is changed; it may refuse.
        end: called in the transaction, to end what depends on the account: its cards, and standing orders from it.
    """

    settle: Callable[[UUID], Awaitable[object]]
    check: Callable[[Connection, UUID], Awaitable[None]]
    end: Callable[[Connection, UUID, datetime], Awaitable[None]]


class Accounts:
    """Changes to single accounts: names, freezing, closing, limits. Each is audited, and so is each refusal.

    Args:
        db: the database.
        clock: gives the time.
        ending: what else happens when an account is closed.
    """

    def __init__(self, db: Database, clock: Clock, ending: Ending) -> None:
        self._db = db
        self._clock = clock
        self._ending = ending

    async def rename(self, actor: Actor, account_id: UUID, name: str) -> None:
        """Rename an account.

        Raises:
            NotFound, Forbidden: the account is not visible to the actor, or not the actor's own.
            ValidationFailed: the name is empty, too long, or has characters that cannot be printed.
        """
        checked = check_name(name)

        async def change(connection: Connection, _: AccountRow, access: Access) -> None:
            _require_owner(access)
            await connection.execute(_RENAME, account=account_id, new_name=checked, now=self._clock())

        await self._change(actor, "renameAccount", account_id, change)

    async def freeze(self, actor: Actor, account_id: UUID, reason: str | None) -> None:
        """Freeze an account: it refuses debits. Only staff can unfreeze an account that staff froze.

        Raises:
            NotFound, Forbidden: the account is not visible to the actor; the actor is neither its owner nor staff.
            StateConflict: it is closed. Freezing a frozen account is allowed.
            ValidationFailed: the reason is too long, or has characters that cannot be printed.
        """
        checked = check_reason(reason)

        async def change(connection: Connection, account: AccountRow, access: Access) -> None:
            by = _authority(actor, access)
            _require_open(account)
            if account.frozen_by != FrozenBy.STAFF or by == FrozenBy.STAFF:
                await self._set_status(connection, account, AccountStatus.FROZEN, by, checked)

        await self._change(actor, "freezeAccount", account_id, change)

    async def unfreeze(self, actor: Actor, account_id: UUID) -> None:
        """Unfreeze an account: it allows debits again.

        Raises:
            NotFound, Forbidden: the account is not visible to the actor; the actor is neither its owner nor staff, or staff has
                frozen it.
            StateConflict: it is not frozen.
        """

        async def change(connection: Connection, account: AccountRow, access: Access) -> None:
            by = _authority(actor, access)
            if account.status != AccountStatus.FROZEN:
                raise StateConflict(StateConflictCode.WRONG_STATUS, account.status, "The account is not frozen.")
            if account.frozen_by == FrozenBy.STAFF and by == FrozenBy.OWNER:
                raise Forbidden("The bank froze this account: ask the bank.")
            await self._set_status(connection, account, AccountStatus.ACTIVE)

        await self._change(actor, "unfreezeAccount", account_id, change)

    async def close(self, actor: Actor, account_id: UUID) -> None:
        """Close an account for good. Its interest through yesterday is posted before; if that is anything, it is not empty.

        Raises:
            NotFound, Forbidden: the account is not visible to the actor, or not the actor's own.
            AccountStatusRefused, StateConflict: staff froze it; it is not empty, or closed already, or fees or interest are due.
        """

        async def check(connection: Connection) -> None:
            account, _ = await self._lock(connection, actor, account_id)
            _require_closable(actor, account)

        async def change(connection: Connection, account: AccountRow, _: Access) -> None:
            _require_closable(actor, account)
            await self._ending.check(connection, account_id)
            await self._set_status(connection, account, AccountStatus.CLOSED)
            await self._ending.end(connection, account_id, self._clock())

        with suppress(Refusal):  # it is raised, and audited, below
            await self._db.transact(check)
            await self._ending.settle(account_id)
        await self._change(actor, "closeAccount", account_id, change)

    async def set_overdraft_limit(
        self, actor: Actor, account_id: UUID, limit: Money, confirm: Callable[[Connection], Awaitable[None]] | None = None
    ) -> None:
        """Set how far an account may go below zero.

        Args:
            actor: a member of staff.
            account_id: the account.
            limit: the limit.
            confirm: called in the transaction, before anything is changed; it may refuse.

        Raises:
            NotFound, Forbidden: the account is not visible to the actor; the actor is not staff, or owns it.
            CurrencyMismatch, StateConflict: the limit is in another currency, the account is closed.
            ValidationFailed: the limit is negative, or smaller than what the account uses already.
        """

        async def change(connection: Connection, account: AccountRow, access: Access) -> None:
            _check_limit(actor, account, access, limit)
            if confirm is not None:
                await confirm(connection)
            await ledger.set_overdraft_limit(connection, account_id, limit.minor)

        await self._change(actor, "setOverdraftLimit", account_id, change)

    async def check_overdraft_limit(self, connection: Connection, actor: Actor, account_id: UUID, limit: Money) -> None:
        """Refuse what `set_overdraft_limit` would refuse, and change nothing."""
        _check_limit(actor, *await self._lock(connection, actor, account_id), limit)

    async def _change(
        self,
        actor: Actor,
        action: str,
        account_id: UUID,
        change: Callable[[Connection, AccountRow, Access], Awaitable[None]],
    ) -> None:
        """Change an account under its lock, and record it in the audit; a refusal is recorded too, then raised."""

        async def locked(connection: Connection) -> None:
            await change(connection, *await self._lock(connection, actor, account_id))

        await audit.execute_audited(self._db, actor, action, account_id, locked)

    async def _lock(self, connection: Connection, actor: Actor, account_id: UUID) -> tuple[AccountRow, Access]:
        """Lock an account that is visible to the actor, and return it, with what the actor may do."""
        await ledger.lock(connection, [ledger.account_lock(account_id)])
        account = await connection.fetch_one(_ACCOUNT, id=account_id)
        access = NONE if account is None else await access_to(connection, actor, account_id, account.owner_id)
        if account is None or not access.is_visible:
            raise NotFound("account", global_id("Account", account_id))
        return account, access

    async def _set_status(
        self,
        connection: Connection,
        account: AccountRow,
        status: AccountStatus,
        by: FrozenBy | None = None,
        reason: str | None = None,
    ) -> None:
        now = self._clock()
        closed = now if status == AccountStatus.CLOSED else None
        await connection.execute(SET_STATUS, account=account.id, new_status=status, by=by, reason=reason, closed=closed, now=now)


def _check_limit(actor: Actor, account: AccountRow, access: Access, limit: Money) -> None:
    """Require that the actor may give an account an overdraft limit. Raises as `Accounts.set_overdraft_limit`."""
    if not actor.is_allowed(Permission.MANAGE_ACCOUNTS):
        raise Forbidden("Only staff may set overdraft limits.")
    if access.is_party:
        raise Forbidden("Nobody may set an overdraft limit of their own.")
    if limit.currency != account.currency:
        raise CurrencyMismatch(account.currency, limit.currency)
    _require_open(account)
    if limit.minor < 0:
        raise ValidationFailed.of(("limit", "amount"), "NEGATIVE", "A limit is not negative.")
    if account.booked - account.held + limit.minor < 0:
        used = Money(account.held - account.booked, account.currency)
        raise ValidationFailed.of(("limit", "amount"), "TOO_SMALL", f"The account uses {used} of its overdraft.")


def _require_owner(access: Access) -> None:
    if not access.is_owner:
        raise Forbidden("Only the account's owners may do this.")


def _require_closable(actor: Actor, account: AccountRow) -> None:
    """Require that the actor may close an account now. Raises as `Accounts.close`."""
    if account.owner_id != actor.user_id:
        raise Forbidden("Only whoever opened the account may close it.")
    _require_open(account)
    if account.frozen_by == FrozenBy.STAFF:
        raise AccountStatusRefused(account.id, account.status)
    if account.booked or account.held:
        money = Money(account.booked or account.held, account.currency)
        message = f"The account has {money}, with its interest up to yesterday: only an empty account can be closed."
        raise StateConflict(StateConflictCode.MONEY_REMAINS, account.status, message)


def _require_open(account: AccountRow) -> None:
    if account.status == AccountStatus.CLOSED:
        raise StateConflict(StateConflictCode.WRONG_STATUS, account.status, "The account is closed.")


def _authority(actor: Actor, access: Access) -> FrozenBy:
    """Return the role in which the actor changes the account: staff on a customer's account, otherwise an owner of it.

    Raises:
        Forbidden: the actor is neither.
    """
    if actor.is_allowed(Permission.MANAGE_ACCOUNTS) and not access.is_party:
        return FrozenBy.STAFF
    _require_owner(access)
    return FrozenBy.OWNER


async def erase(connection: Connection, owner_id: UUID) -> None:
    """Erase the names of a user's accounts, addresses of their members, and what was written about payments from them.

    What was booked stays.
    """
    owned = await connection.fetch(_OWNED, owner=owner_id)
    await connection.execute(ERASE_ADDRESSES, user=owner_id)
    await ledger.erase_notes(connection, [row.id for row in owned])
    await connection.execute(_ERASE, owner=owner_id, new_name=ERASED_NAME)
