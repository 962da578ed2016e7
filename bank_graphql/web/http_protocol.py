"""HTTP as uvicorn speaks it, but patient only so far: what sends too slowly, or headers without end, is cut off.

Three things are done that uvicorn does not do. A request to upgrade to anything but WebSocket is answered as if it asked for no
upgrade (RFC 9110, section 7.8). Who sends more than the answer needed is read to the end, so that the answer is not lost with a
reset (RFC 9112, section 9.6). And who sends nothing more, but still reads, gets the answer that is under way.
"""

import asyncio
from collections.abc import Callable
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEADER_BYTES = 64 * 1024
BODY_BYTES = 8 * 1024 * 1024
"""What may follow a request's headers, chunks' heads and trailers included. The endpoint refuses bodies that are much smaller."""
REQUEST_SECONDS = 30.0
"""How long a request, its body included, may take to arrive; and how long a new connection may be silent."""


STALL_SECONDS = 8.0
CLOSE_SECONDS = 3.0
LINGER_SECONDS, LINGER_BYTES = 5.0, 64 * 1024 * 1024
"""For how long, and how much, is read and thrown away after an answer that came before all of its request."""
MOST_WAITING = 16 * 1024 * 1024
"""Bytes that may wait for one client."""


class PatientHttp(HttpToolsProtocol):
    """A connection whose requests must arrive in time, with headers of at most `HEADER_BYTES`, and without trailers."""

    _deadline: asyncio.TimerHandle | None = None
    _header_bytes: int | None = 0
    _body_bytes = 0
    _last = b""
    _is_arriving = False
    _is_ignoring_upgrade = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the clock."""
        super().connection_made(transport)
        self.transport = _Gathering(transport, self.loop, lambda: self._is_arriving)  # type: ignore[assignment]
        self._expect()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clock."""
        self._stop()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Hold headers to their size, then parse."""
        if self.transport.throws_away(data):  # type: ignore[attr-defined]
            return
        if self._header_bytes is not None:
            self._header_bytes += len(data)
            if self._header_bytes > HEADER_BYTES and not self._ends_headers(data):
                self._stop()
                self.transport.write(
                    b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
                )
                self.transport.close()
                return
        else:
            self._body_bytes += len(data)
            if self._body_bytes > BODY_BYTES:
                self._cut_off()
                return
        self._parse(data)
        self._last = b"" if self._header_bytes is None else (self._last + data[-3:])[-3:]
        # Most requests arrive in one piece, and need no clock. What comes between two, such as an empty line, begins the next.
        if (self._is_arriving or self._header_bytes) and self._deadline is None:
            self._expect()

    def eof_received(self) -> bool:  # type: ignore[override]
        """The client sends nothing more. True to keep the connection until a request that is complete has its answer."""
        cycle = self.cycle
        is_waiting = cycle is not None and not (cycle.more_body or cycle.response_started or cycle.disconnected)
        if is_waiting:
            cycle.keep_alive = False
        else:
            self.transport.flush()  # type: ignore[attr-defined]  # asyncio closes the connection next
        return is_waiting

    def _parse(self, data: bytes) -> None:
        self._unset_keepalive_if_required()
        while data and not self.transport.is_closing():
            data = self._parse_until_upgrade(data)

    def _parse_until_upgrade(self, data: bytes) -> bytes:
        """Parse the data; return what is to be parsed anew, after a request to upgrade that is ignored."""
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserError:
            self.send_400_response("Invalid HTTP request received.")
        except httptools.HttpParserUpgrade as upgrade:
            if self._should_upgrade():
                self.handle_websocket_upgrade()
            elif self.parser.get_method() == b"CONNECT":
                self.send_400_response("This is no proxy.")
            else:
                return self._head_without_upgrade() + data[upgrade.args[0] :]
        return b""

    def _head_without_upgrade(self) -> bytes:
        """Return a head that the parser took for the last of HTTP, without what says so, to be parsed anew."""
        method, version = self.parser.get_method(), self.parser.get_http_version().encode()
        headers = [b"%b: %b\r\n" % each for each in self.headers if each[0] not in {b"upgrade", b"http2-settings"}]
        self._is_ignoring_upgrade = False
        self.parser = httptools.HttpRequestParser(self)
        self._header_bytes = 0
        return b"%b %b HTTP/%b\r\n%b\r\n" % (method, self.url, version, b"".join(headers))

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self._header_bytes = self._header_bytes or 0
        self._is_arriving = True

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header. Trailers are nothing that anybody here reads, and could go on for good."""
        if self._header_bytes is None:
            self._cut_off()
        else:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Its headers are there."""
        self._is_ignoring_upgrade = self.parser.should_upgrade() and not self._should_upgrade()
        if not self._is_ignoring_upgrade:
            self._header_bytes = None
            super().on_headers_complete()

    def handle_websocket_upgrade(self) -> None:
        """Hand the connection on, unless its handshake has a body, for which the other side would wait without a clock."""
        if any(name == b"transfer-encoding" or (name == b"content-length" and value != b"0") for name, value in self.headers):
            self.send_400_response("A handshake has no body.")
        else:
            super().handle_websocket_upgrade()

    def on_message_complete(self) -> None:
        """All of it is there."""
        if self._is_ignoring_upgrade:
            return
        self._is_arriving = False
        self._stop()
        self._header_bytes = self._body_bytes = 0
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """An answer is sent. One that came before all of its request ends the connection, once the client has stopped sending."""
        super().on_response_complete()
        # The cycle is that of the newest request, which may be one that came after the one answered.
        if self.cycle.response_complete and self.cycle.more_body:
            self._stop()
            self.transport.linger()  # type: ignore[attr-defined]

    def _ends_headers(self, data: bytes) -> bool:
        """Whether the headers end within the first `HEADER_BYTES`, so that the rest is body."""
        end = (self._last + data).find(b"\r\n\r\n")
        return 0 <= end <= HEADER_BYTES - (self._header_bytes or 0) + len(self._last) + len(data)

    def _expect(self) -> None:
        self._deadline = self.loop.call_later(REQUEST_SECONDS, self._give_up)

    def _stop(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _give_up(self) -> None:
        self._deadline = None
        self._is_arriving = False  # nothing more of it is waited for
        self.transport.close()

    def _cut_off(self) -> None:
        self._stop()
        self.transport.abort()


class _Gathering:
    """A transport that sends all that is written in one turn of the loop in one go: an answer's head along with its body.

    It cuts off whoever does not read: when nothing of what waits is taken for `STALL_SECONDS`, when more waits than
    `MOST_WAITING`, and when the connection is to be closed and what waits is not taken soon.

    Args:
        transport: the connection.
        loop: the event loop.
        is_arriving: whether a part of a request is still to come. Then closing waits a moment for the client to stop sending.
    """

    def __init__(
        self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop, is_arriving: Callable[[], bool] = lambda: False
    ) -> None:
        self._transport = transport
        self._loop = loop
        self._is_arriving = is_arriving
        self._thrown_away: int | None = None
        self._may_throw_away = 0
        self._written: list[bytes] = []
        self._sent = 0
        self._watch: asyncio.TimerHandle | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Send the data, soon."""
        if not self._written:
            self._loop.call_soon(self.flush)
        self._written.append(data)

    def close(self) -> None:
        """Close the connection once all is sent."""
        self.flush()
        if self._thrown_away is not None:
            return  # it is closed once the client has stopped sending
        if self._is_arriving():
            self.linger()
            return
        self._transport.close()
        if self._transport.get_write_buffer_size():
            self._loop.call_later(CLOSE_SECONDS, self._transport.abort)

    def linger(self, maximum: int = LINGER_BYTES) -> None:
        """Send what was written, and that it was the last; read what still comes for a moment, then close the connection.

        Args:
            maximum: bytes that may still come; with more, the connection is cut off.
        """
        self.flush()
        if self._thrown_away is not None:
            return
        if self.is_closing() or not self._transport.can_write_eof():
            self._transport.close()
            return
        self._thrown_away, self._may_throw_away = 0, maximum
        self._transport.write_eof()
        self._transport.resume_reading()
        self._loop.call_later(LINGER_SECONDS, self._transport.abort)

    def throws_away(self, data: bytes) -> bool:
        """Throw the data away if the answer was sent already; otherwise return False."""
        if self._thrown_away is None:
            return False
        self._thrown_away += len(data)
        if self._thrown_away > self._may_throw_away:
            self._transport.abort()
        return True

    def flush(self) -> None:
        """Send what was written."""
        if self._written and not self._transport.is_closing():
            data = b"".join(self._written)
            self._sent += len(data)
            self._transport.write(data)
            waiting = self._transport.get_write_buffer_size()
            if waiting > MOST_WAITING:
                self._transport.abort()
            elif waiting and self._watch is None:
                self._look_after(self._sent - waiting)
        self._written.clear()

    def _look_after(self, taken: int) -> None:
        """Cut the connection off unless more is taken by and by."""

        def look() -> None:
            self._watch = None
            waiting = self._transport.get_write_buffer_size()
            if waiting and self._sent - waiting <= taken:
                self._transport.abort()
            elif waiting:
                self._look_after(self._sent - waiting)

        self._watch = self._loop.call_later(STALL_SECONDS, look)
