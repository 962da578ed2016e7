"""The server process: uvicorn with our protocols, a socket to listen on, and an end in good order."""

import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn

from bank_graphql.kit.errors import ConfigurationError
from bank_graphql.web.http_protocol import PatientHttp
from bank_graphql.web.socket_protocol import PatientSockets

BACKLOG = 2048


def configuration(*, workers: int, trusted_proxies: str, max_message: int) -> uvicorn.Config:
    """Return how the application is served.

    Args:
        workers: processes.
        trusted_proxies: addresses whose `X-Forwarded-For` is believed, separated by commas.
        max_message: bytes that a socket's message may have.
    """
    return uvicorn.Config(
        "bank_graphql.app:create_app",
        factory=True,
        workers=workers,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(trusted_proxies),
        forwarded_allow_ips=trusted_proxies,
        http=PatientHttp,
        ws=PatientSockets,
        ws_max_size=max_message,
        ws_per_message_deflate=False,
        backlog=BACKLOG,
        timeout_keep_alive=65,
        timeout_graceful_shutdown=20,
    )


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens, for this process and those that it starts.

    Raises:
        ConfigurationError: nobody can listen there.
    """
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        message = f"Cannot listen on {host}, port {port}: {error.strerror}. Choose another: --port or BANK_PORT."
        raise ConfigurationError(message) from error
    listener.set_inheritable(True)
    return listener


class Server(uvicorn.Server):
    """A server that says when its start is over.

    Args:
        config: how to serve.
        when_started: called once connections are accepted.
    """

    def __init__(self, config: uvicorn.Config, when_started: Callable[[], None]) -> None:
        super().__init__(config)
        self._when_started = when_started

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop in good order when a signal says so; and when that is done, do not send it again, which would end us at once."""
        handlers = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Open the bank, and begin to accept connections."""
        await super().startup(sockets)
        self._when_started()
