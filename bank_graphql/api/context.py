"""The context of a request, which is the source object of root fields."""

from collections.abc import Awaitable, Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar
from uuid import UUID

import strawberry
from strawberry.utils.str_converters import to_camel_case

from bank_graphql.accounts.closing import Closing
from bank_graphql.accounts.feed import Feed
from bank_graphql.accounts.grants import Grants
from bank_graphql.accounts.members import Members
from bank_graphql.accounts.queries import TransactionRow
from bank_graphql.accounts.service import Accounts
from bank_graphql.api.loaders import Loaders, Readers
from bank_graphql.api.streams import Streams
from bank_graphql.approvals.service import Approvals
from bank_graphql.audit import service as audit
from bank_graphql.cards.service import Cards
from bank_graphql.events.errors import SessionEnded
from bank_graphql.identity.addresses import Addresses
from bank_graphql.identity.credentials import Credentials
from bank_graphql.identity.permissions import Permission
from bank_graphql.identity.scopes import Scope
from bank_graphql.identity.service import Identity
from bank_graphql.identity.step_up import StepUp
from bank_graphql.identity.users import Users
from bank_graphql.kit.actor import Actor, Caller, Origin
from bank_graphql.kit.db import Database
from bank_graphql.kit.errors import AccessDenied, RateLimited, Refusal, Unauthenticated
from bank_graphql.kit.jobs import DueJob
from bank_graphql.kit.links import Links
from bank_graphql.kit.loaders import Loader, Reader
from bank_graphql.kit.rate_limiter import BucketState, RateLimiter
from bank_graphql.payees.service import Payees
from bank_graphql.payments.clock import BankClock
from bank_graphql.payments.commands import Command
from bank_graphql.payments.groups import Group
from bank_graphql.payments.outcomes import Issued, Moved, Opened, Outcome, Preview
from bank_graphql.products.service import Products
from bank_graphql.schedules.service import Schedules
from bank_graphql.statements.service import Issuer

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
Execute = Callable[[Group], Awaitable[list[Outcome]]]
"""Executes a group of payments commands, in one batch with those of other requests."""


@dataclass(frozen=True, slots=True)
class Services:
    """The rooms as the API uses them. One instance serves the whole process."""

    db: Database
    clock: BankClock
    due_jobs: tuple[DueJob, ...]
    issuer: Issuer
    links: Links
    readers: Readers
    identity: Identity
    users: Users
    credentials: Credentials
    step_up: StepUp
    addresses: Addresses
    accounts: Accounts
    members: Members
    grants: Grants
    approvals: Approvals
    closing: Closing
    cards: Cards
    payees: Payees
    schedules: Schedules
    products: Products
    feed: Feed
    streams: Streams
    execute: Execute
    limiter: RateLimiter
    attempts_per_minute: int


@dataclass(slots=True)
class Context:
    """The context of one request: its user, its origin, and the rows that were loaded for it so far.

    Attributes:
        services: the rooms.
        bearer: the user who sent the request, by its access token; None if nobody is signed in.
        origin: the address and the client that sent it.
        has_bad_token: whether its access token is not valid. Then only documents that sign in are executed.
        actor: the user for whom fields are resolved: the bearer, or in the answer of a sign-in the user who signed in.
        bucket_name: the name of the rate-limit bucket that pays for the request: the bearer's or the address's.
        bucket: that bucket after the request was admitted.
        outcomes: each mutation's outcome, a value or an exception, by its response name. A fallback to the reference executor
            uses them, so that no mutation is executed twice.
        kind: the kind of the operation: `query`, `mutation` or `subscription`; `unknown` if its document could not be parsed.
        outcome: how the operation ended: the code of its first error, or `OK`.
        batch_size: the size of the batch in which the request's last command was executed; None without a command.
    """

    services: Services
    bearer: Actor | None
    origin: Origin
    has_bad_token: bool = False
    actor: Actor | None = field(init=False)
    bucket_name: str = field(init=False)
    bucket: BucketState | None = None
    outcomes: dict[str, object] = field(default_factory=dict)
    kind: str = "unknown"
    outcome: str = "OK"
    batch_size: int | None = None
    _refused_queries: set[str] = field(default_factory=set)
    _statements: int = 0
    _loaders: Loaders | None = field(default=None)

    def __post_init__(self) -> None:
        self.actor = self.bearer
        self.bucket_name = _bucket_of(self.bearer) if self.bearer else f"address/{self.origin.network}"

    @property
    def viewer(self) -> Actor:
        """The user who is signed in.

        Raises:
            Unauthenticated: nobody is.
        """
        if self.actor is None:
            raise Unauthenticated
        return self.actor

    @property
    def readers(self) -> Readers:
        """The readers of the schema."""
        return self.services.readers

    def loader(self, reader: Reader[K, V]) -> Loader[K, V]:
        """Return the viewer's loader for what `reader` reads. It keeps what it loads until the next mutation or event.

        Raises:
            Unauthenticated: nobody is.
        """
        if self._loaders is None:
            self._loaders = Loaders(self.viewer)
        return self._loaders.of(reader)

    async def begin_mutation(self) -> None:
        """Prepare for the next mutation: it runs as the bearer, whose session may have ended and whose role may have changed."""
        if self.bearer is not None:
            self.bearer = await self.services.identity.sessions.current(self.bearer)
        self.actor = self.bearer
        self._drop_loaders()

    def begin_event(self) -> None:
        """Prepare for the next event of a subscription: rows that were loaded before may have changed."""
        self._drop_loaders()

    @property
    def statements(self) -> int:
        """How many statements have read rows for this request; others may have shared them."""
        return self._statements + (self._loaders.statements if self._loaders else 0)

    def _drop_loaders(self) -> None:
        self._statements = self.statements
        self._loaders = None

    @classmethod
    def of(cls, services: Services, caller: Caller) -> "Context":
        """Return the context of a new request of a caller."""
        return cls(services, caller.actor, caller.origin, caller.has_bad_token)

    @property
    def session_has_ended(self) -> bool:
        """Whether the bearer's session has ended in this process since the request came."""
        return self.bearer is not None and self.services.identity.sessions.cache.has_ended(self.bearer.session_id)

    def require_session(self) -> None:
        """Require that the bearer's session has not ended in this process, before an event is sent.

        Raises:
            SessionEnded: it has ended.
        """
        if self.session_has_ended:
            raise SessionEnded

    async def attempt(self, who: str | None = None) -> None:
        """Count an attempt to sign in, per network address, and per network address and e-mail address.

        There is no limit per e-mail address alone, with which anyone could lock its owner out: `Identity` slows attempts down.

        Args:
            who: the e-mail address, if the attempt names one.

        Raises:
            RateLimited: there were too many attempts.
        """
        maximum, network = self.services.attempts_per_minute, self.origin.network
        if who is not None:
            name = self.services.identity.email_key(who)
            await self._count_attempt(f"attempts of address at user/{network}/{name}", max(1, maximum // 10))
        await self._count_attempt(f"attempts of address/{network}", maximum)

    async def attempt_again(self) -> None:
        """Count an attempt of the viewer to authenticate again with the password.

        Raises:
            Unauthenticated: nobody is signed in.
            RateLimited: there were too many attempts.
        """
        await self._count_attempt(f"passwords of user/{self.viewer.person_id}", max(1, self.services.attempts_per_minute // 10))

    async def attempt_verification(self) -> None:
        """Count an attempt of the viewer to verify a payee, so that names cannot be guessed one after another.

        Raises:
            Unauthenticated: nobody is signed in.
            RateLimited: there were too many attempts.
        """
        await self._count_attempt(
            f"verifications of user/{self.viewer.person_id}", max(1, self.services.attempts_per_minute // 10)
        )

    async def attempt_invitation(self, email: str) -> None:
        """Count an invitation by the viewer, and one to an e-mail address, so that nobody has mails sent to others all the time.

        Raises:
            Unauthenticated: nobody is signed in.
            RateLimited: there were too many.
        """
        maximum, name = self.services.attempts_per_minute, self.services.identity.email_key(email)
        await self._count_attempt(f"invitations of user/{self.viewer.person_id}", max(1, maximum // 30))
        await self._count_attempt(f"invitations to {name}", max(1, maximum // 60))

    async def _count_attempt(self, bucket: str, per_minute: int) -> None:
        """Count an attempt in this process, and then in all of them: a flood does not reach the database."""
        limiter = self.services.limiter
        limiter.spend(bucket, 1, per_minute=per_minute)
        try:
            await self.services.identity.attempts.spend(bucket, per_minute)
        except RateLimited:
            limiter.note_refusal(bucket)
            raise

    async def require(self, permission: Permission, query: str) -> None:
        """Require that the viewer may send a query, by its name in the API. A refusal is recorded in the audit.

        Raises:
            Unauthenticated: nobody is signed in.
            AccessDenied: the viewer's role does not allow it.
        """
        if self.viewer.is_allowed(permission):
            return
        if query not in self._refused_queries:  # a fallback to the reference executor comes here again
            self._refused_queries.add(query)
            await audit.record_refused_access(self.services.db, self.viewer, query)
        raise AccessDenied

    async def own_transaction(self, transaction_id: UUID) -> TransactionRow | None:
        """Return a transaction that the viewer has made before. A program sees what it has made, whatever else it may read."""
        viewer, reader = self.viewer, self.readers.transaction
        if viewer.grant is None:
            return await self.loader(reader).load(transaction_id)
        return await Loader(reader, Actor(viewer.person_id, None, viewer.permissions)).load(transaction_id)

    async def require_scope(self, scope: str | None, mutation: str) -> None:
        """Require that a program may send a mutation; a person may send any. A refusal is recorded in the audit.

        Args:
            scope: what the program must be allowed to do; None if no program may send it.
            mutation: the name of its resolver.

        Raises:
            AccessDenied: it may not.
        """
        if self.actor is None or self.actor.grant is None or scope in self.actor.grant.scopes:
            return
        await audit.record_refused_access(self.services.db, self.actor, to_camel_case(mutation))
        needed = "Programs may not do this." if scope is None else f"The token needs the scope {Scope(scope).name}."
        raise AccessDenied(needed)

    def sign_in(self, actor: Actor) -> None:
        """Resolve the rest of this mutation's answer for the user who signed in."""
        self.actor = actor
        self._drop_loaders()

    def sign_out(self) -> None:
        """Resolve the rest of the document for nobody: the bearer's session has ended."""
        self.bearer = self.actor = None
        self._drop_loaders()

    def end_bearer(self) -> None:
        """Resolve the rest of this mutation's answer as before, and the rest of the document for nobody: the bearer is closed."""
        self.bearer = None

    async def execute(self, command: Command) -> Moved | Opened | Issued | Preview:
        """Execute a payments command, in one batch with those of other requests.

        Raises:
            Refusal: the command is refused.
        """
        [outcome] = await self.services.execute(Group((command,), on_batch=self._note_batch))
        if isinstance(outcome, Refusal):
            raise outcome
        return outcome

    async def execute_all(self, requested: Sequence[Command | Refusal], *, atomic: bool) -> list[Outcome]:
        """Execute several payments commands in their order.

        Args:
            requested: the commands; a refusal where the input made no command.
            atomic: whether all or none are to have an effect.

        Returns:
            The outcome of each command, and each given refusal in its place.

        Raises:
            ValidationFailed: keys of an atomic batch are not new, or occur twice.
        """
        return await self.services.execute(Group(tuple(requested), atomic, on_batch=self._note_batch))

    def _note_batch(self, size: int) -> None:
        self.batch_size = size


def _bucket_of(actor: Actor) -> str:
    """Return the name of the rate-limit bucket of a user, or of the programs of a user: all of them share one."""
    return f"user/{actor.user_id.hex}" if actor.grant is None else f"programs of user/{actor.person_id.hex}"


Info = strawberry.Info[Context, None]
