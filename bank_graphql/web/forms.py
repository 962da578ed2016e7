"""What clients of the authorization server send as forms, and what they are answered if they may not."""

from base64 import b64decode
from collections.abc import Mapping, Sequence
from urllib.parse import parse_qsl, unquote_plus

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from bank_graphql.oauth.clients import Credentials
from bank_graphql.oauth.errors import OAuthError

MAX_BODY = 16_384
NO_STORE = {"Cache-Control": "no-store", "Pragma": "no-cache"}


async def form_of(request: Request) -> dict[str, list[str]]:
    """Return the parameters in the body of a request.

    Raises:
        OAuthError: it is no form, or too long.
    """
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY:
            raise OAuthError("invalid_request", "The request is too long.", 413)
    try:
        pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=100)
    except ValueError as error:
        raise OAuthError("invalid_request", "The request is no form.") from error
    found: dict[str, list[str]] = {}
    for name, value in pairs:
        found.setdefault(name, []).append(value)
    if any("\0" in each for values in found.values() for each in values):
        raise OAuthError("invalid_request", "A parameter has a character that nothing can store.")
    return found


def once(pairs: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Return parameters that each occur once, without NUL. Raises OAuthError."""
    if any("\0" in value for _, value in pairs):
        raise OAuthError("invalid_request", "A parameter has a character that nothing can store.")
    if len({name for name, _ in pairs}) < len(pairs):
        raise OAuthError("invalid_request", "Each parameter occurs once.")
    return dict(pairs)


def required(form: Mapping[str, str], name: str) -> str:
    """Return a parameter that must be there. Raises OAuthError."""
    if name not in form:
        raise OAuthError("invalid_request", f"The parameter {name} is missing.")
    return form[name]


def challenge(error: str, status: int) -> Response:
    """Return the answer to a request whose token does not allow it (RFC 6750)."""
    return JSONResponse({"error": error}, status, {**NO_STORE, "WWW-Authenticate": f'Bearer error="{error}"'})


def credentials_of(request: Request, form: Mapping[str, str]) -> Credentials | None:
    """Return how a client authenticates itself: by the header, or in the form."""
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic":
        try:
            client_id, _, secret = b64decode(given, validate=True).decode("ascii").partition(":")
        except ValueError:
            return None
        if "client_secret" in form or form.get("client_id", client_id) != client_id:
            raise OAuthError("invalid_request", "A client authenticates itself in one way.")
        return Credentials(unquote_plus(client_id), unquote_plus(secret))
    return Credentials(form["client_id"], form.get("client_secret")) if "client_id" in form else None
