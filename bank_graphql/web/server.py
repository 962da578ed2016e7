"""The server process: uvicorn with the bank's protocols, the socket that it listens on, and a graceful stop."""

import asyncio
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess

from bank_graphql.kit.errors import ConfigurationError
from bank_graphql.web.http_protocol import PatientHttp
from bank_graphql.web.socket_protocol import PatientSockets

BACKLOG = 2048
WORKER_SECONDS = 5
"""How long a worker process may take to answer its supervisor before it is replaced."""
WORKER_START_SECONDS = 60
"""How long a process that takes the place of another may take to serve."""


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
        timeout_worker_healthcheck=WORKER_SECONDS,
    )


def listen(host: str, port: int, *, settings: str = "--port or BANK_PORT") -> socket.socket:
    """Return a listening socket, for this process and those that it starts.

    Args:
        host: the address.
        port: the port; 0 for any that is free.
        settings: where the port can be changed.

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
        message = f"Cannot listen on {host}, port {port}: {error.strerror}. Choose another: {settings}."
        raise ConfigurationError(message) from error
    listener.set_inheritable(True)
    return listener


_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Where there is only one process, SIGHUP stops it: there is none to take its place."""


async def supervise(config: uvicorn.Config, sockets: list[socket.socket]) -> bool:
    """Run the worker processes, replace those that die, and replace all one by one at SIGHUP; return at a signal to stop.

    Returns:
        False if the workers could not start.
    """
    supervisor = _Supervisor(config, sockets)
    await asyncio.to_thread(supervisor.run)
    return all(worker.exitcode != STARTUP_FAILURE for worker in supervisor.processes)


class _Supervisor(Multiprocess):
    """uvicorn's supervisor. It has one time limit for starts and answers, and waits all of it for an answer of a dying worker."""

    def restart_all(self) -> None:
        """Replace all workers, one by one."""
        self.config.timeout_worker_healthcheck = WORKER_START_SECONDS
        try:
            super().restart_all()
        finally:
            self.config.timeout_worker_healthcheck = WORKER_SECONDS


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
        handlers = {number: signal.signal(number, self.handle_exit) for number in _STOP_SIGNALS}
        try:
            yield
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start the application, and accept connections."""
        await super().startup(sockets)
        self._on_started()
