"""One-time codes by time (TOTP, RFC 6238): six digits, a new code each 30 seconds, SHA-1, as authenticator apps expect."""

import io
import secrets
from datetime import datetime

import segno
from passlib.exc import TokenError
from passlib.totp import TOTP

SECRET_BYTES = 20
"""RFC 4226 recommends a secret as long as the output of the HMAC."""
STEP_SECONDS = 30
WINDOW_SECONDS = 30
"""A code is accepted one step early and one step late, because clocks differ and people type slowly."""


def new_secret() -> bytes:
    """Return a new random secret."""
    return secrets.token_bytes(SECRET_BYTES)


def step_of(secret: bytes, code: str, now: datetime, *, after_step: int) -> int | None:
    """Return the time step that a code belongs to, or None if it is not accepted now.

    Args:
        secret: the user's secret.
        code: six digits; spaces are ignored.
        now: the real time.
        after_step: the last step of which a code was spent. Codes of this step and of earlier ones are not accepted.
    """
    try:
        match = _totp(secret).match(code, time=int(now.timestamp()), window=WINDOW_SECONDS, last_counter=after_step)
    except (TokenError, ValueError):
        return None
    step: int = match.counter
    return step


def base32_of(secret: bytes) -> str:
    """Return a secret as people type it into an app."""
    return str(_totp(secret).base32_key)


def url_of(secret: bytes, issuer: str, email: str) -> str:
    """Return the `otpauth` URL of a secret, which an app reads from a QR code. The issuer and the address are shown there."""
    return str(_totp(secret).to_uri(label=email.replace(":", ""), issuer=issuer.replace(":", "")))


def qr_svg_of(url: str) -> str:
    """Return a QR code of a URL as an SVG document, which scales to any size."""
    drawn = io.BytesIO()
    segno.make(url, error="m").save(drawn, kind="svg", xmldecl=False, omitsize=True, border=4, light="white")
    return drawn.getvalue().decode().strip()


def _totp(secret: bytes) -> TOTP:
    return TOTP(key=secret, format="raw", period=STEP_SECONDS)
