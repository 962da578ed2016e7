"""uvicorn's WebSocket protocol, in small steps: a client that floods the server with frames does not delay the others.

uvicorn processes everything that one read returns, up to forty thousand of the smallest frames, before other connections have a
turn, and it pauses reading for whole messages only, not for pings, pongs and fragments.
"""

from typing import Any

from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

STEP_BYTES = 4096
"""Bytes that are processed before other connections have a turn."""
BYTES_A_MESSAGE = 4096
"""The size up to which a message counts as one; a larger one counts once more for each such size."""
LINGER_BYTES = 1024 * 1024
"""Bytes that are read and discarded after the close frame was sent."""
MAX_FRAMES, SECONDS = 2000, 10.0
"""Maximum messages, fragments, pings and pongs that a client may send in this many seconds."""


class PatientSockets(WebSocketsSansIOProtocol):
    """A connection whose frames are processed in steps, and counted."""

    _unread = b""
    _scheduled = False
    _frames = 0
    _since = 0.0

    def data_received(self, data: bytes) -> None:
        """Take what was read, and start to process it."""
        if self.transport.discards(data):  # type: ignore[attr-defined]
            return
        self._unread += data
        if not self._scheduled:
            self._proceed()

    def _proceed(self) -> None:
        self._scheduled = False
        if self.transport.is_closing():
            self._unread = b""
            return
        piece, self._unread = self._unread[:STEP_BYTES], self._unread[STEP_BYTES:]
        super().data_received(piece)
        if self._unread and not self.read_paused:
            self.read_paused = True
            self.transport.pause_reading()
        if self.queue.empty() or self.close_sent:
            self._go_on()

    def _go_on(self) -> None:
        """Process more in the next turn, or read more: no message waits for the application."""
        if self._unread:
            if not self._scheduled:
                self._scheduled = True
                self.loop.call_soon(self._proceed)
        elif self.read_paused:
            self.read_paused = False
            self.transport.resume_reading()

    async def receive(self) -> Any:
        """Return the next message for the application."""
        message = await self.queue.get()
        if self.queue.empty():
            self._go_on()
        return message

    async def send(self, message: Any) -> None:
        """Send a message of the application's.

        Raises:
            ClientDisconnected: the connection is closed or closing.
        """
        if self.close_sent:  # by the server, because of what the client sent
            raise ClientDisconnected
        await super().send(message)

    def handle_cont(self, event: Any) -> None:
        """Handle a fragment of a message."""
        if self._counts():
            super().handle_cont(event)

    def handle_ping(self) -> None:
        """Handle a ping, whose pong is ready to be sent."""
        if self._counts():
            super().handle_ping()

    def handle_pong(self, event: Any) -> None:
        """Handle a pong."""
        if self._counts():
            super().handle_pong(event)

    def send_receive_event_to_app(self) -> None:
        """Pass a whole message to the application. A large one counts as several."""
        if not self._counts(1 + sum(map(len, self.frames)) // BYTES_A_MESSAGE):
            return
        if self.curr_msg_data_type == "text" and not self.close_sent:
            try:
                b"".join(self.frames).decode()
            except UnicodeDecodeError:
                self._fail(1007, "Not UTF-8")
                return
        super().send_receive_event_to_app()

    def _counts(self, weight: int = 1) -> bool:
        """Count a frame or a message; return False if the connection has ended."""
        if self.transport.is_closing():
            return False
        now = self.loop.time()
        if now - self._since > SECONDS:
            self._since, self._frames = now, 0
        self._frames += weight
        if self._frames > MAX_FRAMES:
            self._fail(1008, "Too many messages")
            return False
        return True

    def _fail(self, code: int, reason: str) -> None:
        self.frames = []
        if not self.close_sent:
            self.conn.fail(code, reason)
            self.transport.write(b"".join(self.conn.data_to_send()))
            self.close_sent = True
        self._unread = b""
        self.transport.linger(LINGER_BYTES)  # type: ignore[attr-defined]  # otherwise the reason is lost with a reset
