"""The endpoints of the authorization server, for registered clients and the browsers of users."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit
from uuid import UUID

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from bank_graphql.accounts.enums import AccountStatus
from bank_graphql.accounts.grants import Terms
from bank_graphql.accounts.queries import USABLE_ACCOUNTS
from bank_graphql.api.context import Context, Services
from bank_graphql.identity.errors import CredentialsRefused, StepUpRequired
from bank_graphql.identity.grants import PREFIX
from bank_graphql.identity.scopes import OF_ACCOUNTS, Scope
from bank_graphql.identity.service import LogInChallenge
from bank_graphql.identity.sessions import SignedIn
from bank_graphql.kit.actor import Actor, Caller, Origin
from bank_graphql.kit.clock import Clock
from bank_graphql.kit.errors import NotFound, RateLimited, Refusal, Unauthenticated, Unavailable
from bank_graphql.kit.ids import global_id, uuid_of
from bank_graphql.kit.money import CURRENCY_DIGITS, Money, parse_amount
from bank_graphql.kit.paging import MAX_SIZE, Page
from bank_graphql.oauth.clients import OFFERED, OPENID, Clients
from bank_graphql.oauth.dpop import ALGORITHMS, Proofs
from bank_graphql.oauth.errors import OAuthError
from bank_graphql.oauth.requests import AuthorizationRequest, AuthorizationRequests, RedirectedError
from bank_graphql.oauth.statements import ClientRow
from bank_graphql.oauth.tokens import TokenIssuer
from bank_graphql.web import consent
from bank_graphql.web.authentication import origin_of
from bank_graphql.web.forms import NO_STORE, challenge, credentials_of, form_of, once, required

_COST = 60
"""What a request costs, as a query of some rows does."""
PAGE_LASTS = timedelta(minutes=10)
_UNAVAILABLE = JSONResponse({"error": "temporarily_unavailable"}, 503, NO_STORE)
_DECIDED = "You have decided already."
_REFUSED = "The e-mail address, the password or the code is wrong."


@dataclass(frozen=True, slots=True)
class OAuth:
    """What the endpoints need.

    Attributes:
        bank: the bank's name.
        address: the bank's address, which is the issuer.
        clients: the registered clients.
        requests: what they request of users.
        issuer: issues tokens.
        proofs: checks proofs of keys.
        services: the rooms as the API uses them.
        identify: returns who sends a request, and from where.
        clock: gives the time.
        cost_per_minute: what the requests of one address may cost a minute, together with those to the API without a token.
    """

    bank: str
    address: str
    clients: Clients
    requests: AuthorizationRequests
    issuer: TokenIssuer
    proofs: Proofs
    services: Services
    identify: Callable[[Any], Awaitable[Caller]]
    clock: Clock
    cost_per_minute: int

    async def metadata(self, _: Request) -> Response:
        """Answer `/.well-known/oauth-authorization-server` and `openid-configuration` (RFC 8414)."""
        base = f"{self.address}/oauth"
        return JSONResponse(
            {
                "issuer": self.address,
                "authorization_endpoint": f"{base}/authorize",
                "token_endpoint": f"{base}/token",
                "pushed_authorization_request_endpoint": f"{base}/par",
                "revocation_endpoint": f"{base}/revoke",
                "introspection_endpoint": f"{base}/introspect",
                "introspection_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
                "revocation_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "none"],
                "request_uri_parameter_supported": False,
                "request_parameter_supported": False,
                "userinfo_endpoint": f"{base}/userinfo",
                "jwks_uri": f"{self.address}/.well-known/jwks.json",
                "scopes_supported": sorted(OFFERED),
                "response_types_supported": ["code"],
                "response_modes_supported": ["query"],
                "grant_types_supported": ["authorization_code", "refresh_token", "client_credentials"],
                "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "none"],
                "code_challenge_methods_supported": ["S256"],
                "dpop_signing_alg_values_supported": ALGORITHMS,
                "authorization_response_iss_parameter_supported": True,
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["ES256"],
            },
            headers={"Cache-Control": "public, max-age=300"},
        )

    async def resource(self, _: Request) -> Response:
        """Answer `/.well-known/oauth-protected-resource` (RFC 9728)."""
        return JSONResponse(
            {
                "resource": self.address,
                "authorization_servers": [self.address],
                "scopes_supported": sorted(OFFERED - {OPENID}),
                "bearer_methods_supported": ["header"],
                "dpop_signing_alg_values_supported": ALGORITHMS,
            },
            headers={"Cache-Control": "public, max-age=300"},
        )

    async def par(self, request: Request) -> Response:
        """Take a request that a client pushes (RFC 9126)."""
        return await self._answer(request, self._push, 201)

    async def token(self, request: Request) -> Response:
        """Exchange a code or a refresh token for tokens, or the key of a service for an access token."""
        return await self._answer(request, self._exchange, other=self._for_service)

    async def revoke(self, request: Request) -> Response:
        """End a consent (RFC 7009)."""

        async def work(client: ClientRow, form: Mapping[str, str], _: Request) -> dict[str, Any]:
            await self.issuer.revoke(client, required(form, "token"))
            return {}

        return await self._answer(request, work)

    async def introspect(self, request: Request) -> Response:
        """Say what a token is (RFC 7662)."""

        async def work(client: ClientRow, form: Mapping[str, str], _: Request) -> dict[str, Any]:
            if client.secret_hash is None:
                raise OAuthError("invalid_client", "Only clients with a secret may introspect.", 401)
            return await self.issuer.introspect(client, required(form, "token"))

        return await self._answer(request, work)

    async def userinfo(self, request: Request) -> Response:
        """Say who the user is (OpenID Connect)."""
        try:
            actor = (await self.identify(request.scope)).actor
            if actor is None or actor.grant is None:
                return challenge("invalid_token", 401)
            if Scope.PROFILE not in actor.grant.scopes:
                return challenge("insufficient_scope", 403)
            [user] = await self.services.readers.user.request(actor, [actor.person_id])
        except Unavailable:
            return _UNAVAILABLE
        if user is None:
            return challenge("invalid_token", 401)
        known = {"sub": user.id.hex, "name": user.full_name, "email": user.email, "email_verified": user.email_verified}
        return JSONResponse(known, headers=NO_STORE)

    async def authorize(self, request: Request) -> Response:
        """Show the pages on which a user signs in and consents, and answer the client."""
        try:
            self._spend(request)
            if request.method == "POST":
                return await self._step(request, await form_of(request))
            given = once(parse_qsl(request.url.query, keep_blank_values=True))
            pushed = given.get("request_uri")
            if pushed is not None:
                wanted = self.requests.opened(given.get("client_id", ""), pushed)
                client = await self.clients.find(wanted.client_id)
            else:
                client, wanted = await self.requests.check(given)
        except RedirectedError as error:
            return self._redirect(error.redirect_uri, error.state, error=error.error.error, error_description=str(error.error))
        except OAuthError as error:
            return consent.refusal(self.bank, str(error))
        except Unavailable as error:
            return consent.refusal(self.bank, str(error), 503)
        except RateLimited as error:
            return consent.refusal(self.bank, str(error), 429)
        if client is None:
            return consent.refusal(self.bank, "There is no such client.")
        return consent.login(self.bank, client.name, self.requests.seal(wanted, PAGE_LASTS), wanted.redirect_uri)

    async def _step(self, request: Request, form: Mapping[str, list[str]]) -> Response:
        given = {name: values[0] for name, values in form.items()}
        sealed = self.requests.open(given.get("request", ""))
        client = None if sealed is None else await self.clients.find(sealed.request.client_id)
        if sealed is None or client is None:
            return consent.refusal(self.bank, "This page is too old.")
        wanted, more = sealed
        context = Context.of(self.services, Caller(None, origin_of(request.scope)))
        match given.get("step"):
            case "login":
                return await self._login(context, client, wanted, given)
            case "code":
                return await self._code(context, client, wanted, more, given)
            case "allow":
                return await self._decide(context.origin, client, wanted, more, form, allow=True)
            case "deny":
                return await self._decide(context.origin, client, wanted, more, form, allow=False)
            case _:
                return consent.refusal(self.bank, "This page is unknown.")

    async def _login(
        self, context: Context, client: ClientRow, wanted: AuthorizationRequest, given: Mapping[str, str]
    ) -> Response:
        try:
            await context.attempt(given.get("email", ""))
            answer = await self.services.identity.log_in(
                email=given.get("email", ""), password=given.get("password", ""), origin=context.origin
            )
        except (CredentialsRefused, RateLimited) as problem:
            text = _REFUSED if isinstance(problem, CredentialsRefused) else str(problem)
            sealed = self.requests.seal(wanted, PAGE_LASTS)
            return consent.login(self.bank, client.name, sealed, wanted.redirect_uri, text)
        if isinstance(answer, LogInChallenge):
            sealed = self.requests.seal(wanted, PAGE_LASTS, challenge=answer.token)
            return consent.code(self.bank, client.name, sealed, wanted.redirect_uri)
        return await self._show(client, wanted, answer)

    async def _code(
        self,
        context: Context,
        client: ClientRow,
        wanted: AuthorizationRequest,
        more: Mapping[str, str],
        given: Mapping[str, str],
    ) -> Response:
        challenge = more.get("challenge", "")
        try:
            await context.attempt()
            answer = await self.services.identity.complete_log_in(challenge, given.get("code", ""), context.origin)
        except (CredentialsRefused, RateLimited) as problem:
            text = _REFUSED if isinstance(problem, CredentialsRefused) else str(problem)
            sealed = self.requests.seal(wanted, PAGE_LASTS, challenge=challenge)
            return consent.code(self.bank, client.name, sealed, wanted.redirect_uri, text)
        return await self._show(client, wanted, answer)

    async def _show(self, client: ClientRow, wanted: AuthorizationRequest, signed_in: SignedIn) -> Response:
        session = signed_in.actor.session_id
        sealed = self.requests.seal(wanted, PAGE_LASTS, session="" if session is None else session.hex)
        return await self._consent_page(client, wanted, signed_in.actor, sealed)

    async def _consent_page(
        self, client: ClientRow, wanted: AuthorizationRequest, actor: Actor, sealed: str, problem: str | None = None
    ) -> Response:
        found = await USABLE_ACCOUNTS.fetch(self.services.db, Page(MAX_SIZE), viewer=actor.user_id)
        owned = await self.services.grants.owned(actor, [row.id for row in found.items])
        accounts = [
            consent.Choice(global_id("Account", row.id), f"{row.name}, {row.currency}, …{row.number[-4:]}", row.currency)
            for row in found.items
            if row.id in owned and row.status != AccountStatus.CLOSED
        ]
        return consent.consent(self.bank, client.name, sealed, wanted.redirect_uri, wanted.scopes, accounts, problem)

    async def _decide(
        self,
        origin: Origin,
        client: ClientRow,
        wanted: AuthorizationRequest,
        more: Mapping[str, str],
        form: Mapping[str, list[str]],
        *,
        allow: bool,
    ) -> Response:
        sessions = self.services.identity.sessions
        session = more.get("session", "")
        actor = await sessions.resume(UUID(hex=session), origin) if session else None
        if actor is None:
            return consent.refusal(self.bank, "You are not signed in any more.")
        if not allow:
            try:
                await sessions.log_out(actor)
            except NotFound:  # the page was sent twice
                return consent.refusal(self.bank, _DECIDED)
            return self._redirect(wanted.redirect_uri, wanted.state, error="access_denied", error_description="The user refused.")
        try:
            code = await self.issuer.code(actor, wanted, self._terms(client, wanted, form))
        except Unauthenticated:  # the page was sent twice
            return consent.refusal(self.bank, _DECIDED)
        except (Refusal, StepUpRequired) as refusal:
            return await self._consent_page(client, wanted, actor, form["request"][0], str(refusal))
        return self._redirect(wanted.redirect_uri, wanted.state, code=code)

    def _terms(self, client: ClientRow, wanted: AuthorizationRequest, form: Mapping[str, list[str]]) -> Terms:
        """Return what the user allows. Raises ValidationFailed: the limit is not an amount."""
        scopes = frozenset(Scope(each) for each in wanted.scopes if each != OPENID)
        given = [uuid_of(each, "Account") for each in form.get("account", [])] if scopes & OF_ACCOUNTS else []
        given_days = form.get("days", ["1"])[0]
        days = next((each for each in consent.DAYS if str(each) == given_days), 1)
        limit = None
        if Scope.PAYMENTS_WRITE in scopes:
            currency = form.get("currency", [""])[0]
            currency = currency if currency in CURRENCY_DIGITS else "EUR"
            limit = Money(parse_amount(form.get("limit", [""])[0], currency, path=("limit",)), currency)
        expires_at = self.clock() + timedelta(days=days)
        accounts = tuple(dict.fromkeys(each for each in given if each is not None))
        return Terms(client.name, scopes, accounts, None, limit, None, expires_at)

    def _redirect(self, uri: str, state: str | None, **answer: str) -> Response:
        """Answer the client at its redirect URI, with the issuer (RFC 9207)."""
        answer |= {"iss": self.address, **({} if state is None else {"state": state})}
        joined = "&" if urlsplit(uri).query else "?"
        return RedirectResponse(f"{uri}{joined}{urlencode(answer)}", 303, NO_STORE)

    async def _push(self, client: ClientRow, form: Mapping[str, str], request: Request) -> dict[str, Any]:
        if "request_uri" in form:
            raise OAuthError("invalid_request", "A pushed request has no request_uri.")
        thumbprint = self._thumbprint(request)
        given = {**form, "client_id": client.id.hex}
        if thumbprint is not None and given.setdefault("dpop_jkt", thumbprint) != thumbprint:
            raise OAuthError("invalid_dpop_proof", "The proof is of another key than dpop_jkt.")
        try:
            _, wanted = await self.requests.check(given)
        except RedirectedError as error:
            raise error.error from error
        request_uri, seconds = self.requests.push(wanted)
        return {"request_uri": request_uri, "expires_in": seconds}

    async def _exchange(self, client: ClientRow, form: Mapping[str, str], request: Request) -> dict[str, Any]:
        return await self.issuer.exchange(client, form, self._thumbprint(request))

    async def _for_service(self, form: Mapping[str, str], request: Request) -> dict[str, Any] | None:
        """Return an access token for whoever has an access grant: its id and its token are the client's. Raises OAuthError."""
        if form.get("grant_type") != "client_credentials":
            return None
        given, origin = credentials_of(request, form), origin_of(request.scope)
        actor = None
        if given is not None and given.secret and given.secret.startswith(PREFIX):  # an access token never gives another one
            actor = await self.services.identity.sessions.authenticate(given.secret, origin)
        if given is None or actor is None or uuid_of(given.client_id, "AccessGrant") != actor.user_id:
            raise OAuthError("invalid_client", "The client is the id of an access grant, and its secret the grant's token.", 401)
        return self.issuer.for_service(actor, given.client_id, form.get("scope"), self._thumbprint(request))

    def _spend(self, request: Request) -> None:
        """Charge the address that a request comes from. Raises RateLimited."""
        bucket = f"address/{origin_of(request.scope).network}"
        self.services.limiter.spend(bucket, _COST, per_minute=self.cost_per_minute, shared=True)

    def _thumbprint(self, request: Request) -> str | None:
        """Return the key that a client proves to hold; None if it proves none. Raises OAuthError."""
        given = request.headers.getlist("dpop")
        if not given:
            return None
        proof = self.proofs.check(given[0], "POST", f"{self.address}{request.url.path}") if len(given) == 1 else None
        if proof is None or not self.proofs.use(proof):
            raise OAuthError("invalid_dpop_proof", "The proof is not valid for this request, or was used.")
        return proof.key_thumbprint

    async def _answer(
        self,
        request: Request,
        work: Callable[[ClientRow, Mapping[str, str], Request], Awaitable[dict[str, Any]]],
        status: int = 200,
        other: Callable[[Mapping[str, str], Request], Awaitable[dict[str, Any] | None]] | None = None,
    ) -> Response:
        """Answer a client that authenticates itself. Errors are as RFC 6749 has them. `other` may know clients of its own."""
        try:
            self._spend(request)
            form = once([(name, each) for name, values in (await form_of(request)).items() for each in values])
            if other is not None and (answer := await other(form, request)) is not None:
                return JSONResponse(answer, status, NO_STORE)
            client = await self.clients.authenticate(credentials_of(request, form))
            return JSONResponse(await work(client, form, request), status, NO_STORE)
        except OAuthError as error:
            headers = {**NO_STORE, **({"WWW-Authenticate": 'Basic realm="bank"'} if error.status == 401 else {})}
            return JSONResponse({"error": error.error, "error_description": str(error)}, error.status, headers)
        except Unavailable:
            return _UNAVAILABLE
        except RateLimited as error:
            headers = {**NO_STORE, "Retry-After": str(error.retry_after)}
            return JSONResponse({"error": "temporarily_unavailable", "error_description": str(error)}, 429, headers)
