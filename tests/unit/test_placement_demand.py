"""Demand: the shapes of recent requests, and what is of no use to them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accel.placement.demand import ANY_CLASS, Demand, RecentDemand, shapes
from accel.placement.wanted import DIFFERENT_NODE, Together, Wanted, WantedGroup

ONE, EIGHT = (("PGPU", 1),), (("PGPU", 8),)
SHAPES = st.dictionaries(st.sampled_from(["PGPU", "FPGA", ANY_CLASS]), st.integers(1, 8), min_size=1, max_size=3).map(
    lambda counts: tuple(sorted(counts.items()))
)
FREE = st.dictionaries(st.sampled_from(["PGPU", "FPGA"]), st.integers(0, 8))


def test_nothing_is_fragmented_while_nothing_is_asked_for() -> None:
    assert Demand().fragmented({"PGPU": 8}) == 0


def test_what_a_request_that_does_not_fit_leaves_is_of_no_use_to_it() -> None:
    demand = Demand.of({ONE: 3, EIGHT: 1})
    assert demand.fragmented({"PGPU": 8}) == 0
    assert demand.fragmented({"PGPU": 7}) == pytest.approx(7 / 4)


def test_taking_from_a_broken_node_mends_and_from_a_whole_one_breaks() -> None:
    demand = Demand.of({ONE: 3, EIGHT: 1})
    assert demand.growth({"PGPU": 8}, {"PGPU": 1}) > 0
    assert demand.growth({"PGPU": 7}, {"PGPU": 1}) < 0
    assert demand.growth({"PGPU": 8}, {"PGPU": 8}) == 0


def test_what_nobody_asks_for_is_not_fragmented() -> None:
    assert Demand.of({EIGHT: 1}).fragmented({"PGPU": 8, "FPGA": 3}) == 0
    assert Demand.of({EIGHT: 1}).fragmented({"FPGA": 3}) == 0


def test_a_class_that_does_not_matter_takes_whatever_others_leave() -> None:
    demand = Demand.of({((ANY_CLASS, 2), ("PGPU", 2)): 1})
    assert demand.fragmented({"PGPU": 2, "FPGA": 2}) == 0
    assert demand.fragmented({"PGPU": 3, "FPGA": 0}) == 3
    assert demand.fragmented({"PGPU": 1, "FPGA": 3}) == 4


@given(st.dictionaries(SHAPES, st.integers(1, 9), max_size=5), FREE)
def test_no_more_is_fragmented_than_is_free(seen: dict[tuple[tuple[str, int], ...], int], free: dict[str, int]) -> None:
    assert 0 <= Demand.of(seen).fragmented(free) <= sum(free.values()) + 1e-9


@given(st.lists(SHAPES, max_size=30), st.integers(1, 8))
def test_only_the_last_requests_are_remembered(came: list[tuple[tuple[str, int], ...]], kept: int) -> None:
    recent = RecentDemand(kept=kept)
    recent.add(came)
    last = came[-kept:]
    assert recent.demand == Demand.of({shape: last.count(shape) for shape in last})


def test_a_question_has_a_shape_for_each_node_that_it_takes_something_of() -> None:
    gpus = WantedGroup(count=4, resource_class="PGPU")
    more = WantedGroup(count=2, resource_class="PGPU")
    other = WantedGroup(count=1)
    assert shapes(Wanted(groups=(gpus, more, other))) == [((ANY_CLASS, 1), ("PGPU", 6))]
    assert shapes(Wanted(groups=(gpus,), nodes=2)) == [(("PGPU", 4),)] * 2
    apart = Wanted(groups=(gpus, other), together=(Together(groups=(0, 1), near=DIFFERENT_NODE),))
    assert sorted(shapes(apart)) == [((ANY_CLASS, 1),), (("PGPU", 4),)]
