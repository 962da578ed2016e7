"""The only writer of memberships: inviting people to an account, and accepting, changing and ending what they may do with it.

Each is done under the account's lock, which payments take too: what is decided about a membership holds for every payment after.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from string import ascii_lowercase, ascii_uppercase
from uuid import UUID

from bank_graphql.accounts import member_queries
from bank_graphql.accounts import member_statements as statements
from bank_graphql.accounts.access import Access
from bank_graphql.accounts.enums import AccountStatus, MemberAction, MemberRole, MembershipStatus
from bank_graphql.accounts.member_queries import MAX_LISTED, MAX_MEMBERS, MembershipRow, access_to
from bank_graphql.accounts.member_statements import LockedMembershipRow
from bank_graphql.accounts.queries import AccountRow
from bank_graphql.audit import service as audit
from bank_graphql.identity import queries as identity_queries
from bank_graphql.identity.errors import StepUpRequired
from bank_graphql.identity.permissions import Permission
from bank_graphql.identity.service import Identity
from bank_graphql.kit.actor import Actor
from bank_graphql.kit.clock import Clock
from bank_graphql.kit.conflicts import StateConflict, StateConflictCode
from bank_graphql.kit.db import Connection, Database
from bank_graphql.kit.errors import Forbidden, NotFound, ValidationFailed
from bank_graphql.kit.ids import global_id, lock_key, new_id
from bank_graphql.kit.money import Money
from bank_graphql.ledger import service as ledger
from bank_graphql.ledger.errors import CurrencyMismatch
from bank_graphql.mail.letters import Mail, letter
from bank_graphql.mail.service import Outbox

_LOWER = str.maketrans(ascii_uppercase, ascii_lowercase)
_MAX_NAME = 60
"""How much of a name a mail shows to somebody who may not know it."""
LASTS = timedelta(days=14)
"""How long an invitation can be accepted."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a member may do beyond seeing the account.

    Attributes:
        role: an OWNER may do everything that an owner may, without a limit.
        may_pay: whether the member may pay from the account.
        daily_limit: how much a day; None for any amount.
        may_manage_cards: whether the member may order and change the account's cards.
    """

    role: MemberRole = MemberRole.MEMBER
    may_pay: bool = False
    daily_limit: Money | None = None
    may_manage_cards: bool = False


class Members:
    """The people who may use accounts beside their owners. What is done is audited, and so is each refusal.

    Args:
        db: the database.
        identity: checks addresses.
        outbox: takes the mails with invitations.
        bank_name: the name that they are signed with.
        clock: gives the bank's time.
        end: called in the transaction that ends a membership, with its account and user: ends standing orders from it.
    """

    def __init__(
        self,
        db: Database,
        identity: Identity,
        outbox: Outbox,
        *,
        bank_name: str,
        clock: Clock,
        end: Callable[[Connection, UUID, UUID, datetime], Awaitable[None]],
    ) -> None:
        self._db = db
        self._identity = identity
        self._outbox = outbox
        self._bank_name = bank_name
        self._clock = clock
        self._end = end
        self._listeners: list[Callable[[UUID, UUID], None]] = []

    def on_ended(self, listener: Callable[[UUID, UUID], None]) -> None:
        """Call `listener` with the user and the account of each membership that this process ends, before that is answered."""
        self._listeners.append(listener)

    async def invite(self, actor: Actor, account_id: UUID, email: str, may: Capabilities) -> MembershipRow:
        """Invite the person with an e-mail address to an account, by mail, and return the invitation.

        Raises:
            NotFound, Forbidden: the account is not visible to the actor; the actor does not own it.
            StepUpRequired: the actor was not verified a short while ago.
            StateConflict: the account is closed.
            ValidationFailed: the address is invalid, the actor's own, or belongs to a member already (`TAKEN`); `TOO_MANY`; a
                limit is negative, or of what may not be paid.
            CurrencyMismatch: the limit is in another currency.
        """
        new = new_id()

        async def work(connection: Connection) -> None:
            account, access = await self._locked(connection, actor, account_id)
            _require_owner(actor, access, account)
            limit = _minor_limit(may, account)
            address, key = self._address(email)
            await connection.execute(statements.DELETE_EXPIRED, account=account_id, now=self._clock())
            await self._require_new(connection, account, key)
            [count] = await connection.fetch(statements.COUNT, account=account_id)
            if count.count >= MAX_MEMBERS:
                message = f"An account has at most {MAX_MEMBERS} members and invitations."
                raise ValidationFailed.of("accountId", "TOO_MANY", message)
            now = self._clock()
            capabilities = (may.role, may.may_pay, limit, may.may_manage_cards)
            row = (new, account_id, *capabilities, MembershipStatus.INVITED, address, key, actor.user_id, now, now + LASTS)
            await connection.insert(statements.INSERT, [row])
            await self._mail(connection, actor, address)

        await audit.execute_audited(self._db, actor, MemberAction.INVITE, account_id, work, detail=may.role)
        return await self._read(actor, new)

    async def accept(self, actor: Actor, membership_id: UUID) -> MembershipRow:
        """Accept an invitation to the actor's e-mail address, and return the membership.

        Raises:
            NotFound: there is no such invitation to the actor's address, or it has expired.
            Forbidden: the actor has not verified the address.
            StateConflict: it was accepted already; the account is closed, or the actor's own.
            ValidationFailed: `TOO_MANY`: the actor is a member of too many accounts.
        """

        async def work(connection: Connection) -> None:
            found, account = await self._found(connection, membership_id)
            [profile] = await connection.fetch(identity_queries.OWN_PROFILE, user=actor.user_id)
            is_own = found.user_id == actor.user_id or _is_same(found.email, profile.email)
            is_over = found.status == MembershipStatus.INVITED and found.expires_at <= self._clock()
            if not is_own or is_over:
                raise _missing(membership_id)
            if not profile.email_verified:
                raise Forbidden("Verify your e-mail address first: requestEmailVerification mails a code for verifyEmail.")
            if found.status != MembershipStatus.INVITED:
                raise StateConflict(StateConflictCode.WRONG_STATUS, found.status, "The invitation was accepted already.")
            _require_open(account)
            await self._identity.sessions.require_active(connection, actor)
            access = await access_to(connection, actor, account.id, account.owner_id)
            if access.is_party:
                raise StateConflict(StateConflictCode.WRONG_STATUS, MembershipStatus.ACTIVE, "You may use this account already.")
            await connection.lock([lock_key("memberships", actor.user_id)])
            [count] = await connection.fetch(statements.COUNT_OF_USER, user=actor.user_id)
            if count.count >= MAX_LISTED:
                raise ValidationFailed.of("id", "TOO_MANY", f"You may be a member of {MAX_LISTED} accounts: leave one first.")
            await connection.execute(statements.ACCEPT, id=membership_id, user=actor.user_id, now=self._clock())

        await audit.execute_audited(self._db, actor, MemberAction.ACCEPT, membership_id, work)
        return await self._read(actor, membership_id)

    async def change(self, actor: Actor, membership_id: UUID, may: Capabilities) -> MembershipRow:
        """Change what a member may do, from the next request on, and return the membership. An owner's cannot be changed.

        Raises:
            NotFound, Forbidden: the membership is not visible to the actor, who does not own the account; it is an owner's.
            StepUpRequired, CurrencyMismatch, ValidationFailed, StateConflict: as `invite`.
        """

        async def work(connection: Connection) -> None:
            found, account = await self._found(connection, membership_id)
            access = await self._access(connection, actor, found, account)
            _require_owner(actor, access, account)
            if found.role == MemberRole.OWNER:
                raise Forbidden("A joint owner may do everything. End the membership, and invite again as a member.")
            limit = _minor_limit(may, account)
            given = {"pays": may.may_pay, "limit": limit, "manages": may.may_manage_cards}
            await connection.execute(statements.CHANGE, id=membership_id, **given)

        await audit.execute_audited(self._db, actor, MemberAction.CHANGE, membership_id, work)
        return await self._read(actor, membership_id)

    async def end(self, actor: Actor, membership_id: UUID) -> None:
        """End a membership at once, or withdraw or decline an invitation. Owners of the account, its member and staff may.

        Raises:
            NotFound, Forbidden: it is not visible to the actor, or has ended; the actor is none of those.
        """

        async def work(connection: Connection) -> tuple[UUID, UUID] | None:
            found, account = await self._found(connection, membership_id)
            access = await self._access(connection, actor, found, account)
            is_staff = actor.is_allowed(Permission.MANAGE_ACCOUNTS) and not access.is_party
            if not (access.is_owner or is_staff or await self._is_own(connection, actor, found)):
                raise Forbidden("Only the account's owners and the member may end a membership.")
            if found.user_id is None:
                await connection.execute(statements.DELETE, id=membership_id)
                return None
            now = self._clock()
            await connection.execute(statements.END, id=membership_id, now=now)
            await connection.execute(statements.DELETE_INVITATIONS_OF, account=found.account_id, user=found.user_id)
            await self._end(connection, found.account_id, found.user_id, now)
            return found.user_id, found.account_id

        ended = await audit.execute_audited(self._db, actor, MemberAction.END, membership_id, work)
        if ended is not None:
            self._note_ended(*ended)

    async def accounts_of(self, connection: Connection, user_id: UUID) -> list[UUID]:
        """Return the accounts of which a user is a member."""
        return [each.account_id for each in await connection.fetch(statements.OF_USER, user=user_id)]

    async def end_of_user(self, connection: Connection, user_id: UUID) -> None:
        """End all memberships of a user who is closed, and invitations to them. The locks of their accounts are held."""
        now = self._clock()
        await connection.execute(statements.DELETE_INVITATIONS_TO, user=user_id)
        for each in await connection.fetch(statements.END_OF_USER, user=user_id, now=now):
            await connection.execute(statements.DELETE_INVITATIONS_OF, account=each.account_id, user=user_id)
            await self._end(connection, each.account_id, user_id, now)

    def _note_ended(self, user_id: UUID, account_id: UUID) -> None:
        for listener in self._listeners:
            listener(user_id, account_id)

    async def _locked(self, connection: Connection, actor: Actor, account_id: UUID) -> tuple[AccountRow, Access]:
        """Lock an account that is visible to the actor, and return it, with what the actor may do."""
        await ledger.lock(connection, [ledger.account_lock(account_id)])
        account = await connection.fetch_one(statements.ACCOUNT, account=account_id)
        if account is not None:
            access = await access_to(connection, actor, account_id, account.owner_id)
            if access.is_visible:
                return account, access
        raise NotFound("account", global_id("Account", account_id))

    async def _found(self, connection: Connection, membership_id: UUID) -> tuple[LockedMembershipRow, AccountRow]:
        """Return a membership that has not ended, whoever wants it, and its account, whose lock is held then."""
        found = await connection.fetch_one(statements.MEMBERSHIP, id=membership_id)
        if found is not None:
            await ledger.lock(connection, [ledger.account_lock(found.account_id)])
            found = await connection.fetch_one(statements.MEMBERSHIP, id=membership_id)
        account = None if found is None else await connection.fetch_one(statements.ACCOUNT, account=found.account_id)
        if found is None or account is None:
            raise _missing(membership_id)
        return found, account

    async def _access(self, connection: Connection, actor: Actor, found: LockedMembershipRow, account: AccountRow) -> Access:
        """Return what an actor may do with the account of a membership that is visible to the actor."""
        access = await access_to(connection, actor, account.id, account.owner_id)
        is_staff = access.is_visible and not access.is_party
        if not (access.is_owner or is_staff or await self._is_own(connection, actor, found)):
            raise _missing(found.id)
        return access

    async def _is_own(self, connection: Connection, actor: Actor, found: LockedMembershipRow) -> bool:
        """Return whether a membership is the actor's, or an invitation to the actor's verified address."""
        if found.user_id is not None:
            return found.user_id == actor.user_id
        [profile] = await connection.fetch(identity_queries.OWN_PROFILE, user=actor.user_id)
        return profile.email_verified and _is_same(found.email, profile.email)

    async def _require_new(self, connection: Connection, account: AccountRow, key: str) -> None:
        """Require that an address belongs to nobody who may use the account, or is invited to."""
        [owner] = await connection.fetch(identity_queries.OWN_PROFILE, user=account.owner_id)
        [taken] = await connection.fetch(statements.WITH_ADDRESS, account=account.id, email=key)
        if taken.count or key == self._identity.email_key(owner.email):
            raise ValidationFailed.of("email", "TAKEN", "This person uses the account already, or is invited.")

    def _address(self, email: str) -> tuple[str, str]:
        address = self._identity.check_address(email)
        return address, self._identity.email_key(address)

    async def _mail(self, connection: Connection, actor: Actor, address: str) -> None:
        if not self._outbox.is_open:
            return
        [profile] = await connection.fetch(identity_queries.OWN_PROFILE, user=actor.user_id)
        text = letter(
            f"you are invited to use an account at {self._bank_name} together with its owner, who is called there:",
            f"“{profile.full_name[:_MAX_NAME]}”",
            f"Sign in, or sign up with this e-mail address, verify the address, and accept within {LASTS.days} days. If you "
            "do not know who this is, do nothing.",
            signed_by=self._bank_name,
        )
        await self._outbox.add(connection, Mail(address, f"An invitation to an account - {self._bank_name}", text))

    async def _read(self, actor: Actor, membership_id: UUID) -> MembershipRow:
        [found] = await member_queries.memberships(self._db, self._clock, [(actor, [membership_id])])
        if found is None:  # it was ended meanwhile
            raise _missing(membership_id)
        return found


async def end_invitations(connection: Connection, account_id: UUID) -> None:
    """Withdraw all invitations to an account that is closed. Members keep seeing what was booked."""
    await connection.execute(statements.DELETE_INVITATIONS, account=account_id)


def _require_owner(actor: Actor, access: Access, account: AccountRow) -> None:
    if not access.is_owner:
        raise Forbidden("Only the account's owners may do this.")
    _require_open(account)
    if not actor.is_verified:
        raise StepUpRequired


def _require_open(account: AccountRow) -> None:
    if account.status == AccountStatus.CLOSED:
        raise StateConflict(StateConflictCode.WRONG_STATUS, account.status, "The account is closed.")


def _minor_limit(may: Capabilities, account: AccountRow) -> int | None:
    """Return the daily limit in minor units. Raises as `Members.invite`."""
    limit = may.daily_limit
    if may.role == MemberRole.OWNER and (limit is not None or not (may.may_pay and may.may_manage_cards)):
        raise ValidationFailed.of("role", "INVALID", "An owner may do everything, without a limit.")
    if limit is None:
        return None
    if not may.may_pay:
        raise ValidationFailed.of("dailyLimit", "INVALID", "A limit is for members who may pay.")
    if limit.currency != account.currency:
        raise CurrencyMismatch(account.currency, limit.currency)
    if limit.minor < 0:
        raise ValidationFailed.of(("dailyLimit", "amount"), "NEGATIVE", "A limit is not negative.")
    return limit.minor


def _is_same(invited: str | None, address: str) -> bool:
    """Return whether an address is the one that was invited. Only ASCII letters are compared without case.

    The key by which users are unique takes more addresses for the same, and they may be mailboxes of different people.
    """
    return invited is not None and invited.translate(_LOWER) == address.translate(_LOWER)


def _missing(membership_id: UUID) -> NotFound:
    return NotFound("membership", global_id("Membership", membership_id))
