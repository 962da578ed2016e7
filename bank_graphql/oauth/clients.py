"""Registered clients: who may be consented to. Operators register them by the command line."""

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit
from uuid import UUID

from bank_graphql.accounts.grants import end_grant
from bank_graphql.accounts.rules import check_name, grant_lock
from bank_graphql.audit import service as audit
from bank_graphql.identity.scopes import SERVICES, Scope
from bank_graphql.kit.clock import Clock
from bank_graphql.kit.db import Connection, Database
from bank_graphql.kit.errors import ValidationFailed
from bank_graphql.kit.ids import new_id, parse_uuid
from bank_graphql.oauth import statements
from bank_graphql.oauth.errors import OAuthError
from bank_graphql.oauth.statements import ClientRow

MAX_URIS = 10
OPENID = "openid"
"""The scope that requests an ID token. It allows nothing else."""
OFFERED = frozenset({OPENID, *(scope.value for scope in Scope if scope not in SERVICES)})
"""The scopes that clients may request of users."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """How a client authenticates itself: its id, and its secret if it has one."""

    client_id: str
    secret: str | None


class Clients:
    """The registered clients.

    Args:
        db: the database.
        clock: gives the time.
    """

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    async def register(
        self, name: str, redirect_uris: Sequence[str], scopes: frozenset[str], *, is_confidential: bool
    ) -> tuple[UUID, str | None]:
        """Register a client, and return its id, and its secret if it can keep one, which is shown once.

        Raises:
            ValidationFailed: a redirect URI is not absolute, not https (nor http on this machine, nor of an app), or there are
                none; or a scope is unknown.
        """
        new, secret = new_id(), secrets.token_urlsafe(32) if is_confidential else None
        uris = [_checked(uri) for uri in redirect_uris]
        if not 0 < len(uris) <= MAX_URIS:
            raise ValidationFailed.of("redirectUris", "REQUIRED", f"Give 1 to {MAX_URIS} redirect URIs.")
        if unknown := sorted(scopes - OFFERED):
            raise ValidationFailed.of("scopes", "INVALID", f"There is no scope {unknown[0]}: use {', '.join(sorted(OFFERED))}.")
        given = {"client": new, "given_name": check_name(name), "uris": uris, "given_scopes": sorted(scopes)}

        async def work(connection: Connection) -> None:
            hashed = None if secret is None else _hash(secret)
            await connection.execute(statements.INSERT_CLIENT, **given, hash=hashed, now=self._clock())
            await audit.write(connection, [audit.Record(None, "registerClient", new)])

        await self._db.transact(work)
        return new, secret

    async def disable(self, client_id: str) -> bool:
        """Refuse a client from now on, and end all consents to it. Return whether there is one that was active."""
        found = await self.find(client_id)
        if found is None:
            return False
        now = self._clock()

        async def work(connection: Connection) -> None:
            await connection.execute(statements.DISABLE, client=found.id, now=now)
            consents = await connection.fetch(statements.CONSENTS, client=found.id)
            await connection.lock([grant_lock(each.id) for each in consents])
            for each in consents:
                await end_grant(connection, each.id, now)
            await audit.write(connection, [audit.Record(None, "disableClient", found.id)])

        await self._db.transact(work)
        return True

    async def all(self) -> list[ClientRow]:
        """Return the clients, oldest first, at most 1,000."""
        return await self._db.fetch(statements.CLIENTS)

    async def find(self, client_id: str) -> ClientRow | None:
        """Return a client that is not disabled; None if there is none with this id."""
        key = parse_uuid(client_id)
        found = None if key is None else await self._db.fetch_one(statements.CLIENT, client=key)
        return None if found is None or found.disabled_at is not None else found

    async def authenticate(self, credentials: Credentials | None) -> ClientRow:
        """Return the client that sends a request.

        Raises:
            OAuthError: `invalid_client`: there is none, or its secret is wrong.
        """
        found = None if credentials is None else await self.find(credentials.client_id)
        if found is None or credentials is None:
            raise OAuthError("invalid_client", "There is no such client.", 401)
        if found.secret_hash is None:
            is_right = credentials.secret is None
        else:
            is_right = hmac.compare_digest(_hash(credentials.secret or ""), found.secret_hash)
        if not is_right:
            raise OAuthError("invalid_client", "The client's secret is wrong.", 401)
        return found


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


def _checked(uri: str) -> str:
    """Return a redirect URI that codes may be sent to (RFC 9700, RFC 8252). Raises ValidationFailed."""
    parts = urlsplit(uri)
    is_web = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in {"127.0.0.1", "::1", "localhost"})
    is_app = "." in parts.scheme
    if len(uri) > 500 or "#" in uri or not uri.isascii() or not uri.isprintable() or not ((is_web and parts.hostname) or is_app):
        message = "A redirect URI has https, http on the same machine, or the scheme of an app such as com.example."
        raise ValidationFailed.of("redirectUris", "INVALID", message)
    return uri
