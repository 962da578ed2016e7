"""A busy process is shared fairly; in an idle one, or as its only user, no user waits."""

import asyncio

import pytest

from bank_graphql.kit import fair_share
from bank_graphql.kit.fair_share import FairShare


class Machine:
    """A processor that does one thing at a time, with a clock of its own."""

    def __init__(self) -> None:
        self.now = 0.0
        self.worked = 0.0

    def work(self, seconds: float) -> None:
        self.now += seconds
        self.worked += seconds


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    made = Machine()

    async def sleep(seconds: float) -> None:
        made.now += seconds

    monkeypatch.setattr(asyncio, "sleep", sleep)
    return made


@pytest.fixture
def share(machine: Machine) -> FairShare:
    return FairShare(lambda: machine.now, lambda: machine.worked)


def seconds_taken(share: FairShare, machine: Machine, demands: dict[str, float], seconds: float) -> dict[str, float]:
    """Return the processor time that each user gets when all always want more. `demands` gives the seconds per request."""
    taken = dict.fromkeys(demands, 0.0)
    while machine.now < seconds:
        ready = [user for user in demands if not share.must_wait(user)]
        for user in ready:
            share.record(user, round(demands[user] * 100_000))
            machine.work(demands[user])
            taken[user] += demands[user]
        if not ready:
            machine.now += 0.02
    return taken


def test_a_user_of_expensive_requests_takes_less_than_half(share: FairShare, machine: Machine) -> None:
    # One request of the greedy user takes fifty times as long as one of each of the others, added up.
    others = {f"other {n}": 0.001 for n in range(8)}
    taken = seconds_taken(share, machine, {"greedy": 0.4, **others}, 60)
    assert taken["greedy"] < 0.5 * sum(taken.values())
    assert sum(taken.values()) > 0.9 * 60


def test_equal_users_get_equal_shares(share: FairShare, machine: Machine) -> None:
    taken = seconds_taken(share, machine, {"one": 0.01, "two": 0.01}, 30)
    assert sum(taken.values()) > 0.95 * 30
    assert 0.9 < taken["one"] / taken["two"] < 1.1


def test_the_only_user_takes_all(share: FairShare, machine: Machine) -> None:
    assert seconds_taken(share, machine, {"one": 0.3}, 30)["one"] >= 30


def test_no_user_waits_while_the_process_has_time(share: FairShare, machine: Machine) -> None:
    for _ in range(200):
        for user, cost in (("one", 5000), ("two", 1)):
            assert not share.must_wait(user)
            share.record(user, cost)
        machine.work(0.03)
        machine.now += 0.07


def test_the_wait_is_bounded(share: FairShare, machine: Machine) -> None:
    for _ in range(4):
        for user, cost in (("one", 100_000), ("two", 1)):
            share.must_wait(user)
            share.record(user, cost)
        machine.work(1.1)
    before = machine.now
    asyncio.run(share.wait("one"))
    assert 0 < machine.now - before <= fair_share.MAX_WAIT_SECONDS + 1
