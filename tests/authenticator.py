"""A device with passkeys, as far as the bank sees one (WebAuthn): 25 lines of a program in place of a fingerprint."""

import hashlib
import json
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field
from secrets import token_bytes
from typing import Any

import cbor2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

USER_PRESENT, USER_VERIFIED, HAS_KEY = 0x01, 0x04, 0x40
ORIGIN = "http://localhost:8000"


def text_of(data: bytes) -> str:
    """Return bytes as WebAuthn writes them in JSON."""
    return urlsafe_b64encode(data).decode().rstrip("=")


@dataclass
class Authenticator:
    """A device with one passkey.

    Attributes:
        origin: the page that it believes to be on.
        flags: what it says of its user.
        count: how often the passkey was used, if it counts.
        attests: whether it says, signed by a new passkey, of which make it is.
    """

    origin: str = ORIGIN
    flags: int = USER_PRESENT | USER_VERIFIED
    count: int = 0
    counts: bool = True
    attests: bool = False
    user_handle: str = ""
    credential_id: bytes = field(default_factory=lambda: token_bytes(16))
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    def make(self, options: str, **changes: Any) -> str:
        """Return what the device answers when it is to make a passkey."""
        asked = json.loads(options)
        self.user_handle = asked["user"]["id"]
        point = self.key.public_key().public_numbers()
        public = cbor2.dumps({1: 2, 3: -7, -1: 1, -2: point.x.to_bytes(32, "big"), -3: point.y.to_bytes(32, "big")})
        of_key = bytes(16) + len(self.credential_id).to_bytes(2, "big") + self.credential_id + public
        data = self._data(asked["rp"]["id"], HAS_KEY) + of_key
        client_data = self._client_data("webauthn.create", asked["challenge"])
        made: dict[str, Any] = {"fmt": "none", "attStmt": {}, "authData": data}
        if self.attests:
            made |= {"fmt": "packed", "attStmt": {"alg": -7, "sig": self._signed(data, client_data)}}
        attestation = cbor2.dumps(made)
        return self._credential(clientDataJSON=text_of(client_data), attestationObject=text_of(attestation), **changes)

    def use(self, options: str, **changes: Any) -> str:
        """Return what the device answers when it is to use its passkey."""
        asked = json.loads(options)
        self.count += self.counts
        data, client_data = self._data(asked["rpId"]), self._client_data("webauthn.get", asked["challenge"])
        given = {
            "clientDataJSON": text_of(client_data), "authenticatorData": text_of(data),
            "signature": text_of(self._signed(data, client_data)), "userHandle": self.user_handle,
        }  # fmt: skip
        return self._credential(**{**given, **changes})

    def _data(self, domain: str, more: int = 0) -> bytes:
        return hashlib.sha256(domain.encode()).digest() + bytes([self.flags | more]) + self.count.to_bytes(4, "big")

    def _signed(self, data: bytes, client_data: bytes) -> bytes:
        return self.key.sign(data + hashlib.sha256(client_data).digest(), ec.ECDSA(hashes.SHA256()))

    def _client_data(self, kind: str, challenge: str) -> bytes:
        return json.dumps({"type": kind, "challenge": challenge, "origin": self.origin, "crossOrigin": False}).encode()

    def _credential(self, **response: Any) -> str:
        named = text_of(self.credential_id)
        return json.dumps({"id": named, "rawId": named, "type": "public-key", "response": response})
