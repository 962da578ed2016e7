"""A busy process is shared; one that is not, or has nobody else to serve, is not held back."""

import asyncio

import pytest

from bank_graphql.kit import fairness
from bank_graphql.kit.fairness import FairShare


class Machine:
    """A processor that works off one thing at a time, and its time."""

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

    monkeypatch.setattr(fairness.asyncio, "sleep", sleep)
    return made


@pytest.fixture
def share(machine: Machine) -> FairShare:
    return FairShare(lambda: machine.now, lambda: machine.worked)


def seconds_taken(share: FairShare, machine: Machine, demands: dict[str, float], seconds: float) -> dict[str, float]:
    """What each gets of the processor, where all always want more: `demands` says how long one request of each takes."""
    taken = dict.fromkeys(demands, 0.0)
    while machine.now < seconds:
        ready = [who for who in demands if not share.must_wait(who)]
        for who in ready:
            share.count(who, round(demands[who] * 100_000))
            machine.work(demands[who])
            taken[who] += demands[who]
        if not ready:
            machine.now += 0.02
    return taken


def test_two_connections_of_one_user_do_not_take_half(share: FairShare, machine: Machine) -> None:
    # One user's requests take fifty times as long as all others' together.
    others = {f"other {n}": 0.001 for n in range(8)}
    taken = seconds_taken(share, machine, {"greedy": 0.4, **others}, 60)
    assert taken["greedy"] < 0.5 * sum(taken.values())
    assert sum(taken.values()) > 0.9 * 60


def test_equal_users_get_equal_parts_of_all_there_is(share: FairShare, machine: Machine) -> None:
    taken = seconds_taken(share, machine, {"one": 0.01, "two": 0.01}, 30)
    assert sum(taken.values()) > 0.95 * 30
    assert 0.9 < taken["one"] / taken["two"] < 1.1


def test_who_is_alone_takes_all(share: FairShare, machine: Machine) -> None:
    assert seconds_taken(share, machine, {"one": 0.3}, 30)["one"] >= 30


def test_nobody_waits_while_there_is_time_left(share: FairShare, machine: Machine) -> None:
    for _ in range(200):
        for who, points in (("one", 5000), ("two", 1)):
            assert not share.must_wait(who)
            share.count(who, points)
        machine.work(0.03)
        machine.now += 0.07


def test_nobody_waits_for_good(share: FairShare, machine: Machine) -> None:
    for _ in range(4):
        for who, points in (("one", 100_000), ("two", 1)):
            share.must_wait(who)
            share.count(who, points)
        machine.work(1.1)
    before = machine.now
    asyncio.run(share.wait("one"))
    assert 0 < machine.now - before <= fairness.PATIENCE_SECONDS + 1
