"""Proofs that whoever sends a token holds the key that it is bound to (DPoP, RFC 9449)."""

import hashlib
from base64 import urlsafe_b64encode
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from cachetools import TTLCache
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey
from joserfc.jws import extract_compact

from bank_graphql.kit.clock import Clock

ALGORITHMS = ["ES256", "Ed25519"]
_MAX_AGE = 60
"""How old a proof may be, in seconds, and how far in the future."""
_MAX_CHARACTERS, _MAX_ID = 4096, 256
_MAX_PROOFS = 100_000


class Proof(NamedTuple):
    """A proof that is valid.

    Attributes:
        key_thumbprint: the thumbprint (RFC 7638) of the key that made it.
        once: names the proof among those that were used.
    """

    key_thumbprint: str
    once: bytes


class Proofs:
    """Checks proofs. Each is good for one use in this process, within a minute.

    Args:
        clock: gives the time.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._used: TTLCache[bytes, bool] = TTLCache(_MAX_PROOFS, 2 * _MAX_AGE)

    def check(self, proof: str, method: str, url: str, token: str | None = None) -> Proof | None:
        """Return a proof that is valid and was not used; None otherwise.

        Args:
            proof: the header `DPoP`.
            method: the method of the request.
            url: its address, without query.
            token: the access token that the request carries; None at the token endpoint.
        """
        if len(proof) > _MAX_CHARACTERS:
            return None
        try:
            key = _key_in(proof)
            decoded = jwt.decode(proof, key, algorithms=ALGORITHMS)
            if decoded.header.get("typ") != "dpop+jwt" or not self._fits(decoded.claims, method, url, token):
                return None
            thumbprint = key.thumbprint()
            once = hashlib.sha256(f"{thumbprint}/{decoded.claims['jti']}".encode()).digest()
        except (JoseError, ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
            return None
        return None if once in self._used else Proof(thumbprint, once)

    def use(self, proof: Proof) -> bool:
        """Use up a proof whose request is otherwise good, and return whether nobody did before."""
        if proof.once in self._used:
            return False
        self._used[proof.once] = True
        return True

    def _fits(self, claims: dict[str, Any], method: str, url: str, token: str | None) -> bool:
        issued, once, given = claims.get("iat"), claims.get("jti"), claims.get("htu")
        if not isinstance(issued, int) or abs(self._clock().timestamp() - issued) > _MAX_AGE:
            return False
        if not isinstance(once, str) or not 0 < len(once) <= _MAX_ID:
            return False
        if claims.get("htm") != method or not isinstance(given, str) or _plain(given) != _plain(url):
            return False
        return token is None or claims.get("ath") == hash_of(token)


def hash_of(token: str) -> str:
    """Return the claim `ath` of a token: its SHA-256."""
    return urlsafe_b64encode(hashlib.sha256(token.encode()).digest()).rstrip(b"=").decode()


def _key_in(proof: str) -> ECKey | OKPKey:
    """Return the public key in the header of a proof."""
    header = extract_compact(proof.encode()).headers()
    given = header["jwk"]
    if "d" in given:
        raise ValueError("a proof never carries a private key")
    return OKPKey.import_key(given) if given["kty"] == "OKP" else ECKey.import_key(given)


def _plain(url: str) -> tuple[str, str, str]:
    """Return an address as addresses are compared: without query and fragment."""
    parts = urlsplit(url)
    return parts.scheme.lower(), parts.netloc.lower(), parts.path
