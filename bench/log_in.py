"""Whether the time of a refused log-in tells anything: `python -m bench.log_in`.

It times refusals of several kinds, in a random order, and compares each kind with the first by Welch's t-test, without the slowest
tenth, as dudect does (Reparaz, Balasch and Verbauwhede, 2017). From |t| = 4.5 on, the times can be distinguished. Ends with 1 then.
"""

import asyncio
import random
import sys
import tempfile
from collections.abc import Awaitable, Callable
from math import sqrt
from pathlib import Path
from statistics import fmean, median, variance
from time import perf_counter
from typing import Annotated

import typer
from passlib.totp import TOTP

from bank_graphql.bank import Bank, open_bank
from bank_graphql.database import open_server
from bank_graphql.identity.enums import UserRole
from bank_graphql.identity.errors import CredentialsRefused
from bank_graphql.identity.service import LogInChallenge
from bank_graphql.kit import schema
from bank_graphql.kit.actor import Origin
from bank_graphql.settings import Settings

LIMIT = 4.5
PASSWORD = "a fine long passphrase"
Attempt = Callable[[], Awaitable[object]]


async def attempts_at(bank: Bank) -> dict[str, dict[str, Attempt]]:
    """Make users, and return the kinds of refusals that are to take equally long."""
    identity = bank.people.identity
    identity._password_throttle.reserve_turn = lambda *_: 0.0  # type: ignore[method-assign] # they are timed without the delays
    identity._code_throttle.reserve_turn = lambda *_: 0.0  # type: ignore[method-assign]
    for name in ("ada", "grace", "eve"):
        await identity.create_user(email=f"{name}@bank.test", password=PASSWORD, full_name=name.title(), role=UserRole.CUSTOMER)
    signed_in = await identity.log_in(email="grace@bank.test", password=PASSWORD, origin=Origin())
    assert not isinstance(signed_in, LogInChallenge)
    enrolment = await bank.people.credentials.enrol_totp(signed_in.actor, PASSWORD)
    await bank.people.credentials.confirm_totp(signed_in.actor, TOTP(key=enrolment.secret).generate().token)
    challenge = await identity.log_in(email="grace@bank.test", password=PASSWORD, origin=Origin())
    assert isinstance(challenge, LogInChallenge)

    def log_in(email: str) -> Attempt:
        return lambda: identity.log_in(email=email, password="not the passphrase", origin=Origin())

    def complete(code: str) -> Attempt:
        return lambda: identity.complete_log_in(challenge.token, code, Origin())

    return {
        "logIn": {
            "unknown address": log_in("nobody@bank.test"),
            "wrong password": log_in("ada@bank.test"),
            "wrong password, second factor": log_in("grace@bank.test"),
        },
        "completeLogIn": {
            "wrong one-time code": complete("000000"),
            "wrong recovery code": complete("AAAAA-AAAAA"),
        },
    }


async def time_of(attempt: Attempt) -> float:
    """Return how long a refusal takes, in milliseconds."""
    started = perf_counter()
    try:
        await attempt()
    except CredentialsRefused:
        return (perf_counter() - started) * 1000
    raise AssertionError("it was not refused")


def t_of(one: list[float], other: list[float]) -> float:
    """Return Welch's t of two samples, without the slowest tenth of each."""
    one, other = (sorted(each)[: len(each) * 9 // 10] for each in (one, other))
    return (fmean(one) - fmean(other)) / sqrt(variance(one) / len(one) + variance(other) / len(other))


async def measure(rounds: int) -> bool:
    """Time all kinds, print a table, and return whether no two can be distinguished."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o711)
        settings = Settings(data_dir=Path(name) / "bank", _env_file=None)  # type: ignore[call-arg]
        async with open_server(settings) as owner:
            await schema.migrate(owner)
        async with open_bank(settings) as bank:
            groups = await attempts_at(bank)
            times: dict[str, list[float]] = {kind: [] for kinds in groups.values() for kind in kinds}
            for _ in range(rounds):
                for kinds in groups.values():
                    for kind in random.sample(list(kinds), len(kinds)):
                        times[kind].append(await time_of(kinds[kind]))
    is_equal = True
    for group, kinds in groups.items():
        first = next(iter(kinds))
        for kind in kinds:
            t = t_of(times[first], times[kind])
            is_equal &= abs(t) < LIMIT
            print(f"{group:14} {kind:32} median {median(times[kind]):7.3f} ms   t {t:6.2f}")
    return is_equal


def main(rounds: Annotated[int, typer.Option(help="How many refusals of each kind are timed.")] = 500) -> None:
    """Compare the times of refused log-ins."""
    if not asyncio.run(measure(rounds)):
        sys.exit(f"bench: the times can be distinguished: |t| is {LIMIT} or more.")


if __name__ == "__main__":
    typer.run(main)
