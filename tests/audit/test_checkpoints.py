"""Signed heads of the audit."""

import base64
import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from bank_graphql.audit.checkpoints import Checkpoint, CheckpointSigner, is_end_of_checkpoints

SIGNER = CheckpointSigner("bank.example", [b"one", b"older"])
CHECKPOINT = Checkpoint(20852, hashlib.sha256(b"head").digest())


def test_a_checkpoint_is_a_signed_note_that_others_can_check() -> None:
    """By C2SP's signed-note and tlog-checkpoint, from the published key alone."""
    name, key_id, encoded = SIGNER.verifier.split("+", 2)
    key = base64.b64decode(encoded)
    assert key[0] == 1
    assert key_id == hashlib.sha256(name.encode() + b"\n" + key).hexdigest()[:8]
    body, signature_line = SIGNER.sign(CHECKPOINT).split("\n\n")
    assert body.split("\n") == ["bank.example", "20852", base64.b64encode(CHECKPOINT.head).decode()]
    dash, signer, signature = signature_line.rstrip("\n").split(" ")
    assert (dash, signer) == ("\N{EM DASH}", "bank.example")
    raw = base64.b64decode(signature)
    assert raw[:4].hex() == key_id
    Ed25519PublicKey.from_public_bytes(key[1:]).verify(raw[4:], (body + "\n").encode())


def test_checkpoints_are_read_again_also_those_of_an_older_key() -> None:
    older = CheckpointSigner("bank.example", [b"older"]).sign(Checkpoint(1, bytes(32)))
    assert SIGNER.read(older + "\n" + SIGNER.sign(CHECKPOINT)) == [Checkpoint(1, bytes(32)), CHECKPOINT]
    assert SIGNER.read("") == []


@pytest.mark.parametrize(
    ("old", "new"), [("20852", "20853"), ("bank.example", "bank.example2"), ("\u2014", "-"), ("\n\n", "\n"), ("=\n\n", "\n\n")]
)
def test_what_was_changed_is_refused(old: str, new: str) -> None:
    with pytest.raises(ValueError, match=r"^(There is no whole checkpoint at line 1|The checkpoint at line 1 was not signed)"):
        SIGNER.read(SIGNER.sign(CHECKPOINT).replace(old, new))


def test_the_signature_of_another_bank_is_refused() -> None:
    with pytest.raises(ValueError, match="not signed by this bank"):
        SIGNER.read(CheckpointSigner("bank.example", [b"two"]).sign(CHECKPOINT))


def test_a_bank_that_has_moved_knows_its_checkpoints() -> None:
    moved = CheckpointSigner("new.example", [b"one"])
    assert moved.read(SIGNER.sign(CHECKPOINT)) == [CHECKPOINT]


def test_checkpoints_are_added_to_checkpoints_only() -> None:
    note = SIGNER.sign(CHECKPOINT)
    assert all(map(is_end_of_checkpoints, ("", "\n", note, note + "\n", f"{note}\n{note}\n")))
    assert not any(map(is_end_of_checkpoints, ("x", "# README\n\nText.", note + "x", "a\nb\nc\nd\ne")))
