"""Hashing of passwords."""

import asyncio
import subprocess
import sys

import pytest
from passlib.hash import argon2

from bank_graphql.identity import passwords
from bank_graphql.identity.passwords import PasswordHasher
from bank_graphql.kit.errors import Unavailable


async def test_hashes_are_argon2id_with_the_parameters_of_owasp() -> None:
    hasher = PasswordHasher()
    stored = await hasher.hash("correct horse")
    assert stored.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert await hasher.verify("correct horse", stored)
    assert not await hasher.verify("wrong horse", stored)
    assert not hasher.is_outdated(stored)
    hasher.close()


async def test_every_character_of_a_long_password_matters() -> None:
    hasher = PasswordHasher()
    stored = await hasher.hash("x" * 256)
    assert not await hasher.verify("x" * 255, stored)
    hasher.close()


async def test_a_hash_with_weaker_parameters_is_outdated() -> None:
    hasher = PasswordHasher()
    assert hasher.is_outdated(argon2.using(memory_cost=1024, time_cost=1).hash("x"))
    hasher.close()


async def test_a_hash_of_a_password_that_was_not_normalised_matches() -> None:
    hasher = PasswordHasher(memory_kib=8, passes=1)
    decomposed = "cafe\N{COMBINING ACUTE ACCENT} au lait"
    stored = hasher._argon2.hash(decomposed)
    assert await hasher.verify(decomposed, stored)
    assert not await hasher.verify(decomposed + "!", stored)
    hasher.close()


async def test_passwords_beyond_the_queue_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "MAX_WAITING", 2)
    hasher = PasswordHasher(memory_kib=8, passes=1)
    results = await asyncio.gather(*(hasher.hash("correct horse") for _ in range(3)), return_exceptions=True)
    assert [isinstance(result, Unavailable) for result in results] == [False, False, True]
    assert await hasher.hash("correct horse")
    hasher.close()


async def test_an_unknown_user_takes_as_long_as_a_known_one(monkeypatch: pytest.MonkeyPatch) -> None:
    hasher = PasswordHasher()
    verified = []
    run = hasher._run

    async def recorded(function, *arguments):  # type: ignore[no-untyped-def]
        verified.append(function.__name__)
        return await run(function, *arguments)

    monkeypatch.setattr(hasher, "_run", recorded)
    assert not await hasher.verify("nobody's password", None)
    assert verified == ["hash", "verify"]
    assert not await hasher.verify("nobody's password", None)
    assert verified == ["hash", "verify", "verify"]
    hasher.close()


def test_a_new_hasher_has_loaded_argon2() -> None:
    # passlib loads Argon2 with the first hash. Two threads that do so at once fail: "failed to replace lazy loader".
    code = """
import asyncio
from passlib.hash import argon2
from bank_graphql.identity.passwords import PasswordHasher

hasher = PasswordHasher()
argon2.set_backend = None
asyncio.run(hasher.hash("correct horse"))
hasher.close()
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
