"""Compose the server: routes, middleware, and the bank that they serve while the application runs."""

import asyncio
import gc
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from uuid import UUID

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute
from starlette.types import ASGIApp, Lifespan, Receive, Scope, Send

from bank_graphql import settings as configuration
from bank_graphql.accounts.grants import Grants
from bank_graphql.agents import documents as agents
from bank_graphql.api.context import Services
from bank_graphql.api.errors import rejection_of
from bank_graphql.api.loaders import Readers
from bank_graphql.api.schema import build_schema, export, introspection
from bank_graphql.api.streams import CHECK_SECONDS, Streams
from bank_graphql.audit.jobs import require_writable
from bank_graphql.bank import Bank, open_bank
from bank_graphql.engine.executor import Executor
from bank_graphql.environment import Environment, LogLevel
from bank_graphql.identity.attempts import share_costs
from bank_graphql.kit import log
from bank_graphql.kit.actor import Actor
from bank_graphql.kit.clock import Clock, utc_now
from bank_graphql.kit.jobs import Job, JobMetrics, running
from bank_graphql.kit.metrics import Metrics
from bank_graphql.kit.process_metrics import ProcessMetrics
from bank_graphql.kit.rate_limiter import RateLimiter
from bank_graphql.kit.seals import Seals
from bank_graphql.kit.tracing import Tracing, open_tracing
from bank_graphql.oauth.clients import Clients
from bank_graphql.oauth.dpop import Proofs
from bank_graphql.oauth.requests import AuthorizationRequests
from bank_graphql.oauth.tokens import TokenIssuer
from bank_graphql.payments.requests import reject_waiting
from bank_graphql.settings import Settings
from bank_graphql.web import health
from bank_graphql.web.authentication import BearerAuthentication
from bank_graphql.web.documents import Documents
from bank_graphql.web.draining import Draining
from bank_graphql.web.endpoint import GraphQLEndpoint
from bank_graphql.web.keys import PublishedKeys
from bank_graphql.web.metrics import MetricsPage, WebMetrics
from bank_graphql.web.middleware import RequestMiddleware
from bank_graphql.web.oauth import OAuth
from bank_graphql.web.operations import OperationGate
from bank_graphql.web.playground import ONLINE_BANK, ONLINE_BANK_DOCUMENTS, Assets, Page, add_slash
from bank_graphql.web.request_log import RequestLog
from bank_graphql.web.schema import PublishedSchema, version
from bank_graphql.web.sockets import GraphQLSockets
from bank_graphql.web.tracing import TracedExecutor, TracedRequests
from bank_graphql.web.trusted import TrustedDocuments, read_manifest

GRAPHQL = "/graphql"
METRICS = "/metrics"
SHARE_SECONDS = 1
"""How often processes tell each other what was spent of rate limits."""


def create_app(settings: Settings | None = None, *, clock: Clock = utc_now) -> Starlette:
    """Return the ASGI application.

    Args:
        settings: the bank's settings; None for those of the environment.
        clock: gives the real time.

    Raises:
        ConfigurationError: a setting of the environment is wrong.
    """
    settings = settings or configuration.load()
    if settings.audit_checkpoints is not None:
        require_writable(settings.audit_checkpoints)
    log.configure(level=settings.log_level)
    metrics = Metrics()
    web_metrics, limiter = WebMetrics(metrics), RateLimiter()
    schema = build_schema()
    tracing = open_tracing(settings.otlp_endpoint, settings.trace_ratio) if settings.otlp_endpoint else None
    shown = settings.shows_schema
    executor = (
        TracedExecutor(schema, tracing, shows_schema=shown)
        if tracing
        else Executor(schema, to_result=rejection_of, shows_schema=shown)
    )
    web_metrics.watch(executor, limiter)
    trusted = _trusted_documents(settings, executor)
    gate = OperationGate(
        executor,
        user_limit=settings.cost_per_minute,
        address_limit=_address_limit(settings),
        observe=web_metrics.operation,
    )
    logs_all = settings.log_requests or settings.log_level is LogLevel.DEBUG
    request_log = RequestLog(all_requests=logs_all, slow_seconds=settings.slow_request_seconds)
    draining = Draining(settings.drain_for)
    is_https = settings.address.startswith("https://")
    around: Callable[[ASGIApp], ASGIApp] = partial(
        RequestMiddleware, https=is_https, log=request_log, count=web_metrics.response, draining=draining
    )
    if tracing is not None:
        around = _traced(around, tracing)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with _open(settings, clock, metrics, tracing) as bank:
            services = _services(bank, settings, limiter, clock)
            identify = BearerAuthentication(bank.people.identity.sessions, Proofs(clock), settings.address)
            app.state.oauth = _oauth(bank, settings, services, identify, clock)
            app.state.graphql = GraphQLEndpoint(gate, services, identify, Page("graphiql.html"), trusted)
            app.state.direct = around(app.state.graphql)
            app.state.sockets = GraphQLSockets(
                gate, services, identify, [*settings.origins, settings.address], request_log, trusted
            )
            app.state.health = health.Health(bank.db, bank.people.identity.sessions.tokens, clock, settings.data_dir, draining)
            app.state.keys = PublishedKeys(bank.people.identity.sessions.tokens)
            app.state.documents = documents = Documents(bank.db, bank.issuer, bank.links)
            _tune_garbage_collector()
            own_jobs = (*_jobs(services), ProcessMetrics(metrics).job)
            async with running((*bank.jobs, *own_jobs), JobMetrics(metrics)), draining.on_signals(services.streams.end_all):
                yield
            services.streams.end_all()
            documents.close()

    published = PublishedSchema(lambda: export(schema), lambda: introspection(schema)) if shown else None
    return _Application(
        _routes(published, _metrics_page(metrics, settings)),
        middleware=[Middleware(around), _cors(settings.origins)],
        lifespan=lifespan,
        metrics_port=settings.metrics_port,
    )


def _trusted_documents(settings: Settings, executor: Executor) -> TrustedDocuments:
    manifest = settings.trusted_documents
    documents = {} if manifest is None else read_manifest(manifest, executor.mistakes_in)
    # Those of the online bank are of this version: their tests have checked them.
    own = read_manifest(ONLINE_BANK_DOCUMENTS, lambda _: []) if ONLINE_BANK_DOCUMENTS.exists() else {}
    return TrustedDocuments({**agents.manifest(), **own, **documents}, only=settings.trusted_only)


@asynccontextmanager
async def _open(settings: Settings, clock: Clock, metrics: Metrics, tracing: Tracing | None) -> AsyncIterator[Bank]:
    try:
        async with open_bank(settings, clock=clock, metrics=metrics, tracing=tracing) as bank, bank.feed_running():
            await bank.approvals.warn_if_alone()
            yield bank
            metrics.close()
    finally:
        if tracing is not None:
            await asyncio.to_thread(tracing.close)


def _traced(around: Callable[[ASGIApp], ASGIApp], tracing: Tracing) -> Callable[[ASGIApp], ASGIApp]:
    return lambda app: TracedRequests(around(app), tracing)


def _services(bank: Bank, settings: Settings, limiter: RateLimiter, clock: Clock) -> Services:
    return Services(
        db=bank.db,
        clock=bank.clock,
        due_jobs=bank.due_jobs,
        issuer=bank.issuer,
        links=bank.links,
        readers=Readers(bank.reads, bank.policy.cards.calendar, bank.clock, bank.links, bank.issuer.months),
        identity=bank.people.identity,
        users=bank.people.users,
        credentials=bank.people.credentials,
        step_up=bank.people.step_up,
        addresses=bank.people.addresses,
        accounts=bank.accounts,
        members=bank.members,
        grants=Grants(bank.db, clock, bank.people.identity),
        approvals=bank.approvals,
        closing=bank.closing,
        cards=bank.cards,
        payees=bank.payees,
        schedules=bank.schedules,
        products=bank.products,
        feed=bank.feed,
        streams=Streams(bank.hub, bank.feed, bank.people.identity.sessions, bank.members, clock),
        execute=bank.execute,
        limiter=limiter,
        attempts_per_minute=settings.log_in_rate_limit,
    )


def _address_limit(settings: Settings) -> int:
    """Return what the requests of one address without a token may cost a minute."""
    return max(1, settings.cost_per_minute // 10)


def _oauth(bank: Bank, settings: Settings, services: Services, identify: BearerAuthentication, clock: Clock) -> OAuth:
    """Return the endpoints of the authorization server."""
    sessions, clients = bank.people.identity.sessions, Clients(bank.db, clock)
    seals = Seals(sessions.tokens.private_keys, "bank oauth")

    async def reject(user_id: UUID, grant_id: UUID) -> None:
        await reject_waiting(bank.db, services.execute, Actor(user_id, None, frozenset()), grant_id)

    return OAuth(
        settings.name,
        settings.address,
        clients,
        AuthorizationRequests(clients, seals, clock, settings.address),
        TokenIssuer(bank.db, services.grants, sessions, reject, clock),
        identify.proofs,
        services,
        identify,
        clock,
        _address_limit(settings),
    )


def _jobs(services: Services) -> tuple[Job, ...]:
    """Return the jobs for clients of this process: whether streams may go on, and what others have spent of rate limits."""
    share = partial(share_costs, services.limiter, services.identity.attempts)
    return Job("check streams", CHECK_SECONDS, services.streams.check), Job("share costs", SHARE_SECONDS, share)


def _metrics_page(metrics: Metrics, settings: Settings) -> MetricsPage | None:
    """Return the page of the metrics; None if they are not served: production needs a token, or a port of their own."""
    token = settings.metrics_token.get_secret_value() if settings.metrics_token else None
    is_open = settings.env is not Environment.PRODUCTION or settings.metrics_port is not None
    return MetricsPage(metrics, token) if token is not None or is_open else None


def _cors(origins: list[str]) -> Middleware:
    return Middleware(
        CORSMiddleware,
        allow_origins=origins,
        allow_methods=["GET", "POST"],
        allow_headers=["authorization", "content-type", "x-request-id", "dpop"],
        expose_headers=["x-request-id", "ratelimit-limit", "ratelimit-remaining", "retry-after", "www-authenticate"],
        max_age=600,
    )


def _tune_garbage_collector() -> None:
    """Let the garbage collector skip all objects of now, which live as long as the process, and run less often.

    Requests leave almost no cycles, but each socket leaves some 80 objects, so it must still run now and then.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 5, 3)


def _routes(schema: PublishedSchema | None, metrics: MetricsPage | None) -> list[BaseRoute]:
    return [
        Route("/", Page("index.html")),
        Mount("/assets", Assets()),
        Route("/app", add_slash),
        Route("/app/", Page("index.html", ONLINE_BANK, command="web", inserts_styles=False)),
        Mount("/app/assets", Assets(ONLINE_BANK)),
        Route("/version", version),
        Route(GRAPHQL, _GraphQLRoute()),  # it refuses other methods itself, in the same way with and without CORS
        WebSocketRoute(GRAPHQL, _SocketRoute()),
        Route("/health", _health),
        Route("/health/live", health.live),
        Route("/health/ready", _ready),
        Route("/.well-known/jwks.json", _keys),
        *(Route(path, _OAuthRoute(name), methods=methods) for path, name, methods in _OAUTH),
        Route("/statements/{name}", _statement),
        Route("/exports/{account}/{since}/{name}", _export),
        Route("/personal-data/{name}", _personal_data),
        *([] if schema is None else [Route("/schema.graphql", schema.text), Route("/schema.json", schema.introspection)]),
        *([] if metrics is None else [Route(METRICS, metrics.answer)]),
    ]


class _Application(Starlette):
    """The application. GraphQL requests that no web page sends, without an origin, skip routing and CORS.

    Args:
        routes: its routes.
        middleware: its middleware.
        lifespan: runs the bank.
        metrics_port: the port that serves the metrics, and nothing else; None if they are served beside the rest.
    """

    def __init__(
        self, routes: list[BaseRoute], *, middleware: list[Middleware], lifespan: Lifespan[Starlette], metrics_port: int | None
    ) -> None:
        super().__init__(routes=routes, middleware=middleware, lifespan=lifespan)
        self.router.redirect_slashes = False  # it would redirect to any host that the client names
        self._metrics_port = metrics_port

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._metrics_port is not None and scope["type"] != "lifespan" and self._is_at_wrong_port(scope):
            await self.router.not_found(scope, receive, send)
        elif scope["type"] == "http" and scope["path"] == GRAPHQL and not any(name == b"origin" for name, _ in scope["headers"]):
            await self.state.direct(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)

    def _is_at_wrong_port(self, scope: Scope) -> bool:
        server = scope.get("server") or (None, None)
        return bool((server[1] == self._metrics_port) != (scope["path"] == METRICS))


_OAUTH = (
    ("/.well-known/oauth-authorization-server", "metadata", ["GET"]),
    ("/.well-known/openid-configuration", "metadata", ["GET"]),
    ("/.well-known/oauth-protected-resource", "resource", ["GET"]),
    ("/oauth/par", "par", ["POST"]),
    ("/oauth/authorize", "authorize", ["GET", "POST"]),
    ("/oauth/token", "token", ["POST"]),
    ("/oauth/revoke", "revoke", ["POST"]),
    ("/oauth/introspect", "introspect", ["POST"]),
    ("/oauth/userinfo", "userinfo", ["GET", "POST"]),
)
"""The endpoints of the authorization server: their paths, the methods of `OAuth`, and those of HTTP."""


class _OAuthRoute:
    """Forwards requests to an endpoint of the authorization server, which exists once the bank is open."""

    def __init__(self, name: str) -> None:
        self._name = name

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        endpoint = getattr(scope["app"].state.oauth, self._name)
        response: Response = await endpoint(Request(scope, receive))
        await response(scope, receive, send)


class _GraphQLRoute:
    """Forwards requests to the GraphQL endpoint, which exists once the bank is open."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await scope["app"].state.graphql(scope, receive, send)


class _SocketRoute:
    """Forwards sockets to GraphQL over WebSocket, which exists once the bank is open."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await scope["app"].state.sockets(scope, receive, send)


# These exist once the bank is open.
async def _health(request: Request) -> Response:
    response: Response = await request.app.state.health.summary(request)
    return response


async def _ready(request: Request) -> Response:
    response: Response = await request.app.state.health.ready(request)
    return response


async def _keys(request: Request) -> Response:
    response: Response = await request.app.state.keys(request)
    return response


async def _statement(request: Request) -> Response:
    response: Response = await request.app.state.documents.statement(request)
    return response


async def _export(request: Request) -> Response:
    response: Response = await request.app.state.documents.export(request)
    return response


async def _personal_data(request: Request) -> Response:
    response: Response = await request.app.state.documents.personal_data(request)
    return response
