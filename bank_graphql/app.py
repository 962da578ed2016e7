"""Puts the server together: routes, middleware in their order, and the bank behind them for as long as it runs."""

import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from bank_graphql import settings as configuration
from bank_graphql.api.context import Services
from bank_graphql.api.endpoint import GraphQLEndpoint
from bank_graphql.api.executor import Executor
from bank_graphql.api.loaders import Readers
from bank_graphql.api.schema import build_schema
from bank_graphql.bank import open_bank
from bank_graphql.kit import log
from bank_graphql.kit.clock import Clock, utc_now
from bank_graphql.kit.limits import Limiter
from bank_graphql.kit.periodic import running
from bank_graphql.settings import Settings
from bank_graphql.web import health
from bank_graphql.web.authentication import BearerAuthentication
from bank_graphql.web.keys import PublishedKeys
from bank_graphql.web.middleware import RequestMiddleware
from bank_graphql.web.playground import Playground

GRAPHQL = "/graphql"


def create_app(settings: Settings | None = None, *, clock: Clock = utc_now) -> Starlette:
    """The ASGI application. Without settings, those of the environment."""
    settings = settings or configuration.load()
    log.configure(level=settings.log_level)
    executor = Executor(
        build_schema(),
        user_limit=settings.points_per_minute,
        address_limit=max(1, settings.points_per_minute // 10),
    )

    is_https, is_verbose = settings.public_url.startswith("https://"), settings.log_level == "DEBUG"

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with open_bank(settings, clock=clock) as bank, running(bank.jobs):
            services = Services(
                db=bank.db,
                readers=Readers(bank.db),
                identity=bank.identity,
                accounts=bank.accounts,
                move=bank.move,
                limiter=Limiter(),
                attempts_per_minute=settings.log_in_rate_limit,
            )
            identify = BearerAuthentication(bank.identity)
            app.state.graphql = GraphQLEndpoint(executor, services, identify, Playground())
            app.state.direct = RequestMiddleware(app.state.graphql, https=is_https, verbose=is_verbose)
            app.state.readiness = health.Readiness(bank.db)
            app.state.keys = PublishedKeys(bank.identity.tokens)
            # What there is now stays: the collector need not look at it again and again, and less often at what requests make.
            gc.collect()
            gc.freeze()
            gc.set_threshold(50_000, 20, 50)
            yield

    app = _Application(
        routes=[
            Route("/", _home),
            Route(GRAPHQL, _GraphQLRoute(), methods=["GET", "POST"]),
            Route("/health/live", health.live),
            Route("/health/ready", _handled_by("readiness")),
            Route("/.well-known/jwks.json", _handled_by("keys")),
        ],
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
    app.router.redirect_slashes = False  # it would redirect to whatever host the client names
    return app


class _Application(Starlette):
    """The application. Requests for GraphQL that come from no web page need no routing and no CORS, so they go without."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == GRAPHQL and not any(name == b"origin" for name, _ in scope["headers"]):
            await self.state.direct(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)


class _GraphQLRoute:
    """The GraphQL endpoint, which the lifespan puts in place once the bank is open, as routes find it."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await scope["app"].state.graphql(scope, receive, send)


def _handled_by(name: str) -> Any:
    """An endpoint that the lifespan puts in place once the bank is open."""

    async def handle(request: Request) -> Response:
        response: Response = await getattr(request.app.state, name)(request)
        return response

    return handle


async def _home(_request: Request) -> Response:
    return RedirectResponse("/graphql")
