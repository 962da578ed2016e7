"""uvicorn's HTTP protocol with limits: clients that send too slowly, or endless headers, are disconnected.

It also does three things that uvicorn does not. A request to upgrade to anything but WebSocket is answered as if it requested
no upgrade (RFC 9110, section 7.8). If the answer comes before the client has sent all of its request, the rest is read and
discarded, so that the answer is not lost with a reset (RFC 9112, section 9.6). A client that has closed its sending side still
gets the answer in progress.
"""

import asyncio
from collections.abc import Callable
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEADER_BYTES = 64 * 1024
BODY_BYTES = 8 * 1024 * 1024
"""Maximum bytes after a request's headers, chunk headers and trailers included. The endpoint's own limit is much smaller."""
REQUEST_SECONDS = 30.0
"""How long a request may take to arrive, its body included; and how long a new connection may send nothing."""


STALL_SECONDS = 8.0
CLOSE_SECONDS = 3.0
LAST_REQUEST_SECONDS = 0.5
"""How long a server that ends waits for a request on a new connection, and for the rest of one that is arriving."""
LINGER_SECONDS, LINGER_BYTES = 5.0, 64 * 1024 * 1024
"""For how long, and how many bytes, of the rest of a request are read and discarded after its answer."""
MAX_UNSENT = 16 * 1024 * 1024
"""Maximum bytes that wait to be sent to one client."""


class PatientHttp(HttpToolsProtocol):
    """A connection whose requests must arrive in time, with at most `HEADER_BYTES` of headers, and without trailers."""

    _deadline: asyncio.TimerHandle | None = None
    _header_bytes: int | None = 0
    _body_bytes = 0
    _last = b""
    _is_arriving = False
    _is_ignoring_upgrade = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the time limit."""
        super().connection_made(transport)
        self.transport = _Gathering(transport, self.loop, lambda: self._is_arriving)  # type: ignore[assignment]
        self._expect()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the time limit."""
        self._stop()
        super().connection_lost(exc)

    def shutdown(self) -> None:
        """Close the connection because the server ends. Who has just connected, or is sending a request, gets an answer first."""
        if self.cycle is None or self._is_arriving:
            self.loop.call_later(LAST_REQUEST_SECONDS, super().shutdown)
        else:
            super().shutdown()

    def data_received(self, data: bytes) -> None:
        """Check the size of the headers, then parse."""
        if self.transport.discards(data):  # type: ignore[attr-defined]
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
        # Most requests arrive at once, and need no time limit. What comes between two, such as an empty line, begins the next.
        if (self._is_arriving or self._header_bytes) and self._deadline is None:
            self._expect()

    def eof_received(self) -> bool:  # type: ignore[override]
        """Handle the end of what the client sends; return True to keep the connection until a complete request has its answer."""
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
        """Parse the data; after a request to upgrade that is ignored, return what must be parsed again."""
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
        """Return the head of a request to upgrade, without the headers that request it, to be parsed again."""
        method, version = self.parser.get_method(), self.parser.get_http_version().encode()
        headers = [b"%b: %b\r\n" % each for each in self.headers if each[0] not in {b"upgrade", b"http2-settings"}]
        self._is_ignoring_upgrade = False
        self.parser = httptools.HttpRequestParser(self)
        self._header_bytes = 0
        return b"%b %b HTTP/%b\r\n%b\r\n" % (method, self.url, version, b"".join(headers))

    def on_message_begin(self) -> None:
        """Note that a request begins."""
        super().on_message_begin()
        self._header_bytes = self._header_bytes or 0
        self._is_arriving = True

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header. Trailers are refused: nothing reads them, and they could be endless."""
        if self._header_bytes is None:
            self._cut_off()
        else:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Note that all headers have arrived."""
        self._is_ignoring_upgrade = self.parser.should_upgrade() and not self._should_upgrade()
        if not self._is_ignoring_upgrade:
            self._header_bytes = None
            super().on_headers_complete()

    def handle_websocket_upgrade(self) -> None:
        """Hand the connection to the WebSocket protocol. A handshake with a body is refused: it would have no time limit."""
        if any(name == b"transfer-encoding" or (name == b"content-length" and value != b"0") for name, value in self.headers):
            self.send_400_response("A handshake has no body.")
        else:
            super().handle_websocket_upgrade()

    def on_message_complete(self) -> None:
        """Note that the whole request has arrived."""
        if self._is_ignoring_upgrade:
            return
        self._is_arriving = False
        self._stop()
        self._header_bytes = self._body_bytes = 0
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Note that an answer is sent. If it came before all of its request, linger until the client stops sending."""
        super().on_response_complete()
        # The cycle belongs to the newest request, which may have come after the one that is answered.
        if self.cycle.response_complete and self.cycle.more_body:
            self._stop()
            self.transport.linger()  # type: ignore[attr-defined]

    def _ends_headers(self, data: bytes) -> bool:
        """Return whether the headers end within the first `HEADER_BYTES`, so that the rest is body."""
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
        self._is_arriving = False  # the rest of the request is not awaited
        self.transport.close()

    def _cut_off(self) -> None:
        self._stop()
        self.transport.abort()


class _Gathering:
    """A transport that sends everything written in one turn of the event loop at once: an answer's head with its body.

    It disconnects a client that does not read: if it accepts nothing for `STALL_SECONDS`, if more than `MAX_UNSENT` bytes wait to
    be sent, or if the connection is to be closed and it does not accept the rest soon.

    Args:
        transport: the connection.
        loop: the event loop.
        is_arriving: returns whether a part of a request is still to come. Closing then waits for the client to stop sending.
    """

    def __init__(
        self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop, is_arriving: Callable[[], bool] = lambda: False
    ) -> None:
        self._transport = transport
        self._loop = loop
        self._is_arriving = is_arriving
        self._discarded: int | None = None
        self._max_discarded = 0
        self._written: list[bytes] = []
        self._sent = 0
        self._watch: asyncio.TimerHandle | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Send the data at the end of this turn of the event loop."""
        if not self._written:
            self._loop.call_soon(self.flush)
        self._written.append(data)

    def close(self) -> None:
        """Close the connection once everything is sent."""
        self.flush()
        if self._discarded is not None:
            return  # it is closed when the client stops sending
        if self._is_arriving():
            self.linger()
            return
        self._transport.close()
        if self._transport.get_write_buffer_size():
            self._loop.call_later(CLOSE_SECONDS, self._transport.abort)

    def linger(self, maximum: int = LINGER_BYTES) -> None:
        """Send what was written and close the sending side; discard what still arrives for a moment, then close the connection.

        Args:
            maximum: bytes that may still arrive; after more, the connection is aborted.
        """
        self.flush()
        if self._discarded is not None:
            return
        if self.is_closing() or not self._transport.can_write_eof():
            self._transport.close()
            return
        self._discarded, self._max_discarded = 0, maximum
        self._transport.write_eof()
        self._transport.resume_reading()
        self._loop.call_later(LINGER_SECONDS, self._transport.abort)

    def discards(self, data: bytes) -> bool:
        """Discard the data and return True, if the connection is lingering; otherwise return False."""
        if self._discarded is None:
            return False
        self._discarded += len(data)
        if self._discarded > self._max_discarded:
            self._transport.abort()
        return True

    def flush(self) -> None:
        """Send what was written."""
        if self._written and not self._transport.is_closing():
            data = b"".join(self._written)
            self._sent += len(data)
            self._transport.write(data)
            waiting = self._transport.get_write_buffer_size()
            if waiting > MAX_UNSENT:
                self._transport.abort()
            elif waiting and self._watch is None:
                self._look_after(self._sent - waiting)
        self._written.clear()

    def _look_after(self, taken: int) -> None:
        """Abort the connection unless the client goes on accepting data."""

        def look() -> None:
            self._watch = None
            waiting = self._transport.get_write_buffer_size()
            if waiting and self._sent - waiting <= taken:
                self._transport.abort()
            elif waiting:
                self._look_after(self._sent - waiting)

        self._watch = self._loop.call_later(STALL_SECONDS, look)
