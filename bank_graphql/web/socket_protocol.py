"""WebSocket as uvicorn speaks it, but a little at a time: frames that cost nothing to send hold up nobody else.

uvicorn works off whatever one read brings, some forty thousand of the smallest frames, before anybody else has a turn, and pauses
reading only for whole messages: pings, pongs and fragments never end.
"""

from typing import Any

from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

AT_A_TIME = 4096
"""Bytes that are worked off before others have a turn."""
BYTES_A_MESSAGE = 4096
"""What a message may have to count as one: the rest of it is counted in such pieces."""
LINGER_BYTES = 1024 * 1024
"""What is read and thrown away after the reason for the end was sent."""
MOST_FRAMES, SECONDS = 2000, 10.0
"""Messages, fragments of messages, pings and pongs that a client may send in so many seconds."""


class PatientSockets(WebSocketsSansIOProtocol):
    """A connection whose frames are worked off a piece at a time, and counted."""

    _unread = b""
    _scheduled = False
    _frames = 0
    _since = 0.0

    def data_received(self, data: bytes) -> None:
        """Take what has been read, and begin to work it off."""
        if self.transport.throws_away(data):  # type: ignore[attr-defined]
            return
        self._unread += data
        if not self._scheduled:
            self._proceed()

    def _proceed(self) -> None:
        self._scheduled = False
        if self.transport.is_closing():
            self._unread = b""
            return
        piece, self._unread = self._unread[:AT_A_TIME], self._unread[AT_A_TIME:]
        super().data_received(piece)
        if self._unread and not self.read_paused:
            self.read_paused = True
            self.transport.pause_reading()
        if self.queue.empty() or self.close_sent:
            self._go_on()

    def _go_on(self) -> None:
        """Nothing waits for the application: work off more in the next turn, or read more."""
        if self._unread:
            if not self._scheduled:
                self._scheduled = True
                self.loop.call_soon(self._proceed)
        elif self.read_paused:
            self.read_paused = False
            self.transport.resume_reading()

    async def receive(self) -> Any:
        """The next message for the application."""
        message = await self.queue.get()
        if self.queue.empty():
            self._go_on()
        return message

    async def send(self, message: Any) -> None:
        """Send a message of the application's.

        Raises:
            ClientDisconnected: the connection is closed or closing.
        """
        if self.close_sent:  # by us, for what the client sent
            raise ClientDisconnected
        await super().send(message)

    def handle_cont(self, event: Any) -> None:
        """A fragment of a message."""
        if self._counts():
            super().handle_cont(event)

    def handle_ping(self) -> None:
        """A ping, whose pong is ready to be sent."""
        if self._counts():
            super().handle_ping()

    def handle_pong(self, event: Any) -> None:
        """A pong."""
        if self._counts():
            super().handle_pong(event)

    def send_receive_event_to_app(self) -> None:
        """A whole message is there. A large one counts as several."""
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
        """Count a frame or a message; False if the connection is over."""
        if self.transport.is_closing():
            return False
        now = self.loop.time()
        if now - self._since > SECONDS:
            self._since, self._frames = now, 0
        self._frames += weight
        if self._frames > MOST_FRAMES:
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
        self.transport.linger(LINGER_BYTES)  # type: ignore[attr-defined]  # or the reason is lost with a reset
