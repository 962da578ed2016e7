"""Stop without a failed request.

At SIGTERM the process first goes on to serve for a while, and says that it is not ready, so that a load balancer sends no more to
it. Its answers close their connections, and its streams end, so that clients connect again elsewhere. Then the server closes its
port and finishes what is in progress. At SIGINT, or a second signal, it does so at once.
"""

import asyncio
import multiprocessing
import signal
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from types import FrameType

import structlog

_Handler = Callable[[int, FrameType | None], object] | int | None
_log = structlog.get_logger(__name__)


class Draining:
    """Whether the process is being drained.

    Args:
        seconds: how long it goes on to serve after SIGTERM.

    Attributes:
        has_begun: whether it has got a signal to stop.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._earlier: dict[int, _Handler] = {}
        self._loop: asyncio.AbstractEventLoop
        self._end_streams: Callable[[], None]
        self.has_begun = False

    @asynccontextmanager
    async def on_signals(self, end_streams: Callable[[], None]) -> AsyncIterator[None]:
        """Inside an `async with` block, drain at SIGTERM before the server's own handler stops it.

        Args:
            end_streams: ends all streams, for which the server would wait.
        """
        self._loop, self._end_streams = asyncio.get_running_loop(), end_streams
        if threading.current_thread() is threading.main_thread():  # Python sets handlers in the main thread only
            handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)}
            self._earlier = {number: handler for number, handler in handlers.items() if callable(handler)}
        for number in self._earlier:
            signal.signal(number, self._handle)
        supervisor = multiprocessing.parent_process()
        if supervisor is not None:  # a worker whose supervisor was killed would hold the port for ever
            self._loop.add_reader(supervisor.sentinel, signal.raise_signal, signal.SIGINT)
        try:
            yield
        finally:
            if supervisor is not None:
                self._loop.remove_reader(supervisor.sentinel)
            for number, handler in self._earlier.items():
                if signal.getsignal(number) == self._handle:
                    signal.signal(number, handler)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if number != signal.SIGINT and self._seconds and not self.has_begun:
            self._loop.call_soon_threadsafe(self._drain)
        else:
            self._loop.call_soon_threadsafe(self._begin)
            self._stop(number, frame)

    def _drain(self) -> None:
        _log.info("draining", seconds=self._seconds)
        self._begin()
        self._loop.call_later(self._seconds, self._stop, signal.SIGTERM, None)

    def _begin(self) -> None:
        self.has_begun = True
        self._end_streams()

    def _stop(self, number: int, frame: FrameType | None) -> None:
        handler = self._earlier[number]
        if callable(handler):
            handler(number, frame)
