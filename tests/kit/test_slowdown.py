"""Who guesses is slowed down, wherever the guesses come from; whom they are aimed at is not locked out."""

import pytest

from bank_graphql.kit.errors import RateLimited
from bank_graphql.kit.slowdown import FORGETTING_SECONDS, Slowdown


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def slowdown(clock: Clock) -> Slowdown:
    return Slowdown(clock)


def guesses(slowdown: Slowdown, clock: Clock, seconds: float) -> int:
    """How many guesses get through, each from an address of its own, where the next is made as soon as it may be."""
    end, made = clock.now + seconds, 0
    while clock.now < end:
        wait = slowdown.take_turn("ada", f"198.51.100.{made % 250}")
        clock.now += max(wait, 0.01)
        made += clock.now < end
    return made


def test_guesses_from_many_addresses_are_slowed_down_together(slowdown: Slowdown, clock: Clock) -> None:
    assert guesses(slowdown, clock, 60) <= 15
    assert guesses(slowdown, clock, 3600) <= 370


def test_guesses_all_at_once_have_their_turns_or_are_refused(slowdown: Slowdown) -> None:
    waits, refused = [], 0
    for number in range(400):
        try:
            waits.append(slowdown.take_turn("ada", f"198.51.100.{number % 250}"))
        except RateLimited as error:
            refused += 1
            assert 1 <= error.retry_after <= 60
    assert waits[:5] == [0] * 5
    assert len(waits) < 15
    assert max(waits) <= 30
    assert refused == 400 - len(waits)


def test_a_known_address_waits_in_a_line_of_its_own(slowdown: Slowdown, clock: Clock) -> None:
    slowdown.take_turn("ada", "192.0.2.1")
    slowdown.succeeded("ada", "192.0.2.1")
    guesses(slowdown, clock, 600)
    assert slowdown.take_turn("ada", "192.0.2.1") == 0
    for _ in range(20):
        wait = slowdown.take_turn("ada", "192.0.2.1")
        clock.now += wait
    assert wait == 10


def test_success_ends_the_delay_and_time_makes_it_less(slowdown: Slowdown, clock: Clock) -> None:
    for _ in range(8):
        clock.now += slowdown.take_turn("ada", None)
    assert slowdown.take_turn("ada", None) > 1
    assert slowdown.take_turn("grace", None) == 0
    clock.now += 20 * FORGETTING_SECONDS
    assert [slowdown.take_turn("ada", None) for _ in range(5)] == [0] * 5
    clock.now += slowdown.take_turn("ada", None)
    slowdown.succeeded("ada", "192.0.2.9")
    assert [slowdown.take_turn("ada", None) for _ in range(5)] == [0] * 5
