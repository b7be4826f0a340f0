"""Demand: the shapes of recent requests, and how often each came."""

import pytest

from accel.placement.demand import Demand
from accel.placement.scores import SIZES, sizes_of

ONE, EIGHT, NEVER = (("PGPU", 1),), (("PGPU", 8),), (("FPGA", 1),)


def test_what_came_more_often_has_the_larger_share() -> None:
    assert Demand.of({ONE: 3, EIGHT: 1, NEVER: 0}).shares == {ONE: 0.75, EIGHT: 0.25}


def test_sizes_count_over_all_classes() -> None:
    assert dict(sizes_of(Demand.of({ONE: 2, (("FPGA", 1), ("PGPU", 8)): 2}))) == pytest.approx({1: 0.65, 8: 0.35})


def test_all_sizes_count_alike_while_nothing_was_asked_for() -> None:
    assert sizes_of(Demand()) == SIZES
