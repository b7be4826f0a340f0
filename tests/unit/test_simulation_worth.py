"""What the rest of a device is worth: prices that no filling of a device exceeds."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accel.placement.simulation.worth import worth_of_rests

frequencies = st.dictionaries(st.integers(1, 100).map(lambda step: step * 10), st.integers(1, 100), max_size=8)


def bins_by_first_fit(needed: dict[int, int]) -> int:
    rests: list[int] = []
    for share in sorted(needed, reverse=True):
        for _ in range(needed[share]):
            found = next((number for number, rest in enumerate(rests) if rest >= share), None)
            if found is None:
                rests.append(1000)
                found = -1
            rests[found] -= share
    return len(rests)


def test_with_whole_devices_only_a_rest_is_worth_nothing() -> None:
    worth = worth_of_rests({1000: 5})
    assert worth[1000] == 1000
    assert not worth[:1000].any()


def test_halves_are_worth_halves() -> None:
    worth = worth_of_rests({500: 1})
    assert (worth[499], worth[500], worth[999], worth[1000]) == (0, 500, 500, 1000)


def test_shares_that_fit_into_what_frequent_ones_leave_are_worth_nothing() -> None:
    worth = worth_of_rests({810: 100, 160: 5})
    assert worth[190] == 0
    assert worth[810] == 1000


def test_scarce_small_shares_are_the_dear_ones_where_they_are_frequent() -> None:
    worth = worth_of_rests({810: 5, 160: 1000})
    assert worth[190] == pytest.approx(1000 / 6)
    assert worth[810] == pytest.approx(5000 / 6)


@settings(deadline=None)
@given(frequencies)
def test_a_larger_rest_is_worth_no_less_and_two_no_more_than_the_device_they_make(needed: dict[int, int]) -> None:
    worth = worth_of_rests(needed)
    assert all(less <= more + 1e-6 for less, more in itertools.pairwise(worth))
    assert (worth[0], worth[1000]) == (0, 1000)
    assert all(worth[rest] + worth[1000 - rest] <= 1000 + 1e-6 for rest in range(1000))


@settings(deadline=None)
@given(frequencies.filter(bool))
def test_all_shares_together_cost_between_their_size_and_the_devices_of_a_simple_packing(
    needed: dict[int, int],
) -> None:
    worth = worth_of_rests(needed)
    cost = sum(count * worth[share] for share, count in needed.items())
    assert sum(share * count for share, count in needed.items()) <= cost + 1e-3 * cost
    assert cost <= 1000 * bins_by_first_fit(needed) + 1e-6
