"""Signed heads of the audit, as text that can be kept elsewhere.

The format is that of C2SP's tlog-checkpoint in a signed note (https://c2sp.org/tlog-checkpoint, https://c2sp.org/signed-note):
the name of the log, the number of events, the head in base 64, an empty line, and a line with an Ed25519 signature. The head is
that of a chain, not of a Merkle tree.
"""

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

_ED25519 = b"\x01"
_LINES = 5


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The head of the audit after `size` events."""

    size: int
    head: bytes


class CheckpointSigner:
    """Signs checkpoints and checks them.

    Args:
        name: the name of the log: the bank's address without its scheme.
        keys: secrets of the bank, from which the signing keys are derived; the first signs, and all are accepted.
    """

    def __init__(self, name: str, keys: Sequence[bytes]) -> None:
        self._name = name
        self._keys = [
            Ed25519PrivateKey.from_private_bytes(HKDF(SHA256(), 32, None, b"bank audit checkpoints").derive(key)) for key in keys
        ]

    @property
    def verifier(self) -> str:
        """The public key as a note's verifier key, with which others can check checkpoints: `name+hash+key`."""
        public = _public(self._keys[0])
        return f"{self._name}+{_key_id(self._name, public).hex()}+{_base64(_ED25519 + public)}"

    def sign(self, checkpoint: Checkpoint) -> str:
        """Return a checkpoint as a signed note of five lines."""
        body = f"{self._name}\n{checkpoint.size}\n{_base64(checkpoint.head)}\n"
        key = self._keys[0]
        signature = _key_id(self._name, _public(key)) + key.sign(body.encode())
        return f"{body}\n\u2014 {self._name} {_base64(signature)}\n"

    def read(self, text: str) -> list[Checkpoint]:
        """Return the checkpoints in a text, which may have any number of them, one after another.

        Raises:
            ValueError: a part of it is no checkpoint that this bank signed. The message says which line it begins at.
        """
        lines = text.splitlines()
        found, position = [], 0
        while position < len(lines):
            if not lines[position]:
                position += 1
                continue
            found.append(self._checked(lines[position : position + _LINES], position + 1))
            position += _LINES
        return found

    def _checked(self, lines: Sequence[str], number: int) -> Checkpoint:
        try:
            name, size, head, empty, signed = lines
            dash, signer, signature = signed.split(" ")
            raw = base64.b64decode(signature, validate=True)
            checkpoint = Checkpoint(int(size), base64.b64decode(head, validate=True))
        except ValueError as error:
            raise ValueError(f"There is no whole checkpoint at line {number}.") from error
        body = f"{name}\n{size}\n{head}\n".encode()
        is_note = (signer, dash, empty) == (name, "\u2014", "")
        # Whatever its name is: the bank's address may have changed since.
        if not is_note or not any(_is_signed(name, key, body, raw) for key in self._keys):
            raise ValueError(f"The checkpoint at line {number} was not signed by this bank, or with a key that it no longer has.")
        return checkpoint


def is_end_of_checkpoints(text: str) -> bool:
    """Return whether checkpoints may be added to a text: it is empty, or ends with one."""
    lines = text.rstrip("\n").split("\n")[-_LINES:]
    is_checkpoint = len(lines) == _LINES and lines[1].isdecimal() and not lines[3] and lines[4].startswith(f"\u2014 {lines[0]} ")
    return not text.strip() or is_checkpoint


def _is_signed(name: str, key: Ed25519PrivateKey, body: bytes, signature: bytes) -> bool:
    if signature[:4] != _key_id(name, _public(key)):
        return False
    try:
        key.public_key().verify(signature[4:], body)
    except InvalidSignature:
        return False
    return True


def _key_id(name: str, public: bytes) -> bytes:
    return hashlib.sha256(f"{name}\n".encode() + _ED25519 + public).digest()[:4]


def _public(key: Ed25519PrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
