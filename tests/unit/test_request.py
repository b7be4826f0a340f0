"""What can become of an accelerator request, and how many a profile makes."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from accel.model.request import (
    HOLDING,
    RESOLVED,
    TRANSITIONS,
    WORKING,
    Act,
    RequestState,
    Wanted,
    accelerators_of,
    amounts_of,
)

RESTING = [state for state in RequestState if state not in WORKING]
PAGE = " ".join((Path(__file__).parents[2] / "docs" / "requests.rst").read_text().split())


def after(state: RequestState) -> Iterator[RequestState | None]:
    """The states that follow."""
    return (transition.after for transition in TRANSITIONS.values() if state in transition.before)


def reachable(state: RequestState) -> set[RequestState | None]:
    """All that can become of a request."""
    known: set[RequestState | None] = set()
    new: set[RequestState | None] = {state}
    while new:
        known |= new
        new = {follower for one in new if one is not None for follower in after(one)} - known
    return known


@pytest.mark.parametrize("state", RequestState)
def test_each_state_can_be_reached_and_from_each_a_request_can_be_deleted(state: RequestState) -> None:
    assert state in reachable(RequestState.INITIAL)
    assert None in reachable(state)


@pytest.mark.parametrize("state", [state for state in RequestState if state != RequestState.DELETING])
def test_unless_it_is_being_deleted_a_request_can_be_bound_sooner_or_later(state: RequestState) -> None:
    assert RequestState.BOUND in reachable(state)


@pytest.mark.parametrize("state", sorted(WORKING))
def test_each_state_of_work_ends_by_an_act_of_its_own_in_a_state_of_rest(state: RequestState) -> None:
    ends = [transition.after for transition in TRANSITIONS.values() if transition.before == {state}]
    assert ends
    assert not WORKING & set(ends)


@pytest.mark.parametrize("state", RESTING)
def test_what_rests_can_be_deleted_at_once_or_after_work(state: RequestState) -> None:
    assert {None, RequestState.DELETING} & set(after(state))


@pytest.mark.parametrize("act", Act)
def test_each_act_is_in_the_list_with_a_meaning_of_its_own(act: Act) -> None:
    assert TRANSITIONS[act].before
    assert TRANSITIONS[act].meaning


def test_no_act_leads_back_to_the_beginning() -> None:
    assert RequestState.INITIAL not in {transition.after for transition in TRANSITIONS.values()}


def test_what_nova_waits_for_no_longer_is_bound_failed_or_going() -> None:
    assert {"Bound", "BindFailed", "Deleting"} == RESOLVED


def test_whoever_is_at_work_has_the_handle() -> None:
    assert WORKING | {RequestState.BOUND} == HOLDING


@pytest.mark.parametrize(
    ("states", "text"),
    [
        (HOLDING, "A request in {} holds exactly one attach handle"),
        (WORKING, "{} are states of work on the node"),
    ],
)
def test_the_documentation_names_the_states_that_hold_and_those_that_work(
    states: frozenset[RequestState], text: str
) -> None:
    pattern = re.escape(text).replace(r"\{\}", r"((?:``\w+``(?:, | or | and )?)+)")
    found = re.search(pattern, PAGE)
    assert found is not None
    assert set(re.findall(r"``(\w+)``", found[1])) == states


def test_a_profile_makes_a_request_for_each_accelerator_of_each_group_in_order() -> None:
    groups = ({"resources:FPGA": "2"}, {"trait:CUSTOM_FAKE": "required", "resources:PGPU": "1"})
    assert list(accelerators_of(groups)) == [Wanted(0, "FPGA"), Wanted(0, "FPGA"), Wanted(1, "PGPU")]


def test_a_group_may_ask_for_accelerators_of_several_classes() -> None:
    assert amounts_of({"resources:FPGA": "1", "resources:CUSTOM_X": "3"}) == {"FPGA": 1, "CUSTOM_X": 3}


def test_of_a_board_with_two_functions_each_fpga_counts_twice_and_nothing_else_does() -> None:
    group = {"trait:CUSTOM_FPGA_XILINX": "required", "resources:FPGA": "2", "resources:PGPU": "1"}
    assert amounts_of(group) == {"FPGA": 4, "PGPU": 1}


@pytest.mark.parametrize("trait", ["trait:CUSTOM_FPGA_INTEL", "trait:CUSTOM_FPGA_XILINX_OLD"])
def test_other_boards_count_once(trait: str) -> None:
    assert amounts_of({trait: "required", "resources:FPGA": "1"}) == {"FPGA": 1}


def test_a_board_that_must_not_have_two_functions_counts_once() -> None:
    assert amounts_of({"trait:CUSTOM_FPGA_XILINX": "forbidden", "resources:FPGA": "1"}) == {"FPGA": 1}


@pytest.mark.parametrize("amount", ["0", "-1"])
def test_an_amount_of_nothing_or_less_asks_for_nothing(amount: str) -> None:
    assert list(accelerators_of(({"resources:FPGA": amount}, {"resources:PGPU": "1"}))) == [Wanted(1, "PGPU")]
