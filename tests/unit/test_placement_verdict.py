"""What is found about nodes that somebody else has chosen."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.placement import card, gpu, gpus, linked, node, unit, with_slices

from accel.placement.fleet import Fleet
from accel.placement.reading import of_body, of_profile
from accel.placement.scores import DEFAULT, Policy
from accel.placement.search import candidates
from accel.placement.snapshot import Host, Obstacle
from accel.placement.verdict import UNKNOWN_NODE, Verdict, judge
from accel.placement.wanted import Wanted


def wanted(count: int = 1, *where: str, near: str = "node") -> Wanted:
    return of_body({"groups": [{"count": count, "where": ["type = GPU", *where], "near": near}]})


def verdict(question: Wanted, host: Host, policy: Policy = DEFAULT) -> Verdict:
    return judge(question, Fleet.of([host]), [host.name], policy)[host.name]


def test_a_node_fits_with_the_score_of_its_best_candidate() -> None:
    fleet = Fleet.of([node("a", *gpus("a", "..x.")), node("b", *gpus("b", "...."))])

    found = judge(wanted(2), fleet, ["a", "b"], DEFAULT)

    assert all(one.fits for one in found.values())
    assert {name: one.score for name, one in found.items()} == {
        one.nodes[0]: one.score for one in candidates(wanted(2), fleet)
    }


def test_nodes_are_judged_whether_they_are_there_or_not_and_others_are_left_out() -> None:
    fleet = Fleet.of([node("a", *gpus("a", ".")), node("b", *gpus("b", "."))])

    found = judge(wanted(), fleet, ["a", "nosuch"], DEFAULT)

    assert list(found) == ["a", "nosuch"]
    assert found["nosuch"] == UNKNOWN_NODE
    assert not found["nosuch"].fits


OFFLINE = node("a", *gpus("a", "...."), is_online=False)
DISABLED = node("a", gpu("a.0"), gpu("a.1", obstacle=Obstacle.DISABLED), gpu("a.2", obstacle=Obstacle.DISABLED))
CUT = node("a", card("a.0", unit("a.0", free=0)), with_slices("a.1", ".."))
HALVES = node("a", *linked(gpus("a", "...."), (0, 1), (2, 3)))
APART = node("a", *linked(gpus("a", ".xx."), (0, 1), (2, 3)))


@pytest.mark.parametrize(
    ("question", "host", "reason", "may_change"),
    [
        (wanted(), OFFLINE, "is offline", False),
        (wanted(), node("a"), "has no devices", False),
        (wanted(5), node("a", *gpus("a", "....")), "has 4 of the 5 GPU that are wanted", False),
        (wanted(3), node("a", *gpus("a", ".xx.")), "has 2 free of the 3 GPU that are wanted", True),
        (wanted(), node("a", *gpus("a", "xx")), "has no free GPU", True),
        (wanted(2), DISABLED, "has 1 usable of the 2 GPU that are wanted: 2 disabled", False),
        (
            wanted(),
            node("a", gpu("a", obstacle=Obstacle.UNKNOWN_HEALTH)),
            "has no usable GPU: 1 health unknown",
            False,
        ),
        (wanted(1, "kind = card"), CUT, "has no GPU to give", False),
        (
            wanted(1, "model ~ B200"),
            node("a", *gpus("a", ".")),
            "has no device that will do: the nearest has model H100",
            False,
        ),
        (
            of_body({"groups": [{"resources": {"FPGA": 1}}]}),
            node("a", *gpus("a", ".")),
            "has no device that will do: the nearest is PGPU, not FPGA",
            False,
        ),
        (
            of_profile(({"resources:PGPU": "1", "trait:CUSTOM_FAST": "required"},)),
            node("a", *gpus("a", ".")),
            "has no device that will do: the nearest lacks CUSTOM_FAST",
            False,
        ),
        (wanted(4, near="linked"), HALVES, "has enough free GPU, and not 4 all linked to one another", False),
        (wanted(2, near="linked"), APART, "has enough free GPU, and not 2 all linked to one another", True),
        (
            of_body({"groups": [{"count": 3}, {"count": 2}]}),
            node("a", *gpus("a", "....")),
            "has enough for each group, and not for all of them at once",
            False,
        ),
        (
            of_body({"groups": [{"count": 2}, {"count": 1}], "together": [{"groups": [0, 1], "near": "linked"}]}),
            HALVES,
            "has enough that is free, and not as near to one another as is wanted",
            False,
        ),
        (
            of_body(
                {"groups": [{"count": 1}, {"count": 1}], "together": [{"groups": [0, 1], "near": "different_node"}]}
            ),
            node("a", *gpus("a", "..")),
            "is one node, and what is asked for is to be on different ones",
            False,
        ),
    ],
)
def test_a_node_that_does_not_fit_says_why(question: Wanted, host: Host, reason: str, *, may_change: bool) -> None:
    assert verdict(question, host) == Verdict(reason=reason, may_change=may_change)


FREE = st.text(".x", min_size=4, max_size=4)
NEAR = st.sampled_from(["node", "numa", "switch", "linked"])


@given(FREE, st.integers(1, 5), NEAR, st.booleans())
def test_a_node_fits_if_and_only_if_it_is_a_candidate_and_may_change_if_it_is_one_when_empty(
    free: str,
    count: int,
    near: str,
    is_online: bool,  # noqa: FBT001 (hypothesis gives it by its place)
) -> None:
    def host(free: str) -> Host:
        return node("a", *linked(gpus("a", free), (0, 1), (2, 3)), is_online=is_online)

    question = wanted(count, near=near)
    found = verdict(question, host(free))

    assert found.fits == bool(candidates(question, Fleet.of([host(free)])))
    assert found.may_change == (not found.fits and bool(candidates(question, Fleet.of([host("....")]))))


def test_the_filters_of_the_operator_count_too() -> None:
    policy = Policy(weights={"pack": 1}, filters=("idle-node",))

    found = verdict(wanted(), node("a", *gpus("a", "x.")), policy)
    assert found == Verdict(reason="does not pass the filter idle-node", may_change=True)
    assert verdict(wanted(), node("a", *gpus("a", "..")), policy).fits


def test_thousands_of_nodes_cost_one_look_at_each_of_the_few_shapes() -> None:
    frees = ["....", "x...", "xx..", "xxxx"]
    fleet = Fleet.of([node(f"n{number}", *gpus(f"n{number}", frees[number % 4])) for number in range(400)])

    found = judge(wanted(2), fleet, [f"n{number}" for number in range(400)], DEFAULT)

    assert len({id(one) for one in found.values()}) == len(fleet.shapes) == 4
