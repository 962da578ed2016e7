"""Signed heads of the audit, as text that can be kept elsewhere.

The format is that of C2SP's tlog-checkpoint in a signed note (https://c2sp.org/tlog-checkpoint, https://c2sp.org/signed-note):
the name of the log, the number of events, the head in base 64, an empty line, and a line with an Ed25519 signature. The head is
that of a chain, not of a Merkle tree.
"""

import base64
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

_ED25519 = b"\x01"
_BASE64 = "(?:[A-Za-z0-9+/]{4})+(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?"
_NOTE = re.compile(
    rf"^(?P<body>(?P<name>[^\n +]+)\n(?P<size>[0-9]{{1,18}})\n(?P<head>{_BASE64})\n)\n\u2014 (?P=name) (?P<signature>{_BASE64})$",
    re.MULTILINE,
)
"""A signed note of five lines."""


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

    def read(self, text: str) -> tuple[list[Checkpoint], str | None]:
        """Return the checkpoints in a text, which may have any number of them one after another, and the first problem of it.

        What is no checkpoint that this bank has signed is left out.
        """
        found, problems, end = [], [], 0
        for note in _NOTE.finditer(text):
            problems += _strayed(text, end, note.start())
            if self._is_ours(note):
                found.append(Checkpoint(int(note["size"]), base64.b64decode(note["head"])))
            else:
                line = _line(text, note.start())
                problems.append(f"the checkpoint at line {line} was not signed by this bank, or with a key that it no longer has")
            end = note.end()
        problems += _strayed(text, end, len(text))
        return found, problems[0] if problems else None

    def _is_ours(self, note: re.Match[str]) -> bool:
        """Return whether one of the keys has signed a note, whatever its name is: the bank's address may have changed since."""
        name, body, signature = note["name"], note["body"].encode(), base64.b64decode(note["signature"])
        return any(_is_signed(name, key, body, signature) for key in self._keys)


def is_end_of_checkpoints(text: str) -> bool:
    """Return whether checkpoints may be added to a text: it is empty, or ends with one."""
    end = 0
    for note in _NOTE.finditer(text):
        end = note.end()
    return not text[end:].strip()


def _strayed(text: str, start: int, end: int) -> list[str]:
    """Return what is wrong with the text between two checkpoints."""
    between = text[start:end]
    first = start + len(between) - len(between.lstrip())
    return [f"there is no whole checkpoint at line {_line(text, first)}"] if between.strip() else []


def _line(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1


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
