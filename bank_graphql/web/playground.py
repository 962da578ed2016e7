"""The pages for people: the landing page, and GraphiQL. npm builds them of `bank_graphql/playground`; they need no other host."""

from pathlib import Path
from typing import Any

from starlette.responses import HTMLResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Receive, Scope, Send

BUILT = Path(__file__).parent.parent / "playground" / "dist"
# Monaco, GraphiQL's editor, writes style elements of its own; everything else comes from here, as files.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; font-src 'self' data:; img-src 'self' data:; "
    "connect-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_MISSING = """<!doctype html><html lang="en"><meta charset="utf-8"><title>bank_graphql</title><body>
<h1>bank_graphql</h1><p>The bank runs, and its API is at <code>/graphql</code>. GraphiQL is not built yet: with npm installed, run
<code>make playground</code>, then load this page again.</p></body></html>"""


class Page:
    """One of the pages; without npm's files, a note that says how to get them. An ASGI application."""

    def __init__(self, name: str, folder: Path = BUILT) -> None:
        self._file = folder / name

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the page."""
        html = self._file.read_text(encoding="utf-8") if self._file.exists() else _MISSING
        await HTMLResponse(html, headers={"Content-Security-Policy": _POLICY})(scope, receive, send)


class Assets(StaticFiles):
    """What the pages load. The names change with the contents, so that browsers may keep them."""

    def __init__(self, folder: Path = BUILT) -> None:
        super().__init__(directory=folder / "assets", check_dir=False)

    def file_response(self, *arguments: Any, **more: Any) -> Response:
        """A file."""
        response = super().file_response(*arguments, **more)
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return response
