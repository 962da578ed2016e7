"""Step-up: what is dangerous requires that the user proved a short while ago who they are. Signing in is such a proof."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from bank_graphql.audit import service as audit
from bank_graphql.identity import statements
from bank_graphql.identity.enums import IdentityAction, StepUpFactor
from bank_graphql.identity.errors import CredentialsRefused
from bank_graphql.identity.service import Identity
from bank_graphql.kit.actor import Actor
from bank_graphql.kit.clock import Clock
from bank_graphql.kit.db import Connection, Database
from bank_graphql.kit.errors import ValidationFailed
from bank_graphql.kit.seals import Seals

LIFETIME = timedelta(minutes=5)
"""How long a challenge waits for its answer."""


@dataclass(frozen=True, slots=True)
class StepUpChallenge:
    """What a user is to answer, with which factor."""

    token: str
    factor: StepUpFactor
    expires_at: datetime


class StepUp:
    """Has users prove again who they are.

    Args:
        db: the database.
        identity: verifies passwords and codes.
        clock: gives the real time.
    """

    def __init__(self, db: Database, identity: Identity, clock: Clock) -> None:
        self._db = db
        self._identity = identity
        self._clock = clock
        self._seals = Seals(identity.sessions.tokens.private_keys, "bank step-up")

    async def challenge(self, actor: Actor) -> StepUpChallenge:
        """Return a challenge for the actor, which is good in the actor's session."""
        expires_at = (self._clock() + LIFETIME).astimezone(UTC).replace(microsecond=0)
        claims = {"session": str(actor.session_id), "expires": int(expires_at.timestamp())}
        return StepUpChallenge(self._seals.seal(claims), await self._factor_of(actor), expires_at)

    async def complete(self, actor: Actor, challenge: str, *, code: str | None, password: str | None) -> None:
        """Verify the actor's session for a while.

        Args:
            actor: the user.
            challenge: the token of a challenge.
            code: a one-time code or a recovery code, for a user with a second factor.
            password: the password, for all others.

        Raises:
            ValidationFailed: `REQUIRED`: the factor that the challenge asks for is missing.
            CredentialsRefused: the challenge is not one of this session or has expired, or the factor is wrong.
            RateLimited: too many attempts on this user are queued.
        """
        needs_code = await self._factor_of(actor) == StepUpFactor.CODE
        if code is None and needs_code:
            raise ValidationFailed.of("code", "REQUIRED", "You have a second factor: give a code of it.")
        if password is None and not needs_code:
            raise ValidationFailed.of("password", "REQUIRED", "Give your password.")
        is_good = self._is_open(actor, challenge)
        if is_good and needs_code:
            await self._identity.wait_for_code(actor)
        elif is_good:
            is_good = await self._identity.verify_password(actor, password or "")

        async def work(connection: Connection) -> None:
            await self._identity.sessions.require_active(connection, actor)
            if not is_good or (needs_code and not await self._identity.factors.spend(connection, actor.user_id, code or "")):
                raise CredentialsRefused
            await connection.execute(statements.VERIFY_SESSION, session=actor.session_id, now=self._clock())

        await audit.execute_audited(self._db, actor, IdentityAction.STEP_UP, actor.user_id, work)
        self._identity.sessions.cache.forget()
        if needs_code:
            self._identity.note_good_code(actor)

    def _is_open(self, actor: Actor, challenge: str) -> bool:
        """Return whether a challenge is one of the actor's session, and has not expired."""
        claims = self._seals.open(challenge)
        if claims is None or claims["session"] != str(actor.session_id):
            return False
        return bool(self._clock().timestamp() < claims["expires"])

    async def _factor_of(self, actor: Actor) -> StepUpFactor:
        has_code = await self._identity.factors.are_enabled(self._db, actor.user_id)
        return StepUpFactor.CODE if has_code else StepUpFactor.PASSWORD
