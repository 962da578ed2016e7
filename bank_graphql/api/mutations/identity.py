"""Signing up, in and out."""

import strawberry

from bank_graphql.api.context import Context
from bank_graphql.api.inputs.identity import LogInInput, PasskeyAnswerInput, SignUpInput
from bank_graphql.api.results import (
    AuthSession,
    Done,
    LogInResult,
    LogOutResult,
    MfaChallenge,
    PasskeyChallenge,
    RefreshSessionResult,
    RequestPasskeyResult,
    SignUpResult,
    UserResult,
)
from bank_graphql.api.scalars import DateTime
from bank_graphql.engine.fields import mutation
from bank_graphql.identity.queries import UserRow
from bank_graphql.identity.service import LogInChallenge
from bank_graphql.identity.sessions import SignedIn
from bank_graphql.kit.errors import NotFound, Unauthenticated
from bank_graphql.kit.ids import uuid_of


@strawberry.type
class IdentityMutations:
    @mutation(
        SignUpResult,
        "Create a customer, and sign in as that customer. A bank that sends mails sends a code for `verifyEmail`.",
    )
    @staticmethod
    async def sign_up(context: Context, input: SignUpInput) -> AuthSession:  # noqa: A002 - the contract's name
        await context.attempt()
        signed_in = await context.services.identity.sign_up(
            email=input.email,
            password=input.password,
            full_name=input.full_name,
            phone_number=input.phone_number,
            origin=context.origin,
        )
        return await _auth_session(context, signed_in)

    @mutation(
        LogInResult,
        "Sign in with e-mail address and password. A user with a second factor gets a challenge, for `completeLogIn`.",
    )
    @staticmethod
    async def log_in(context: Context, input: LogInInput) -> AuthSession | MfaChallenge:  # noqa: A002 - the contract's name
        await context.attempt(input.email)
        answer = await context.services.identity.log_in(email=input.email, password=input.password, origin=context.origin)
        if isinstance(answer, LogInChallenge):
            return MfaChallenge(challenge_token=answer.token, expires_at=DateTime(answer.expires_at))
        return await _auth_session(context, answer)

    @mutation(
        LogInResult,
        "Sign in with the challenge of `logIn` and a one-time code of the app, or a recovery code. Each code is good for "
        "one use.",
    )
    @staticmethod
    async def complete_log_in(context: Context, challenge_token: str, code: str) -> AuthSession:
        await context.attempt()
        signed_in = await context.services.identity.complete_log_in(challenge_token, code, context.origin)
        return await _auth_session(context, signed_in)

    @mutation(
        RequestPasskeyResult,
        "Begin to sign in with a passkey: return what to ask the device for. The device knows whose passkeys it has. For "
        "`logInWithPasskey` and `stepUp`.",
    )
    @staticmethod
    async def request_passkey_log_in(context: Context) -> PasskeyChallenge:
        await context.attempt()
        return PasskeyChallenge.of(context.services.identity.passkeys.request())

    @mutation(
        LogInResult,
        "Sign in with a passkey, without a password. The device has verified its user, so no second factor is asked for. Each "
        "answer is good for one use.",
    )
    @staticmethod
    async def log_in_with_passkey(context: Context, input: PasskeyAnswerInput) -> AuthSession:  # noqa: A002 - as the others
        await context.attempt()
        return await _auth_session(context, await context.services.identity.log_in_with_passkey(input.answer, context.origin))

    @mutation(
        RefreshSessionResult,
        "Exchange a refresh token for new tokens. A refresh token can be used once. If the same client sends it again within 30 "
        "seconds, because the answer was lost, it gets the same answer; later, or from another client, the session is ended.",
    )
    @staticmethod
    async def refresh_session(context: Context, refresh_token: str) -> AuthSession:
        await context.attempt()
        return await _auth_session(context, await context.services.identity.sessions.refresh(refresh_token, context.origin))

    @mutation(
        LogOutResult, "End a session of the viewer: the present one, another one, or all. Their tokens are refused from now on."
    )
    @staticmethod
    async def log_out(context: Context, session_id: strawberry.ID | None = None, everywhere: bool | None = False) -> Done:
        key = None if session_id is None else uuid_of(session_id, "Session")
        if session_id is not None and key is None:
            raise NotFound("session", session_id[:200])
        viewer = context.viewer
        ended = await context.services.identity.sessions.log_out(viewer, session_id=key, everywhere=bool(everywhere))
        if viewer.session_id in ended:
            context.sign_out()
        return Done()

    @mutation(UserResult, "Change the viewer's name or phone number. An empty phone number removes it.")
    @staticmethod
    async def update_profile(context: Context, full_name: str | None = None, phone_number: str | None = None) -> UserRow | None:
        viewer = context.viewer
        await context.services.identity.update_profile(viewer, full_name=full_name, phone_number=phone_number)
        return await context.loader(context.readers.user).load(viewer.user_id)


async def _auth_session(context: Context, signed_in: SignedIn) -> AuthSession:
    context.sign_in(signed_in.actor)
    user = await context.loader(context.readers.user).load(signed_in.actor.user_id)
    if user is None:
        raise Unauthenticated
    return AuthSession(
        access_token=signed_in.tokens.access_token,
        refresh_token=signed_in.tokens.refresh_token,
        expires_at=DateTime(signed_in.tokens.expires_at),
        user=user,
    )
