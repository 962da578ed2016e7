"""GraphiQL, for people. The page is Strawberry's own; what it may load and run is held to what it names."""

import base64
import hashlib
import re
from urllib.parse import urlsplit

from starlette.responses import HTMLResponse
from starlette.types import Receive, Scope, Send
from strawberry.http.ides import get_graphql_ide_html


class Playground:
    """Serves the page, with a content security policy made of it: its own scripts by digest, its libraries by origin."""

    def __init__(self) -> None:
        self._html = get_graphql_ide_html().replace("{{ SUBSCRIPTION_ENABLED }}", "false")
        self._policy = _policy(self._html)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the page."""
        headers = {"Content-Security-Policy": self._policy, "Cross-Origin-Opener-Policy": "same-origin"}
        await HTMLResponse(self._html, headers=headers)(scope, receive, send)


def _policy(html: str) -> str:
    digests = " ".join(
        f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"
        for script in re.findall(r"<script>(.*?)</script>", html, re.DOTALL)
    )
    libraries = " ".join(sorted({_origin(url) for url in re.findall(r'(?:src|href)="(https://[^"]+)"', html)}))
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src {libraries} {digests}",
            f"style-src {libraries} 'unsafe-inline'",
            f"font-src {libraries} data:",
            "img-src 'self' data:",
            "connect-src 'self'",
            "worker-src blob:",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        )
    )


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
