"""Serve the pages: landing page, GraphiQL and the online bank. npm builds them; they load nothing from other hosts."""

import mimetypes
import os
from pathlib import Path

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Receive, Scope, Send

_PLAYGROUND = Path(__file__).parent.parent / "playground"
BUILT = _PLAYGROUND / "dist"
"""The landing page and GraphiQL, of `bank_graphql/playground`."""
ONLINE_BANK = _PLAYGROUND / "app"
"""The online bank, of `examples/web`."""
ONLINE_BANK_DOCUMENTS = ONLINE_BANK / "documents.json"
"""The manifest of its trusted documents."""
_ENCODINGS = {"br": ".br", "gzip": ".gz"}
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'{styles}; font-src 'self' data:; img-src 'self' data:; "
    "connect-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_MISSING = """<!doctype html><html lang="en"><meta charset="utf-8"><title>bank_graphql</title><body>
<h1>bank_graphql</h1><p>The bank runs, and its API is at <code>/graphql</code>. This page is not built yet: with npm installed,
run <code>make {command}</code>, then load it again.</p></body></html>"""


class Page:
    """One of the pages, as an ASGI application. If npm has not built it, a page that says how to.

    Args:
        name: the file's name.
        folder: where npm builds the files.
        command: the target of `make` that builds it.
        inserts_styles: whether it inserts style elements, as Monaco does, GraphiQL's editor.
    """

    def __init__(self, name: str, folder: Path = BUILT, *, command: str = "playground", inserts_styles: bool = True) -> None:
        self._file = folder / name
        self._missing = _MISSING.format(command=command)
        self._headers = {"Content-Security-Policy": _POLICY.format(styles=" 'unsafe-inline'" if inserts_styles else "")}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the page."""
        html = self._file.read_text(encoding="utf-8") if self._file.exists() else self._missing
        await HTMLResponse(html, headers=self._headers)(scope, receive, send)


async def add_slash(request: Request) -> Response:
    """Redirect to the same path with a slash, to which a page's relative addresses refer: from there, behind any proxy's path."""
    return Response(status_code=308, headers={"Location": request.url.path.rpartition("/")[2] + "/"})


class Assets(StaticFiles):
    """The files that the pages load. Their names change with their contents, so browsers may cache them for good.

    npm's build has compressed them already: a browser gets the smallest file that it can read.

    Args:
        folder: where npm builds the files.
    """

    def __init__(self, folder: Path = BUILT) -> None:
        super().__init__(directory=folder / "assets", check_dir=False)

    def file_response(
        self, full_path: str | os.PathLike[str], stat_result: os.stat_result, scope: Scope, status_code: int = 200
    ) -> Response:
        """Return the response with a file."""
        media_type, encoding = mimetypes.guess_type(full_path)[0], None
        for name in _accepted_encodings(Headers(scope=scope)):
            compressed = Path(f"{full_path}{_ENCODINGS[name]}")
            if compressed.exists():
                full_path, stat_result, encoding = compressed, compressed.stat(), name
                break
        response = super().file_response(full_path, stat_result, scope, status_code)
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        response.headers["Vary"] = "Accept-Encoding"
        if media_type is not None:
            response.headers["Content-Type"] = f"{media_type}; charset=utf-8" if media_type.startswith("text/") else media_type
        if encoding is not None and response.status_code == 200:
            response.headers["Content-Encoding"] = encoding
        return response


def _accepted_encodings(headers: Headers) -> list[str]:
    """Return which of our encodings a client accepts, the best first. A part of a file is never compressed."""
    if "range" in headers:
        return []
    parts = [part.replace(" ", "").partition(";") for part in headers.get("accept-encoding", "").lower().split(",")]
    accepted = {name for name, _, quality in parts if quality not in {"q=0", "q=0.0", "q=0.00", "q=0.000"}}
    return [name for name in _ENCODINGS if name in accepted]
