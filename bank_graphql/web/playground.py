"""Serve the landing page and GraphiQL. npm builds them from `bank_graphql/playground`; they load nothing from other hosts."""

import os
from pathlib import Path

from starlette.responses import HTMLResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Receive, Scope, Send

BUILT = Path(__file__).parent.parent / "playground" / "dist"
# Monaco, GraphiQL's editor, inserts style elements. Everything else is a file of this host.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; font-src 'self' data:; img-src 'self' data:; "
    "connect-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_MISSING = """<!doctype html><html lang="en"><meta charset="utf-8"><title>bank_graphql</title><body>
<h1>bank_graphql</h1><p>The bank runs, and its API is at <code>/graphql</code>. GraphiQL is not built yet: with npm installed, run
<code>make playground</code>, then load this page again.</p></body></html>"""


class Page:
    """One of the pages, as an ASGI application. If npm has not built it, a page that says how to.

    Args:
        name: the file's name.
        folder: where npm builds the files.
    """

    def __init__(self, name: str, folder: Path = BUILT) -> None:
        self._file = folder / name

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the page."""
        html = self._file.read_text(encoding="utf-8") if self._file.exists() else _MISSING
        await HTMLResponse(html, headers={"Content-Security-Policy": _POLICY})(scope, receive, send)


class Assets(StaticFiles):
    """The files that the pages load. Their names change with their contents, so browsers may cache them for good.

    Args:
        folder: where npm builds the files.
    """

    def __init__(self, folder: Path = BUILT) -> None:
        super().__init__(directory=folder / "assets", check_dir=False)

    def file_response(
        self, full_path: str | os.PathLike[str], stat_result: os.stat_result, scope: Scope, status_code: int = 200
    ) -> Response:
        """Return the response with a file."""
        response = super().file_response(full_path, stat_result, scope, status_code)
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return response
