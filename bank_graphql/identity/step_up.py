"""Step-up: what is dangerous requires that the user proved a short while ago who they are. Signing in is such a proof."""

from dataclasses import dataclass
from datetime import datetime

from bank_graphql.audit import service as audit
from bank_graphql.identity import statements
from bank_graphql.identity.challenges import Challenges, answer, is_answered
from bank_graphql.identity.enums import IdentityAction, StepUpFactor
from bank_graphql.identity.errors import CredentialsRefused
from bank_graphql.identity.passkeys import PasskeyAnswer
from bank_graphql.identity.service import Identity
from bank_graphql.kit.actor import Actor
from bank_graphql.kit.clock import Clock
from bank_graphql.kit.db import Connection, Database
from bank_graphql.kit.errors import ValidationFailed


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
        self._challenges = Challenges(identity.sessions.tokens.private_keys, "bank step-up", clock)

    async def challenge(self, actor: Actor) -> StepUpChallenge:
        """Return a challenge for the actor, which is good in the actor's session."""
        made = self._challenges.make(session=str(actor.session_id))
        return StepUpChallenge(made.token, await self._factor_of(actor), made.expires_at)

    async def complete(
        self, actor: Actor, token: str, *, code: str | None, password: str | None, passkey: PasskeyAnswer | None = None
    ) -> None:
        """Verify the actor's session for a while.

        Args:
            actor: the user.
            token: the token of a challenge.
            code: a one-time code or a recovery code, for a user with a second factor.
            password: the password, for all others.
            passkey: the answer of a device with a passkey of the user, in place of either.

        Raises:
            ValidationFailed: `REQUIRED`: the factor that the challenge asks for is missing.
            CredentialsRefused: the challenge is not one of this session, has expired or was answered, or the factor is wrong.
            RateLimited: too many attempts on this user are queued.
        """
        factor = None if passkey else await self._factor_of(actor)
        _require_given(factor, code, password)
        challenge = self._challenges.open(token)
        is_good = challenge is not None and challenge.claims["session"] == str(actor.session_id)
        if is_good and factor == StepUpFactor.CODE:
            await self._identity.wait_for_code(actor)
        elif is_good and factor == StepUpFactor.PASSWORD:
            is_good = await self._identity.verify_password(actor, password or "")

        async def work(connection: Connection) -> None:
            await self._identity.sessions.require_active(connection, actor)
            if not is_good or challenge is None or await is_answered(connection, challenge):
                raise CredentialsRefused
            if not await self._spend(connection, actor, code if factor == StepUpFactor.CODE else None, passkey):
                raise CredentialsRefused
            if not await answer(connection, challenge):
                raise CredentialsRefused
            await connection.execute(statements.VERIFY_SESSION, session=actor.session_id, now=self._clock())

        await audit.execute_audited(self._db, actor, IdentityAction.STEP_UP, actor.user_id, work)
        self._identity.sessions.cache.forget()
        if factor == StepUpFactor.CODE:
            self._identity.note_good_code(actor)

    async def _factor_of(self, actor: Actor) -> StepUpFactor:
        has_code = await self._identity.factors.are_enabled(self._db, actor.user_id)
        return StepUpFactor.CODE if has_code else StepUpFactor.PASSWORD

    async def _spend(self, connection: Connection, actor: Actor, code: str | None, passkey: PasskeyAnswer | None) -> bool:
        """Spend what is good once, and return whether it was good: a passkey's answer or a code; a password is neither."""
        if passkey is not None:
            return await self._identity.passkeys.use(connection, actor.user_id, passkey)
        return code is None or await self._identity.factors.spend(connection, actor.user_id, code)


def _require_given(factor: StepUpFactor | None, code: str | None, password: str | None) -> None:
    if factor == StepUpFactor.CODE and code is None:
        raise ValidationFailed.of("code", "REQUIRED", "You have a second factor: give a code of it.")
    if factor == StepUpFactor.PASSWORD and password is None:
        raise ValidationFailed.of("password", "REQUIRED", "Give your password.")
