"""Hash and verify passwords: Argon2id through passlib's API, in a few threads, with a bounded queue."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from passlib.hash import argon2

from bank_graphql.identity.rules import check_password, normalise_password
from bank_graphql.kit.errors import FieldProblem, Unavailable

MAX_WAITING = 100
"""The maximum number of passwords that are queued. One more is refused, because it would wait for seconds."""
_MAX_CHARACTERS = 1024
"""The characters of a given password that are verified. No stored password has as many."""
T = TypeVar("T")


class PasswordHasher:
    """Hashes and verifies passwords in a small pool of threads, so that many log-ins at once do not slow other requests down.

    Args:
        threads: how many passwords are hashed at the same time.
        memory_kib, passes: what a hash costs, in one lane. 19 MiB and two passes are the first choice of OWASP's password storage
            cheat sheet.
    """

    def __init__(self, threads: int = 2, *, memory_kib: int = 19 * 1024, passes: int = 2) -> None:
        argon2.set_backend()  # it is loaded with the first hash, and fails to load if two threads hash at once then
        self._argon2 = argon2.using(type="ID", memory_cost=memory_kib, time_cost=passes, parallelism=1)
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="argon2")
        self._decoy: str | None = None
        self._waiting = 0

    async def hash(self, password: str) -> str:
        """Return the hash of the normalised password."""
        return await self._run(self._argon2.hash, normalise_password(password))

    async def verify(self, password: str, stored: str | None) -> bool:
        """Return whether the password matches a stored hash.

        Without a stored hash, for an unknown user, this takes as long and returns False.
        """
        if self._decoy is None:
            self._decoy = await self.hash("nobody's password")
        password = password[:_MAX_CHARACTERS]
        matches: bool = await self._run(self._argon2.verify, normalise_password(password), stored or self._decoy)
        if not matches and normalise_password(password) != password:
            matches = await self._run(
                self._argon2.verify, password, stored or self._decoy
            )  # hashed before passwords were normalised
        return matches and stored is not None

    async def check(self, password: str, user_inputs: tuple[str, ...]) -> FieldProblem | None:
        """Return what is wrong with a new password, or None. It runs `check_password`, which takes some milliseconds."""
        return await self._run(partial(check_password, normalise_password(password), user_inputs=user_inputs))

    def is_outdated(self, stored: str) -> bool:
        """Return whether a stored hash is weaker than a new one."""
        return bool(self._argon2.needs_update(stored))

    def close(self) -> None:
        """Stop the threads."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def _run(self, function: Callable[..., T], *arguments: str) -> T:
        if self._waiting >= MAX_WAITING:
            raise Unavailable("Too many sign-ins at a time: try again in a moment.")
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, function, *arguments)
        finally:
            self._waiting -= 1
