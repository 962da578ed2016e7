"""HTTP as uvicorn speaks it, but patient only so far: what sends too slowly, or headers without end, is cut off."""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEADER_BYTES = 64 * 1024
BODY_BYTES = 8 * 1024 * 1024
"""What may follow a request's headers, chunks' heads and trailers included. The endpoint refuses bodies that are much smaller."""
REQUEST_SECONDS = 30.0
"""How long a request, its body included, may take to arrive; and how long a new connection may be silent."""


STALL_SECONDS = 8.0
CLOSE_SECONDS = 3.0
MOST_WAITING = 16 * 1024 * 1024
"""Bytes that may wait for one client."""


class PatientProtocol(HttpToolsProtocol):
    """A connection whose requests must arrive in time, with headers of at most `HEADER_BYTES`, and without trailers."""

    _deadline: asyncio.TimerHandle | None = None
    _header_bytes: int | None = 0
    _body_bytes = 0
    _last = b""
    _is_arriving = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the clock."""
        super().connection_made(transport)
        self.transport = _Gathering(transport, self.loop)  # type: ignore[assignment]
        self._expect()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clock."""
        self._stop()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Hold headers to their size, then let uvicorn read on."""
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
        super().data_received(data)
        self._last = b"" if self._header_bytes is None else (self._last + data[-3:])[-3:]
        # Most requests arrive in one piece, and need no clock. What comes between two, such as an empty line, begins the next.
        if (self._is_arriving or self._header_bytes) and self._deadline is None:
            self._expect()

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
        self._is_arriving = False
        self._stop()
        self._header_bytes = self._body_bytes = 0
        super().on_message_complete()

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
        self.transport.close()

    def _cut_off(self) -> None:
        self._stop()
        self.transport.abort()


class _Gathering:
    """A transport that sends all that is written in one turn of the loop in one go: an answer's head along with its body.

    It cuts off whoever does not read: when nothing of what waits is taken for `STALL_SECONDS`, when more waits than
    `MOST_WAITING`, and when the connection is to be closed and what waits is not taken soon.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._written: list[bytes] = []
        self._sent = 0
        self._watch: asyncio.TimerHandle | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Send the data, soon."""
        if not self._written:
            self._loop.call_soon(self._send)
        self._written.append(data)

    def close(self) -> None:
        """Close the connection once all is sent."""
        self._send()
        self._transport.close()
        if self._transport.get_write_buffer_size():
            self._loop.call_later(CLOSE_SECONDS, self._transport.abort)

    def _send(self) -> None:
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
