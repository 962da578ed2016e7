"""Compose the server: routes, middleware, and the bank that they serve while the application runs."""

import asyncio
import gc
import signal
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from types import FrameType

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute
from starlette.types import Receive, Scope, Send

from bank_graphql import settings as configuration
from bank_graphql.api.context import Services
from bank_graphql.api.errors import rejection_of
from bank_graphql.api.loaders import Readers
from bank_graphql.api.schema import build_schema, export, introspection
from bank_graphql.api.streams import CHECK_SECONDS, Streams
from bank_graphql.bank import open_bank
from bank_graphql.engine.executor import Executor
from bank_graphql.kit import log
from bank_graphql.kit.clock import Clock, utc_now
from bank_graphql.kit.jobs import Job, running
from bank_graphql.kit.rate_limiter import RateLimiter
from bank_graphql.settings import Settings
from bank_graphql.web import health
from bank_graphql.web.authentication import BearerAuthentication
from bank_graphql.web.endpoint import GraphQLEndpoint
from bank_graphql.web.keys import PublishedKeys
from bank_graphql.web.middleware import RequestMiddleware
from bank_graphql.web.operations import OperationGate
from bank_graphql.web.playground import Assets, Page
from bank_graphql.web.schema import PublishedSchema, version
from bank_graphql.web.sockets import GraphQLSockets

GRAPHQL = "/graphql"
_SignalHandler = Callable[[int, FrameType | None], object] | int | None


def create_app(settings: Settings | None = None, *, clock: Clock = utc_now) -> Starlette:
    """Return the ASGI application.

    Args:
        settings: the bank's settings; None for those of the environment.
        clock: gives the time.

    Raises:
        ConfigurationError: a setting of the environment is wrong.
    """
    settings = settings or configuration.load()
    log.configure(level=settings.log_level)
    built = build_schema()
    gate = OperationGate(
        Executor(built, to_result=rejection_of),
        user_limit=settings.cost_per_minute,
        address_limit=max(1, settings.cost_per_minute // 10),
    )

    is_https, is_verbose = settings.address.startswith("https://"), settings.log_level == "DEBUG"

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with open_bank(settings, clock=clock) as bank, bank.feed_running():
            streams = Streams(bank.hub, bank.feed, bank.identity, clock)
            services = Services(
                db=bank.db,
                readers=Readers(bank.db, bank.policy.cards.calendar, clock),
                identity=bank.identity,
                accounts=bank.accounts,
                cards=bank.cards,
                feed=bank.feed,
                streams=streams,
                execute=bank.execute,
                limiter=RateLimiter(),
                attempts_per_minute=settings.log_in_rate_limit,
            )
            identify = BearerAuthentication(bank.identity)
            app.state.graphql = GraphQLEndpoint(gate, services, identify, Page("graphiql.html"))
            app.state.direct = RequestMiddleware(app.state.graphql, https=is_https, verbose=is_verbose)
            app.state.sockets = GraphQLSockets(gate, services, identify, [*settings.origins, settings.address])
            app.state.readiness = health.Readiness(bank.db)
            app.state.keys = PublishedKeys(bank.identity.tokens)
            _tune_garbage_collector()
            async with (
                running((*bank.jobs, Job("check streams", CHECK_SECONDS, streams.check))),
                _on_stop_signal(streams.end_all),
            ):
                yield
            streams.end_all()

    app = _Application(
        routes=_routes(PublishedSchema(lambda: export(built), lambda: introspection(built))),
        middleware=[
            Middleware(RequestMiddleware, https=is_https, verbose=is_verbose),
            Middleware(
                CORSMiddleware,
                allow_origins=settings.origins,
                allow_methods=["GET", "POST"],
                allow_headers=["authorization", "content-type", "x-request-id"],
                expose_headers=["x-request-id", "ratelimit-limit", "ratelimit-remaining", "retry-after"],
                max_age=600,
            ),
        ],
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False  # it would redirect to any host that the client names
    return app


def _tune_garbage_collector() -> None:
    """Let the garbage collector skip all objects of now, which live as long as the process, and run less often.

    Requests leave almost no cycles, but each socket leaves some 80 objects, so it must still run now and then.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 5, 3)


def _routes(schema: PublishedSchema) -> list[BaseRoute]:
    return [
        Route("/", Page("index.html")),
        Mount("/assets", Assets()),
        Route("/schema.graphql", schema.text),
        Route("/schema.json", schema.introspection),
        Route("/version", version),
        Route(GRAPHQL, _GraphQLRoute()),  # it refuses other methods itself, in the same way with and without CORS
        WebSocketRoute(GRAPHQL, _SocketRoute()),
        Route("/health/live", health.live),
        Route("/health/ready", _handled_by("readiness")),
        Route("/.well-known/jwks.json", _handled_by("keys")),
    ]


class _Application(Starlette):
    """The application. GraphQL requests that no web page sends, without an origin, skip routing and CORS."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == GRAPHQL and not any(name == b"origin" for name, _ in scope["headers"]):
            await self.state.direct(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)


class _GraphQLRoute:
    """Forwards requests to the GraphQL endpoint, which exists once the bank is open."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await scope["app"].state.graphql(scope, receive, send)


class _SocketRoute:
    """Forwards sockets to GraphQL over WebSocket, which exists once the bank is open."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await scope["app"].state.sockets(scope, receive, send)


@asynccontextmanager
async def _on_stop_signal(stop: Callable[[], None]) -> AsyncIterator[None]:
    """Call `stop` when the process gets a signal to stop. The server waits for streams, so they must be ended first."""
    loop = asyncio.get_running_loop()
    earlier: dict[int, _SignalHandler] = {}

    def handle(number: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(stop)
        handler = earlier[number]
        if callable(handler):
            handler(number, frame)

    if threading.current_thread() is threading.main_thread():  # Python sets handlers in the main thread only
        earlier = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
        for number in earlier:
            signal.signal(number, handle)
    try:
        yield
    finally:
        for number, handler in earlier.items():
            if signal.getsignal(number) is handle:
                signal.signal(number, handler)


def _handled_by(name: str) -> Callable[[Request], Awaitable[Response]]:
    """Return a handler that forwards requests to the one with this name, which exists once the bank is open."""

    async def handle(request: Request) -> Response:
        response: Response = await getattr(request.app.state, name)(request)
        return response

    return handle
