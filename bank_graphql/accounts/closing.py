"""Close a user for good, together with the user's accounts. It is above `identity`, because it depends on balances."""

from uuid import UUID

from sqlalchemy import Uuid, bindparam, select
from sqlmodel import col

from bank_graphql.accounts.enums import AccountStatus, FrozenBy
from bank_graphql.accounts.members import Members
from bank_graphql.accounts.models import Account
from bank_graphql.accounts.queries import ACCOUNT_COLUMNS, AccountRow
from bank_graphql.accounts.rules import opening_lock
from bank_graphql.accounts.service import SET_STATUS, Ending
from bank_graphql.audit import service as audit
from bank_graphql.identity.enums import IdentityAction
from bank_graphql.identity.errors import CredentialsRefused, StepUpRequired
from bank_graphql.identity.service import Identity
from bank_graphql.identity.users import Users
from bank_graphql.kit.actor import Actor
from bank_graphql.kit.clock import Clock
from bank_graphql.kit.conflicts import StateConflict, StateConflictCode
from bank_graphql.kit.db import Connection, Database
from bank_graphql.kit.statements import Query
from bank_graphql.ledger import service as ledger
from bank_graphql.ledger.models import Balance

_OPEN = Query(
    select(*ACCOUNT_COLUMNS)
    .join(Balance, col(Balance.account_id) == Account.id)
    .where(col(Account.owner_id) == bindparam("user", type_=Uuid()), col(Account.status) != AccountStatus.CLOSED),
    AccountRow,
)


class Closing:
    """Closes users.

    Args:
        db: the database.
        identity: verifies passwords, and knows the sessions that end.
        users: closes the user.
        members: ends the user's memberships.
        clock: gives the bank's time.
        ending: what else happens when an account is closed.
    """

    def __init__(
        self,
        db: Database,
        identity: Identity,
        users: Users,
        members: Members,
        clock: Clock,
        ending: Ending,
    ) -> None:
        self._db = db
        self._identity = identity
        self._users = users
        self._members = members
        self._clock = clock
        self._ending = ending

    async def close_user(self, actor: Actor, password: str) -> None:
        """Close the actor, and the actor's accounts with their cards. All sessions of the actor end at once.

        Raises:
            CredentialsRefused: the password is wrong.
            StepUpRequired: the actor has a second factor, which was not proved a short while ago.
            StateConflict: `MONEY_REMAINS`: an account is not empty. `WRONG_STATUS`: staff froze one. `LAST_ADMIN`: no active
                administrator would remain.
            RateLimited: too many attempts on this user are queued.
        """
        matches = await self._identity.verify_password(actor, password)
        needs_code = matches and await self._identity.needs_code(actor)
        if matches and not needs_code:
            for account in await self._db.fetch(_OPEN, user=actor.user_id):
                if not (account.booked or account.held):
                    await self._ending.settle(account.id)

        async def work(connection: Connection) -> set[UUID]:
            if not matches:
                raise CredentialsRefused
            if needs_code:
                raise StepUpRequired
            accounts = await self._locked_accounts(connection, actor.user_id)  # first: it may wait, and administrators do not
            await self._users.begin_to_close(connection, actor.user_id)
            await self._identity.sessions.require_active(connection, actor)
            for account in accounts:
                _require_closable(account)
                await self._ending.check(connection, account.id)
            for account in accounts:
                await self._close(connection, account)
            await self._members.end_of_user(connection, actor.user_id)
            return await self._users.close(connection, actor.user_id)

        ended = await audit.execute_audited(self._db, actor, IdentityAction.CLOSE_USER, actor.user_id, work)
        self._identity.sessions.cache.end(ended)

    async def _locked_accounts(self, connection: Connection, user_id: UUID) -> list[AccountRow]:
        """Lock the open accounts of a user, and the opening of more, and return them as they are under the locks.

        The accounts of which the user is a member are locked, too.
        """
        found = [each.id for each in await connection.fetch(_OPEN, user=user_id)]
        shared = await self._members.accounts_of(connection, user_id)
        await ledger.lock(connection, [opening_lock(user_id), *map(ledger.account_lock, [*found, *shared])])
        opened = [each.id for each in await connection.fetch(_OPEN, user=user_id)]  # some of them while the locks were waited for
        await ledger.lock(connection, [ledger.account_lock(each) for each in opened])
        return await connection.fetch(_OPEN, user=user_id)

    async def _close(self, connection: Connection, account: AccountRow) -> None:
        now = self._clock()
        given = {"account": account.id, "new_status": AccountStatus.CLOSED, "by": None, "reason": None}
        await connection.execute(SET_STATUS, **given, closed=now, now=now)
        await self._ending.end(connection, account.id, now)


def _require_closable(account: AccountRow) -> None:
    if account.booked or account.held:
        raise StateConflict(StateConflictCode.MONEY_REMAINS, account.status, f"The account {account.number} is not empty.")
    if account.frozen_by == FrozenBy.STAFF:
        raise StateConflict(StateConflictCode.WRONG_STATUS, account.status, f"The bank froze the account {account.number}.")
