"""Guesses are delayed wherever they come from, and the legitimate user is not locked out."""

import pytest

from bank_graphql.kit.errors import RateLimited
from bank_graphql.kit.throttle import HALF_LIFE_SECONDS, AttemptThrottle
from tests.kit.clock import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def throttle(clock: Clock) -> AttemptThrottle:
    return AttemptThrottle(clock)


def guesses(throttle: AttemptThrottle, clock: Clock, seconds: float) -> int:
    """Return how many guesses run, each from another address, when each is made as soon as the last has run."""
    end, made = clock.now + seconds, 0
    while clock.now < end:
        wait = throttle.reserve_turn("ada", f"198.51.100.{made % 250}")
        clock.now += max(wait, 0.01)
        made += clock.now < end
    return made


def test_guesses_from_many_addresses_are_delayed_together(throttle: AttemptThrottle, clock: Clock) -> None:
    assert guesses(throttle, clock, 60) <= 15
    assert guesses(throttle, clock, 3600) <= 370


def test_guesses_made_at_once_are_queued_or_refused(throttle: AttemptThrottle) -> None:
    waits, refused = [], 0
    for number in range(400):
        try:
            waits.append(throttle.reserve_turn("ada", f"198.51.100.{number % 250}"))
        except RateLimited as error:
            refused += 1
            assert 1 <= error.retry_after <= 60
    assert waits[:5] == [0] * 5
    assert len(waits) < 15
    assert max(waits) <= 30
    assert refused == 400 - len(waits)


def test_delays_double_from_half_a_second_on(throttle: AttemptThrottle, clock: Clock) -> None:
    waits = []
    for _ in range(9):
        clock.now += 0.05
        waits.append(throttle.reserve_turn("ada", "198.51.100.1"))
        clock.now += waits[-1]
    assert waits[:5] == [0] * 5
    assert waits[5:] == pytest.approx([0.45, 0.95, 1.95, 3.95], abs=0.05)


def test_a_known_address_has_a_queue_of_its_own(throttle: AttemptThrottle, clock: Clock) -> None:
    throttle.reserve_turn("ada", "192.0.2.1")
    throttle.record_success("ada", "192.0.2.1")
    guesses(throttle, clock, 600)
    assert throttle.reserve_turn("ada", "192.0.2.1") == 0
    for _ in range(20):
        wait = throttle.reserve_turn("ada", "192.0.2.1")
        clock.now += wait
    assert wait == 10


def test_success_and_time_end_the_delay(throttle: AttemptThrottle, clock: Clock) -> None:
    for _ in range(8):
        clock.now += throttle.reserve_turn("ada", None)
    assert throttle.reserve_turn("ada", None) > 1
    assert throttle.reserve_turn("grace", None) == 0
    clock.now += 20 * HALF_LIFE_SECONDS
    assert [throttle.reserve_turn("ada", None) for _ in range(5)] == [0] * 5
    clock.now += throttle.reserve_turn("ada", None)
    throttle.record_success("ada", "192.0.2.9")
    assert [throttle.reserve_turn("ada", None) for _ in range(5)] == [0] * 5
