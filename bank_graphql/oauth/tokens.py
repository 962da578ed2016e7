"""What clients get for a consent: codes, access tokens, refresh tokens. A second use of a code or refresh token ends it."""

import hashlib
import hmac
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from bank_graphql.accounts.grant_statements import INSERT_TOKEN
from bank_graphql.accounts.grants import Grants, Terms, end_grant
from bank_graphql.audit import service as audit
from bank_graphql.identity.enums import GrantAction, GrantKind
from bank_graphql.identity.sessions import Sessions
from bank_graphql.kit.actor import Actor
from bank_graphql.kit.clock import Clock
from bank_graphql.kit.db import Connection, Database
from bank_graphql.kit.ids import new_id
from bank_graphql.oauth import statements
from bank_graphql.oauth.clients import OPENID
from bank_graphql.oauth.errors import OAuthError
from bank_graphql.oauth.requests import AuthorizationRequest
from bank_graphql.oauth.statements import ClientRow, CodeRow, RefreshRow

RejectWaiting = Callable[[UUID, UUID], Awaitable[None]]
CODE_LASTS = timedelta(seconds=60)
_KEPT = timedelta(days=1)
"""How long an expired code is kept, so that a second use is noticed."""
MAX_CONSENTS = 5
"""How many consents a user has to a client at most, as on several devices: the oldest ends."""
_USED_KEPT = timedelta(days=30)
"""How long a refresh token that was used is kept, so that a second use is noticed."""
_ENDED = OAuthError("invalid_grant", "The consent has ended.")
_REUSED = OAuthError("invalid_grant", "It was used before. The consent has ended, as somebody else may have used it.")


class _Ended(NamedTuple):
    """A consent that has ended, with the ids of its tokens."""

    user_id: UUID
    grant_id: UUID
    token_ids: set[UUID]


class TokenIssuer:
    """Issues tokens to registered clients.

    Args:
        db: the database.
        grants: makes consents.
        sessions: sign access tokens, and are given consents that end.
        reject_waiting: rejects the payments that wait under a grant of a user, both by their ids.
        clock: gives the time.
    """

    def __init__(self, db: Database, grants: Grants, sessions: Sessions, reject_waiting: RejectWaiting, clock: Clock) -> None:
        self._db = db
        self._grants = grants
        self._sessions = sessions
        self._tokens = sessions.tokens
        self._reject_waiting = reject_waiting
        self._clock = clock

    async def code(self, actor: Actor, request: AuthorizationRequest, terms: Terms) -> str:
        """Store a user's consent, end the session that was for it, and return the code. Raises as `Grants.consent`."""
        code, client_id = secrets.token_urlsafe(32), UUID(request.client_id)
        sessions: set[UUID] = set()

        async def add_code(connection: Connection, grant_id: UUID) -> None:
            now, token_id = self._clock(), new_id()
            await connection.execute(statements.DELETE_CODES, now=now - _KEPT)
            await connection.execute(statements.INSERT_CONSENT, grant=grant_id, client=client_id, user=actor.user_id)
            sessions.clear()  # the transaction may be tried again
            sessions.update(await self._sessions.end_own(connection, actor))
            # Access tokens are signed, and name this row. Nobody knows a token with its hash.
            await connection.insert(INSERT_TOKEN, [(token_id, secrets.token_bytes(32), grant_id, now)])
            await connection.execute(
                statements.INSERT_CODE,
                hash=_hash(code),
                grant=grant_id,
                token=token_id,
                client=client_id,
                uri=request.redirect_uri,
                given_challenge=request.challenge,
                given_nonce=request.nonce,
                thumbprint=request.key_thumbprint,
                given_scopes=list(request.scopes),
                now=now,
                expires=now + CODE_LASTS,
            )

        await self._grants.consent(actor, GrantKind.CONSENT, terms, add_code)
        self._sessions.cache.end(sessions)
        await self._end_older(actor.user_id, client_id)
        return code

    async def _end_older(self, user_id: UUID, client_id: UUID) -> None:
        """End all but the newest consents of a user to a client: in transactions of their own, which lock no account."""
        for each in await self._db.fetch(statements.OLDER_CONSENTS, user=user_id, client=client_id, kept=MAX_CONSENTS):
            await self._end_now(user_id, each.id)

    async def _end_now(self, user_id: UUID, grant_id: UUID) -> None:
        await self._after(await self._db.transact(lambda connection: self._end(connection, user_id, grant_id)))

    async def exchange(self, client: ClientRow, form: Mapping[str, str], key_thumbprint: str | None) -> dict[str, Any]:
        """Return the tokens for a code, or for a refresh token.

        Args:
            client: who sends the request.
            form: its parameters.
            key_thumbprint: the key that it proves to hold; None if it proves none.

        Raises:
            OAuthError: as the standards name it.
        """
        match form.get("grant_type"):
            case "authorization_code":
                outcome = await self._db.transact(lambda connection: self._by_code(connection, client, form, key_thumbprint))
            case "refresh_token":
                outcome = await self._db.transact(lambda connection: self._refreshed(connection, client, form, key_thumbprint))
            case _:
                raise OAuthError("unsupported_grant_type", "Use authorization_code or refresh_token.")
        if isinstance(outcome, _Ended):  # it was used before, and its consent has ended in that transaction
            await self._after(outcome)
            raise _REUSED
        return outcome

    def for_service(self, actor: Actor, client_id: str, scope: str | None, key_thumbprint: str | None) -> dict[str, Any]:
        """Return an access token for whoever authenticated itself by the token of an access grant, with which it ends.

        Args:
            actor: the program.
            client_id: the id of its grant, as it gave it.
            scope: the scopes that it wants, separated by spaces; None for all of its grant's.
            key_thumbprint: the key that it proves to hold; None if it proves none.

        Raises:
            OAuthError: `invalid_client`: it is a person; `invalid_scope`: the grant does not allow a scope.
        """
        if actor.grant is None or actor.session_id is None:
            raise OAuthError("invalid_client", "A person signs in.", 401)
        scopes = actor.grant.scopes if scope is None else frozenset(scope.split())
        if not scopes or not scopes <= actor.grant.scopes:
            raise OAuthError("invalid_scope", "The access grant does not allow this scope.")
        token, seconds = self._tokens.issue_to_program(
            actor.person_id, actor.session_id, client_id, scopes, key_thumbprint, self._clock()
        )
        return _answer(token, seconds, scopes, key_thumbprint)

    async def _by_code(
        self, connection: Connection, client: ClientRow, form: Mapping[str, str], thumbprint: str | None
    ) -> dict[str, Any] | _Ended:
        code, now = form.get("code", ""), self._clock()
        found = await connection.fetch_one(statements.CODE, hash=_hash(code), now=now)
        if found is None or found.client_id != client.id:
            raise OAuthError("invalid_grant", "There is no such code.")
        if found.used_at is not None:
            return await self._end(connection, found.user_id, found.grant_id)
        if found.expires_at <= now or found.has_ended:
            raise OAuthError("invalid_grant", "The code has expired.")
        if form.get("redirect_uri", found.redirect_uri) != found.redirect_uri:
            raise OAuthError("invalid_grant", "The redirect URI is another one than that of the request.")
        if not hmac.compare_digest(_challenge(form.get("code_verifier", "")), found.challenge):
            raise OAuthError("invalid_grant", "The code verifier does not fit the challenge.")
        if found.key_thumbprint is not None and found.key_thumbprint != thumbprint:
            raise OAuthError("invalid_dpop_proof", "The code is bound to another key.")
        await connection.execute(statements.USE_CODE, hash=_hash(code), now=now)
        issued = await self._issue(connection, client, found, frozenset(found.scopes), thumbprint, now)
        if OPENID in found.scopes:
            issued["id_token"] = self._tokens.issue_identity(found.user_id, client.id.hex, found.nonce, now)
        return issued

    async def _refreshed(
        self, connection: Connection, client: ClientRow, form: Mapping[str, str], thumbprint: str | None
    ) -> dict[str, Any] | _Ended:
        token, now = form.get("refresh_token", ""), self._clock()
        found = await connection.fetch_one(statements.REFRESH, hash=_hash(token), now=now)
        if found is None or found.client_id != client.id:
            raise OAuthError("invalid_grant", "There is no such refresh token.")
        if found.used_at is not None:
            return await self._end(connection, found.user_id, found.grant_id)
        if found.has_ended:
            raise _ENDED
        if found.key_thumbprint != thumbprint:
            raise OAuthError("invalid_dpop_proof", "The refresh token is bound to another key.")
        scopes = frozenset(form.get("scope", " ".join(found.scopes)).split())
        if not scopes or not scopes <= frozenset(found.scopes):
            raise OAuthError("invalid_scope", "The consent does not allow this scope.")
        await connection.execute(statements.USE_REFRESH, hash=_hash(token), now=now)
        await connection.execute(statements.DELETE_REFRESH, grant=found.grant_id, now=now - _USED_KEPT)
        return await self._issue(connection, client, found, scopes, thumbprint, now)

    async def _issue(
        self,
        connection: Connection,
        client: ClientRow,
        found: CodeRow | RefreshRow,
        scopes: frozenset[str],
        thumbprint: str | None,
        now: datetime,
    ) -> dict[str, Any]:
        """Return tokens for the scopes, and store the refresh token, which goes on to allow all that was consented to."""
        access_token, seconds = self._tokens.issue_to_program(
            found.user_id, found.token_id, client.id.hex, scopes, thumbprint, now
        )
        refresh_token = secrets.token_urlsafe(32)
        await connection.execute(
            statements.INSERT_REFRESH,
            hash=_hash(refresh_token),
            grant=found.grant_id,
            token=found.token_id,
            client=client.id,
            thumbprint=thumbprint,
            given_scopes=found.scopes,
            now=now,
        )
        return {**_answer(access_token, seconds, scopes, thumbprint), "refresh_token": refresh_token}

    async def revoke(self, client: ClientRow, token: str) -> None:
        """End the consent that a token belongs to (RFC 7009). A token that is none of the client's is ignored."""
        now, grant_id = self._clock(), await self._grant_of(client, token)
        grant = None if grant_id is None else await self._db.fetch_one(statements.GRANT, grant=grant_id, now=now)
        if grant_id is not None and grant is not None:
            await self._end_now(grant.user_id, grant_id)

    async def _end(self, connection: Connection, user_id: UUID, grant_id: UUID) -> "_Ended":
        """End a consent. The caller passes what it returns to `_after`, once the transaction is committed."""
        ended = await end_grant(connection, grant_id, self._clock())
        await audit.write(connection, [audit.Record(None, GrantAction.END, grant_id)])
        return _Ended(user_id, grant_id, ended)

    async def _after(self, ended: "_Ended") -> None:
        self._sessions.cache.end(ended.token_ids)
        await self._reject_waiting(ended.user_id, ended.grant_id)

    async def introspect(self, client: ClientRow, token: str) -> dict[str, Any]:
        """Return what a token of the client's is (RFC 7662)."""
        now = self._clock()
        claims = self._tokens.verify(token, now)
        grant_id = await self._grant_of(client, token)
        grant = None if grant_id is None else await self._db.fetch_one(statements.GRANT, grant=grant_id, now=now)
        if grant is None:
            return {"active": False}
        answer: dict[str, Any] = {"active": True, "client_id": client.id.hex, "sub": grant.user_id.hex}
        if claims is None or claims.program is None:
            return answer
        return {
            **answer,
            "scope": " ".join(sorted(claims.program.scopes)),
            "exp": int(claims.expires_at.timestamp()),
            **({} if claims.program.key_thumbprint is None else {"cnf": {"jkt": claims.program.key_thumbprint}}),
        }

    async def _grant_of(self, client: ClientRow, token: str) -> UUID | None:
        """Return the consent that a token of the client's belongs to; None if there is none."""
        claims = self._tokens.verify(token, self._clock())
        if claims is not None:
            if claims.program is None or claims.program.client_id != client.id.hex:
                return None
            of_token = await self._db.fetch_one(statements.GRANT_OF_TOKEN, token=claims.session_id)
            return None if of_token is None else of_token.grant_id

        async def work(connection: Connection) -> UUID | None:
            found = await connection.fetch_one(statements.REFRESH, hash=_hash(token), now=self._clock())
            return None if found is None or found.client_id != client.id or found.used_at is not None else found.grant_id

        return await self._db.transact(work)


async def erase(connection: Connection, user_id: UUID) -> None:
    """Erase to whom a user consented."""
    await connection.execute(statements.DELETE_CONSENTS, user=user_id)


def _answer(token: str, seconds: int, scopes: frozenset[str], key_thumbprint: str | None) -> dict[str, Any]:
    """Return what a client is given with an access token (RFC 6749)."""
    kind = "Bearer" if key_thumbprint is None else "DPoP"
    return {"access_token": token, "token_type": kind, "expires_in": seconds, "scope": " ".join(sorted(scopes))}


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def _challenge(verifier: str) -> str:
    """Return the challenge of a PKCE verifier by S256 (RFC 7636)."""
    return urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
