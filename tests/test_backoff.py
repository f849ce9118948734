"""Backoff: hand-worked bounds, and the jitter drawn from the whole of them."""

import random

import pytest

from fer_edge.backoff import Backoff


def test_bound_doubles_with_each_attempt_up_to_the_longest_wait() -> None:
    backoff = Backoff(0.5, 6.0, lambda: 1.0)
    assert [backoff.next_s() for _ in range(6)] == [0.5, 1.0, 2.0, 4.0, 6.0, 6.0]


def test_wait_is_drawn_from_nothing_to_the_whole_bound() -> None:
    draws = iter([0.0, 0.25, 0.5])
    backoff = Backoff(4.0, 60.0, lambda: next(draws))
    assert [backoff.next_s() for _ in range(3)] == [0.0, 2.0, 8.0]


def test_reset_begins_again_at_the_first_bound() -> None:
    backoff = Backoff(1.0, 60.0, lambda: 1.0)
    for _ in range(5):
        backoff.next_s()
    backoff.reset()
    assert backoff.next_s() == 1.0


def test_first_wait_keeps_to_a_shorter_longest_wait() -> None:
    assert Backoff(5.0, 2.0, lambda: 1.0).next_s() == 2.0


def test_no_number_of_attempts_overflows() -> None:
    backoff = Backoff(0.5, 30.0, lambda: 1.0)
    assert [backoff.next_s() for _ in range(5000)][-1] == 30.0


def test_two_devices_that_lost_the_same_thing_do_not_return_in_step() -> None:
    one, other = (Backoff(1.0, 30.0, random.Random(seed).random) for seed in (1, 2))
    waits = [(one.next_s(), other.next_s()) for _ in range(8)]
    assert all(a != pytest.approx(b, abs=0.01) for a, b in waits)
