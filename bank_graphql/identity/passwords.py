"""Hashing of passwords: Argon2id through passlib's API, off the event loop, a bounded number at a time."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from passlib.hash import argon2

from bank_graphql.identity.rules import check_password, normalise_password
from bank_graphql.kit.errors import FieldProblem, Unavailable

MOST_WAITING = 100
"""Passwords that may wait for their turn; one more is refused, for it would wait for seconds."""
_LONGEST = 1024
"""Characters that are looked at of what is given as a password; no password has as many."""
T = TypeVar("T")
_ARGON2 = argon2.using(type="ID", memory_cost=19 * 1024, time_cost=2, parallelism=1)
"""19 MiB, two passes, one lane: the first choice of OWASP's password storage cheat sheet."""


class PasswordHasher:
    """Hashes and verifies passwords in a small pool of threads, so that log-ins cannot starve the bank."""

    def __init__(self, threads: int = 2) -> None:
        argon2.set_backend()  # or two threads that hash for the first time disturb each other while it is loaded
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="argon2")
        self._decoy: str | None = None
        self._waiting = 0

    async def hash(self, password: str) -> str:
        """Return the hash to store, of the password in its one form."""
        return await self._run(_ARGON2.hash, normalise_password(password))

    async def verify(self, password: str, stored: str | None) -> bool:
        """Return whether the password fits. For an unknown user (`stored` is None) it takes as long, and the answer is no."""
        if self._decoy is None:
            self._decoy = await self.hash("nobody's password")
        password = password[:_LONGEST]
        fits: bool = await self._run(_ARGON2.verify, normalise_password(password), stored or self._decoy)
        if not fits and normalise_password(password) != password:
            fits = await self._run(_ARGON2.verify, password, stored or self._decoy)  # hashed before passwords had one form
        return fits and stored is not None

    async def weakness(self, password: str, about: tuple[str, ...]) -> FieldProblem | None:
        """Return what is wrong with a new password, if anything; see `check_password`, which takes some milliseconds."""
        return await self._run(partial(check_password, normalise_password(password), about=about))

    def is_outdated(self, stored: str) -> bool:
        """Whether a stored hash is weaker than those made now."""
        return bool(_ARGON2.needs_update(stored))

    def close(self) -> None:
        """End the threads."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def _run(self, function: Callable[..., T], *arguments: str) -> T:
        if self._waiting >= MOST_WAITING:
            raise Unavailable("Too many sign-ins at a time: try again in a moment.")
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, function, *arguments)
        finally:
            self._waiting -= 1
