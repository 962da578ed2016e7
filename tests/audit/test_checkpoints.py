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
    assert SIGNER.read(older + "\n" + SIGNER.sign(CHECKPOINT)) == ([Checkpoint(1, bytes(32)), CHECKPOINT], None)
    assert SIGNER.read("") == ([], None)


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("20852", "20853", "not signed"),
        ("bank.example", "bank.example2", "not signed"),
        ("\u2014", "-", "no whole checkpoint at line 7"),
        ("\n\n", "\n", "no whole checkpoint at line 7"),
        ("=\n\n", "\n\n", "no whole checkpoint at line 7"),
    ],
)
def test_what_was_changed_is_reported_and_the_rest_is_read(old: str, new: str, problem: str) -> None:
    good, bad = SIGNER.sign(Checkpoint(1, bytes(32))), SIGNER.sign(CHECKPOINT).replace(old, new)
    last = SIGNER.sign(Checkpoint(3, bytes(32)))
    found, reported = SIGNER.read(f"{good}\n{bad}\n{last}")
    assert [each.size for each in found] == [1, 3]
    assert problem in (reported or "")


def test_the_signature_of_another_bank_is_refused() -> None:
    found, problem = SIGNER.read(CheckpointSigner("bank.example", [b"two"]).sign(CHECKPOINT))
    assert found == []
    assert problem == "the checkpoint at line 1 was not signed by this bank, or with a key that it no longer has"


def test_a_bank_that_has_moved_knows_its_checkpoints() -> None:
    moved = CheckpointSigner("new.example", [b"one"])
    assert moved.read(SIGNER.sign(CHECKPOINT)) == ([CHECKPOINT], None)


def test_checkpoints_are_added_to_checkpoints_only() -> None:
    note = SIGNER.sign(CHECKPOINT)
    assert all(map(is_end_of_checkpoints, ("", "\n", note, note + "\n", f"{note}\n{note}\n")))
    assert not any(map(is_end_of_checkpoints, ("x", "# README\n\nText.", note + "x", "a\nb\nc\nd\ne")))
