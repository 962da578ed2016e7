"""The server process: uvicorn with the bank's protocols, the socket that it listens on, and a graceful stop."""

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
    """Return uvicorn's configuration.

    Args:
        workers: the number of processes.
        trusted_proxies: addresses whose `X-Forwarded-For` is trusted, separated by commas.
        max_message: the maximum size of a socket's message, in bytes.
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
    """Return a listening socket, for this process and those that it starts.

    Raises:
        ConfigurationError: the address cannot be listened on.
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
    """A server that reports when it has started.

    Args:
        config: uvicorn's configuration.
        on_started: called once connections are accepted.
    """

    def __init__(self, config: uvicorn.Config, on_started: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_started = on_started

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop gracefully at a signal. Unlike uvicorn, do not raise the signal again afterwards, which would kill the process."""
        handlers = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start the application, and accept connections."""
        await super().startup(sockets)
        self._on_started()
