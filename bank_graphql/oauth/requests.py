"""What a client requests of a user: checked at the beginning, and carried through the pages as a sealed text."""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import NamedTuple

from bank_graphql.kit.clock import Clock
from bank_graphql.kit.seals import Seals
from bank_graphql.oauth.clients import OPENID, Clients
from bank_graphql.oauth.errors import OAuthError
from bank_graphql.oauth.statements import ClientRow

REQUEST_URI = "urn:ietf:params:oauth:request_uri:"
PUSHED_FOR = timedelta(seconds=90)
"""How long a pushed request may be used (RFC 9126)."""
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
_MAX_TEXT = 512
_PUSHED = {"step": "pushed"}
"""What marks a pushed request, so that what a page carries is none."""


@dataclass(frozen=True, slots=True)
class AuthorizationRequest:
    """A request that fits its client.

    Attributes:
        client_id: the client.
        redirect_uri: where to answer: exactly one that is registered.
        scopes: what it wants.
        state: a text of the client's, which the answer repeats; None without one.
        challenge: the PKCE challenge, by S256 (RFC 7636).
        nonce: a text of the client's, which the ID token repeats.
        key_thumbprint: the key that the code is to be bound to (RFC 9449).
    """

    client_id: str
    redirect_uri: str
    scopes: tuple[str, ...]
    state: str | None
    challenge: str
    nonce: str | None
    key_thumbprint: str | None


class Sealed(NamedTuple):
    """A request that was checked, and what else a page carries: the challenge of a log-in, or its session."""

    request: AuthorizationRequest
    more: dict[str, str]


@dataclass(eq=False)
class RedirectedError(Exception):
    """An error that the client gets at its redirect URI."""

    redirect_uri: str
    state: str | None
    error: OAuthError


class AuthorizationRequests:
    """Checks, pushes and opens requests.

    Args:
        clients: the registered clients.
        seals: seals requests.
        clock: gives the time.
        audience: the API that tokens are for (RFC 8707).
    """

    def __init__(self, clients: Clients, seals: Seals, clock: Clock, audience: str) -> None:
        self._clients = clients
        self._seals = seals
        self._clock = clock
        self._audience = audience

    async def check(self, given: Mapping[str, str]) -> tuple[ClientRow, AuthorizationRequest]:
        """Return the client and the request that parameters make.

        Raises:
            OAuthError: the client or its redirect URI is wrong: nothing may be sent there.
            RedirectedError: anything else is wrong.
        """
        client = await self._clients.find(given.get("client_id", ""))
        if client is None:
            raise OAuthError("invalid_client", "There is no such client.")
        uri = given.get("redirect_uri")
        if uri is None or uri not in client.redirect_uris:
            raise OAuthError("invalid_request", "The redirect URI is not registered for this client.")
        state = given.get("state")
        try:
            return client, self._checked(client, uri, state, given)
        except OAuthError as error:
            raise RedirectedError(uri, None if state is None or len(state.encode()) > _MAX_TEXT else state, error) from error

    def _checked(self, client: ClientRow, uri: str, state: str | None, given: Mapping[str, str]) -> AuthorizationRequest:
        _require_plain(given)
        if given.get("response_type") != "code":
            raise OAuthError("unsupported_response_type", "Request a code.")
        if given.get("code_challenge_method") != "S256" or not _CHALLENGE.fullmatch(given.get("code_challenge", "")):
            raise OAuthError("invalid_request", "A code challenge by S256 is needed.")
        if given.get("resource", self._audience).rstrip("/") not in {self._audience, f"{self._audience}/graphql"}:
            raise OAuthError("invalid_target", f"Tokens of this server are for {self._audience}.")
        scopes = tuple(dict.fromkeys(given.get("scope", "").split()))
        if not scopes or not frozenset(scopes) <= frozenset(client.scopes):
            raise OAuthError("invalid_scope", f"The client may request: {' '.join(client.scopes)}.")
        if scopes == (OPENID,):
            raise OAuthError("invalid_scope", "Request more than to know who the user is: for example the scope profile.")
        if {"transactions:read", "cards:read"} & set(scopes) and "accounts:read" not in scopes:
            raise OAuthError("invalid_scope", "To read transactions or cards, accounts:read is needed, too.")
        thumbprint = given.get("dpop_jkt")
        return AuthorizationRequest(client.id.hex, uri, scopes, state, given["code_challenge"], given.get("nonce"), thumbprint)

    def push(self, request: AuthorizationRequest) -> tuple[str, int]:
        """Return a `request_uri` for a request, and for how many seconds it is valid."""
        seconds = int(PUSHED_FOR.total_seconds())
        return REQUEST_URI + self.seal(request, PUSHED_FOR, **_PUSHED), seconds

    def opened(self, client_id: str, request_uri: str) -> AuthorizationRequest:
        """Return a pushed request.

        Raises:
            OAuthError: it is none, has expired, or is of another client.
        """
        sealed = self.open(request_uri.removeprefix(REQUEST_URI)) if request_uri.startswith(REQUEST_URI) else None
        if sealed is None or sealed.more != _PUSHED or sealed.request.client_id != client_id:
            raise OAuthError("invalid_request_uri", "The request was not pushed, or has expired: begin again.")
        return sealed.request

    def seal(self, request: AuthorizationRequest, lasts: timedelta, **more: str) -> str:
        """Return a sealed text that carries a request, and more."""
        expires = int((self._clock() + lasts).timestamp())
        return self._seals.seal({**asdict(request), "expires": expires, "more": more})

    def open(self, sealed: str) -> Sealed | None:
        """Return what a sealed text carries; None if it was not sealed here, or has expired."""
        found = self._seals.open(sealed)
        if found is None or found.pop("expires") < self._clock().timestamp():
            return None
        more = found.pop("more")
        return Sealed(AuthorizationRequest(**{**found, "scopes": tuple(found["scopes"])}), more)


def _require_plain(given: Mapping[str, str]) -> None:
    """Require that parameters have the form of what this server understands. Raises OAuthError."""
    if any(len(given.get(name, "").encode()) > _MAX_TEXT for name in ("state", "nonce", "scope", "dpop_jkt")):
        raise OAuthError("invalid_request", f"A parameter has at most {_MAX_TEXT} bytes.")
    if not given.get("nonce", "").isprintable():
        raise OAuthError("invalid_request", "The nonce has characters that cannot be printed.")
    if "request" in given:
        raise OAuthError("request_not_supported", "Push the request instead of signing it: see /oauth/par.")
    if given.get("response_mode", "query") != "query":
        raise OAuthError("invalid_request", "The response mode is query.")
    if not _CHALLENGE.fullmatch(given.get("dpop_jkt", "A" * 43)):
        raise OAuthError("invalid_request", "dpop_jkt is the thumbprint of a key by SHA-256.")
    if given.get("prompt") == "none":
        raise OAuthError("login_required", "A user signs in each time.")
