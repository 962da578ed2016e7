"""What resolvers have at hand during one request."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import strawberry

from bank_graphql.accounts.service import Accounts
from bank_graphql.api.loaders import Loaders
from bank_graphql.identity.service import Identity
from bank_graphql.kit.actor import Actor, Origin
from bank_graphql.kit.db import Database
from bank_graphql.kit.errors import Refusal, Unauthenticated
from bank_graphql.kit.limits import Allowance, Limiter
from bank_graphql.payments.commands import Command, Moved, Opened, Outcome, Preview

Move = Callable[[Command], Awaitable[Outcome]]


@dataclass(frozen=True, slots=True)
class Services:
    """The rooms, as the API uses them: one set for the whole process."""

    db: Database
    identity: Identity
    accounts: Accounts
    move: Move
    limiter: Limiter
    attempts_per_minute: int


@dataclass(slots=True)
class Context:
    """One request: who asks, from where, and what was read for it so far."""

    services: Services
    actor: Actor | None
    origin: Origin
    allowance: Allowance | None = None
    _loaders: Loaders | None = field(default=None)

    @property
    def viewer(self) -> Actor:
        """Who is signed in.

        Raises:
            Unauthenticated: nobody is.
        """
        if self.actor is None:
            raise Unauthenticated
        return self.actor

    @property
    def loaders(self) -> Loaders:
        """The loaders of whoever is signed in, with what they have read since the last mutation.

        Raises:
            Unauthenticated: nobody is.
        """
        if self._loaders is None:
            self._loaders = Loaders(self.services.db, self.viewer)
        return self._loaders

    def forget(self) -> None:
        """Drop what was read: a mutation may have changed it."""
        self._loaders = None

    def attempt(self, who: str | None = None) -> None:
        """Count an attempt to get in, by address and by the e-mail address that is tried.

        Raises:
            RateLimited: there were too many.
        """
        limiter, most = self.services.limiter, self.services.attempts_per_minute
        limiter.spend(f"attempts/{self.origin.ip_address}", 1, per_minute=most)
        if who is not None:
            limiter.spend(f"attempts/{who.casefold()[:320]}", 1, per_minute=max(1, most // 10))

    def sign_in(self, actor: Actor) -> None:
        """Go on as this user, for what the sign-in's own answer tells."""
        self.actor = actor
        self.forget()

    async def move(self, command: Command) -> Moved | Opened | Preview:
        """Have the payments carry the command out, together with those of other requests.

        Raises:
            Refusal: the command was refused.
        """
        outcome = await self.services.move(command)
        if isinstance(outcome, Refusal):
            raise outcome
        return outcome


Info = strawberry.Info[Context, None]
