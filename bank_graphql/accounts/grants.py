"""The only writer of access grants: what users let programs do, agents with their accounts and services of their own."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from bank_graphql.accounts import grant_statements as statements
from bank_graphql.accounts.grant_statements import GrantRow
from bank_graphql.accounts.rules import check_name, grant_lock
from bank_graphql.audit import service as audit
from bank_graphql.identity.enums import GrantAction, GrantKind
from bank_graphql.identity.errors import StepUpRequired
from bank_graphql.identity.grants import hash_of, new_token
from bank_graphql.identity.notices import Change
from bank_graphql.identity.scopes import OF_ACCOUNTS, SERVICES, Scope
from bank_graphql.identity.service import Identity
from bank_graphql.kit.actor import Actor
from bank_graphql.kit.clock import Clock, utc_now
from bank_graphql.kit.db import Connection, Database
from bank_graphql.kit.errors import Forbidden, NotFound, ValidationFailed
from bank_graphql.kit.iban import check_iban
from bank_graphql.kit.ids import global_id, lock_key, new_id
from bank_graphql.kit.money import Money
from bank_graphql.ledger import service as ledger
from bank_graphql.ledger.errors import CurrencyMismatch

_NEED_ACCOUNTS = frozenset({Scope.TRANSACTIONS_READ, Scope.CARDS_READ})
MAX_GRANTS = 50
"""The maximum number of active access grants of a user."""
MAX_ACCOUNTS = 20
"""The maximum number of accounts of a grant."""
MAX_PAYEES = 100
"""The maximum number of payees that a grant names."""
LASTS = timedelta(days=366)
"""How long an access grant lasts at most."""
MAX_OVERLAP = timedelta(days=7)
"""For how long a rotated token stays valid at most."""


_ACTIONS = {
    GrantKind.AGENT: GrantAction.CREATE,
    GrantKind.API_KEY: GrantAction.CREATE_KEY,
    GrantKind.CONSENT: GrantAction.CONSENT,
}


@dataclass(frozen=True, slots=True)
class Terms:
    """What a program is to be allowed.

    Attributes:
        name: what the user calls it.
        scopes: what it may do.
        account_ids: the accounts that it may use.
        payees: the numbers of the accounts that it may pay; None for any.
        daily_limit: how much it may pay a day, altogether; needed with `payments:write`.
        approval_above: the largest amount of one payment without approval; None for any.
        expires_at: when it ends.
    """

    name: str
    scopes: frozenset[Scope]
    account_ids: tuple[UUID, ...]
    payees: tuple[str, ...] | None
    daily_limit: Money | None
    approval_above: Money | None
    expires_at: datetime


class Grants:
    """The access grants of users. What is done is audited, and so is each refusal.

    Args:
        db: the database.
        clock: gives the time by which they expire.
        identity: knows sessions, is given tokens that end, and mails users what was done.
    """

    def __init__(self, db: Database, clock: Clock, identity: Identity) -> None:
        self._db = db
        self._clock = clock
        self._identity = identity

    async def create(self, actor: Actor, kind: GrantKind, terms: Terms) -> tuple[UUID, str]:
        """Give a program access, and return the grant and its token, which is shown once. Raises as `consent`."""
        token = new_token()

        async def add_token(connection: Connection, grant_id: UUID) -> None:
            await connection.insert(statements.INSERT_TOKEN, [(new_id(), hash_of(token), grant_id, self._clock())])

        return await self.consent(actor, kind, terms, add_token), token

    async def consent(
        self,
        actor: Actor,
        kind: GrantKind,
        terms: Terms,
        add_token: Callable[[Connection, UUID], Awaitable[None]],
    ) -> UUID:
        """Give a program access, and return the grant.

        Args:
            actor: the user.
            kind: what the program is.
            terms: what it may do.
            add_token: called in the transaction with the grant, to store what the program calls with.

        Raises:
            StepUpRequired: the actor was not verified a short while ago.
            NotFound, Forbidden: an account is not visible to the actor, who does not own it; or the actor's role does not have
                what a
                scope passes on.
            CurrencyMismatch: an account is in another currency than the limit.
            ValidationFailed: see the messages.
        """
        new = new_id()

        async def work(connection: Connection) -> None:
            if not actor.is_verified:
                raise StepUpRequired
            name, payees = self._checked(terms)
            _require_permissions(actor, terms.scopes)
            await ledger.lock(connection, [ledger.account_lock(each) for each in terms.account_ids])
            await self._identity.sessions.require_active(connection, actor)
            await _require_accounts(connection, actor, terms)
            await connection.lock([lock_key("grants", actor.user_id)])
            now = self._clock()
            [active] = await connection.fetch(statements.COUNT, user=actor.user_id, now=now)
            if active.count >= MAX_GRANTS:
                raise ValidationFailed.of("name", "TOO_MANY", f"You may have {MAX_GRANTS} access grants: revoke one first.")
            limit, above = terms.daily_limit, terms.approval_above
            await connection.execute(
                statements.INSERT,
                grant=new,
                kind=kind,
                user=actor.user_id,
                given_name=name,
                given_scopes=sorted(terms.scopes),
                given_payees=payees,
                given_currency=limit.currency if limit else None,
                limit=limit.minor if limit else None,
                above=above.minor if above else None,
                now=now,
                expires=terms.expires_at,
            )
            await connection.insert(statements.INSERT_ACCOUNT, [(new, each) for each in terms.account_ids])
            await add_token(connection, new)
            await self._identity.notices.changed(connection, actor.user_id, Change.PROGRAM_ADDED)

        await audit.execute_audited(self._db, actor, _ACTIONS[kind], new, work)
        return new

    async def rotate(self, actor: Actor, grant_id: UUID, overlap: timedelta) -> str:
        """Return a new token of a grant. Those that it has are valid for a while yet, so that no request fails meanwhile.

        Args:
            actor: the user of the grant.
            grant_id: the grant.
            overlap: how long older tokens stay valid.

        Raises:
            StepUpRequired: the actor was not verified a short while ago.
            NotFound: the actor has no such grant that is active.
            ValidationFailed: the overlap is negative, or too long.
        """
        token = new_token()

        async def work(connection: Connection) -> set[UUID]:
            if not actor.is_verified:
                raise StepUpRequired
            if not timedelta(0) <= overlap <= MAX_OVERLAP:
                message = f"Older tokens stay valid for 0 to {MAX_OVERLAP // timedelta(minutes=1)} minutes."
                raise ValidationFailed.of("overlapMinutes", "INVALID", message)
            now = self._clock()
            found = await self._require_own(connection, actor, grant_id)
            if found.kind == GrantKind.CONSENT:
                message = "An application to which you consented rotates its tokens by itself."
                raise ValidationFailed.of("id", "INVALID", message)
            await connection.execute(statements.EXPIRE_TOKENS, grant=grant_id, expires=now + overlap)
            deleted = await connection.fetch(statements.DELETE_TOKENS, grant=grant_id, now=now)
            await connection.insert(statements.INSERT_TOKEN, [(new_id(), hash_of(token), grant_id, now)])
            await self._identity.notices.changed(connection, actor.user_id, Change.PROGRAM_ADDED)
            return {row.id for row in deleted}

        ended = await audit.execute_audited(self._db, actor, GrantAction.ROTATE, grant_id, work)
        self._identity.sessions.cache.end(ended)
        return token

    async def revoke(self, actor: Actor, grant_id: UUID) -> None:
        """End a grant at once.

        Raises:
            NotFound: the actor has no such grant that is active.
        """

        async def work(connection: Connection) -> set[UUID]:
            await connection.lock([grant_lock(grant_id)])
            await self._require_own(connection, actor, grant_id)
            return await end_grant(connection, grant_id, self._clock())

        ended = await audit.execute_audited(self._db, actor, GrantAction.REVOKE, grant_id, work)
        self._identity.sessions.cache.end(ended)

    async def of(self, actor: Actor) -> list[GrantRow]:
        """Return the actor's active grants, oldest first."""
        return await self._db.fetch(statements.OF_USER, user=actor.user_id, now=self._clock())

    async def owned(self, actor: Actor, account_ids: Sequence[UUID]) -> set[UUID]:
        """Return those of the accounts that the actor owns, alone or jointly: a grant may name them."""
        found = await self._db.fetch(statements.OWNED, accounts=list(account_ids), user=actor.user_id)
        return {row.id for row in found}

    async def get(self, actor: Actor, grant_id: UUID) -> GrantRow | None:
        """Return an active grant of the actor, or of the program itself; None if there is none."""
        if actor.grant is not None and grant_id != actor.user_id:
            return None
        return await self._db.fetch_one(statements.GRANT, grant=grant_id, user=actor.person_id, now=self._clock())

    async def _require_own(self, connection: Connection, actor: Actor, grant_id: UUID) -> GrantRow:
        found = await connection.fetch_one(statements.GRANT, grant=grant_id, user=actor.user_id, now=self._clock())
        if found is None:
            raise NotFound("access grant", global_id("AccessGrant", grant_id))
        return found

    def _checked(self, terms: Terms) -> tuple[str, list[str] | None]:
        """Return the name and the payees, normalised. Raises ValidationFailed."""
        name = check_name(terms.name)
        if not terms.scopes:
            raise ValidationFailed.of("scopes", "REQUIRED", "Name what the program may do.")
        now = self._clock()
        if not now < terms.expires_at <= now + LASTS:
            raise ValidationFailed.of("expiresAt", "INVALID", f"expiresAt is in the future, at most {LASTS.days} days from now.")
        if terms.scopes & _NEED_ACCOUNTS and Scope.ACCOUNTS_READ not in terms.scopes:
            raise ValidationFailed.of("scopes", "INVALID", "To read transactions or cards, ACCOUNTS_READ is needed, too.")
        if terms.account_ids and not terms.scopes & OF_ACCOUNTS:
            raise ValidationFailed.of("accountIds", "INVALID", "These scopes are not about accounts: leave accountIds out.")
        if terms.scopes & OF_ACCOUNTS and not 0 < len(terms.account_ids) <= MAX_ACCOUNTS:
            raise ValidationFailed.of("accountIds", "INVALID", f"Name 1 to {MAX_ACCOUNTS} accounts: the scopes are about them.")
        _require_limit(terms)
        is_free = terms.payees is None and terms.approval_above is None
        if Scope.PAYMENTS_WRITE not in terms.scopes and not is_free:
            raise ValidationFailed.of("payees", "INVALID", "Payees and amounts are for programs that may pay.")
        if terms.payees is not None and len(terms.payees) > MAX_PAYEES:
            raise ValidationFailed.of("payees", "TOO_MANY", f"Name at most {MAX_PAYEES} payees.")
        return name, None if terms.payees is None else [check_iban(each, "payees") for each in terms.payees]


def _require_limit(terms: Terms) -> None:
    """Require a limit a day of programs that may pay, and of no others. Raises ValidationFailed."""
    may_pay, has_limit = Scope.PAYMENTS_WRITE in terms.scopes, terms.daily_limit is not None
    if may_pay and not has_limit:
        message = "PAYMENTS_WRITE needs a dailyLimit. A key of a service cannot pay: use createAccessGrant."
        raise ValidationFailed.of("dailyLimit", "REQUIRED", message)
    if has_limit and not may_pay:
        raise ValidationFailed.of("dailyLimit", "INVALID", "A daily limit needs the scope PAYMENTS_WRITE.")


async def end_grant(connection: Connection, grant_id: UUID, now: datetime) -> set[UUID]:
    """End a grant, and return the ids of its tokens. The caller gives them to `SessionCache.end`."""
    await connection.lock([grant_lock(grant_id)])
    await connection.execute(statements.REVOKE, grant=grant_id, now=now)
    deleted = await connection.fetch(statements.DELETE_ALL_TOKENS, grant=grant_id)
    await connection.execute(statements.DELETE_ACCOUNTS, grant=grant_id)
    return {row.id for row in deleted}


async def drop_accounts(connection: Connection, account_id: UUID, user_id: UUID) -> None:
    """Take an account from the programs of a user who does not own it any more."""
    await connection.execute(statements.DROP_ACCOUNT, account=account_id, user=user_id)


async def erase(connection: Connection, user_id: UUID) -> None:
    """End the access grants of a user, and erase what they were called and whom they could pay."""
    await connection.execute(statements.ERASE_TOKENS, user=user_id)
    await connection.execute(statements.ERASE_ACCOUNTS, user=user_id)
    await connection.execute(statements.ERASE, user=user_id, now=utc_now())


def _require_permissions(actor: Actor, scopes: frozenset[Scope]) -> None:
    """Require that the actor's role has what service scopes pass on."""
    for scope in sorted(scopes):
        if scope in SERVICES and not actor.is_allowed(SERVICES[scope]):
            raise Forbidden(f"Your role does not allow {scope.name}.")


async def _require_accounts(connection: Connection, actor: Actor, terms: Terms) -> None:
    """Require that the actor owns the accounts, alone or jointly, and that limits fit them."""
    given = list(terms.account_ids)
    owned = {row.id: row.currency for row in await connection.fetch(statements.OWNED, accounts=given, user=actor.user_id)}
    for account_id in given:
        if account_id not in owned:
            raise NotFound("account of yours", global_id("Account", account_id))
    for money, path in ((terms.daily_limit, "dailyLimit"), (terms.approval_above, "approvalAbove")):
        if money is None:
            continue
        if money.minor < 0:
            raise ValidationFailed.of((path, "amount"), "NEGATIVE", "A limit is not negative.")
        for currency in owned.values():
            if currency != money.currency:
                raise CurrencyMismatch(currency, money.currency)
