"""Candidates of a fleet: their order, their nodes, and what is looked at to find them."""

from collections import Counter
from dataclasses import replace

import pytest
from support.placement import gpus, linked, node, with_slices, with_vfs

from accel.errors import InvalidValue
from accel.placement.fleet import Fleet
from accel.placement.reading import of_body
from accel.placement.scores import Policy
from accel.placement.search import candidates
from accel.placement.wanted import DIFFERENT_NODE, Nearness, Together, Wanted, WantedGroup

ONE = Wanted(groups=(WantedGroup(resource_class="PGPU"),))
EQUAL = Fleet.of(node(f"n{number}", *gpus(f"n{number}", "....")) for number in range(100))


def first(seed: object, wanted: Wanted = ONE, fleet: Fleet = EQUAL) -> str:
    return candidates(wanted, fleet, limit=1, seed=seed)[0].nodes[0]


def test_each_seed_begins_elsewhere_among_equal_nodes() -> None:
    starts = Counter(first(seed) for seed in range(200))
    assert len(starts) > 60
    assert first(7) == first(7)


def test_nodes_of_equal_score_are_in_the_order_of_the_ring_whatever_their_shape() -> None:
    """Two shapes, told apart by what does not count for the score."""
    names = [f"n{number}" for number in range(40)]
    fleet = Fleet.of(node(name, *gpus(name, "...."[: 4 - number % 2])) for number, name in enumerate(names))
    policy = Policy(weights={"health": 1})
    found = [one.nodes[0] for one in candidates(ONE, fleet, limit=40, policy=policy, seed=3)]
    alike = Fleet.of(node(name, *gpus(name, "....")) for name in names)
    assert found == [one.nodes[0] for one in candidates(ONE, alike, limit=40, policy=policy, seed=3)]


def test_an_answer_has_as_many_candidates_as_are_wanted_and_there_are() -> None:
    assert len(candidates(ONE, EQUAL, limit=7)) == 7
    assert len(candidates(ONE, EQUAL, limit=1000)) == 100
    assert not candidates(ONE, Fleet())


def test_better_nodes_come_first() -> None:
    fleet = Fleet.of(node(free, *gpus(free, free)) for free in ("....", "x...", "xx..", "xxx."))
    scores = [candidate.score for candidate in candidates(ONE, fleet, policy=Policy(weights={"pack": 1}))]
    assert scores == sorted(scores, reverse=True)
    assert first(1, fleet=fleet) == "xxx."


def test_the_nodes_of_a_gang_are_different_and_so_are_those_of_its_candidates() -> None:
    found = candidates(replace(ONE, nodes=8), EQUAL, limit=100)
    assert len(found) == 12
    names = [name for candidate in found for name in candidate.nodes]
    assert len(names) == len(set(names)) == 96


def test_groups_apart_get_the_nodes_that_suit_them() -> None:
    """The one node that has network functions is kept for the group that wants them, though it is the best for both."""
    hosts = [node("both", *gpus("both", "."), with_vfs("v", free=4)), node("gpu", *gpus("gpu", "...."))]
    groups = (WantedGroup(resource_class="PGPU"), WantedGroup(resource_class="SRIOV_NET_VF", count=2))
    wanted = Wanted(groups=groups, together=(Together(groups=(0, 1), near=DIFFERENT_NODE),))
    (found,) = candidates(wanted, Fleet.of(hosts), policy=Policy(weights={"pack": 1}))
    assert {(part.group, part.node) for part in found.parts} == {(0, "gpu"), (1, "both")}
    assert not candidates(replace(wanted, nodes=2), Fleet.of(hosts))


def test_labels_racks_and_excluded_nodes_bound_the_answer() -> None:
    fleet = Fleet.of(
        node(f"n{number}", *gpus(f"n{number}", ".."), rack=f"r{number % 2}", labels={"zone": f"z{number % 3}"})
        for number in range(12)
    )
    wanted = replace(ONE, labels={"rack": "r1", "zone": "z0"}, exclude_nodes=frozenset({"n3"}))
    assert {candidate.nodes for candidate in candidates(wanted, fleet)} == {("n9",)}
    assert len(candidates(replace(ONE, exclude_nodes=frozenset({"n3"})), fleet, limit=20)) == 11
    assert not candidates(replace(ONE, labels={"zone": "z9"}), fleet)


def test_one_pool_serves_several_groups_with_different_handles() -> None:
    groups = (WantedGroup(count=2, resource_class="SRIOV_NET_VF"), WantedGroup(count=3, resource_class="SRIOV_NET_VF"))
    (found,) = candidates(Wanted(groups=groups), Fleet.of([node("n", with_vfs("v", free=5))]))
    assert len({part.handle for part in found.parts}) == 5
    assert Counter(part.group for part in found.parts) == {0: 2, 1: 3}


def test_parts_of_one_device_are_near_in_every_way() -> None:
    fleet = Fleet.of([node("n", with_slices("a", "..."), with_slices("b", ".."))])
    for near in (Nearness.NUMA, Nearness.SWITCH, Nearness.LINKED, Nearness.DEVICE):
        (found,) = candidates(Wanted(groups=(WantedGroup(count=3, near=near),)), fleet)
        assert {part.card for part in found.parts} == {"card a"}


def test_what_several_groups_share_is_near_across_them() -> None:
    cards = (*linked(gpus("n", "x..xx..x"), (1, 2), (5, 6)), with_vfs("v", free=1, numa_node=1))
    groups = (
        WantedGroup(count=2, resource_class="PGPU", near=Nearness.LINKED),
        WantedGroup(resource_class="SRIOV_NET_VF"),
    )
    wanted = Wanted(groups=groups, together=(Together(groups=(0, 1), near=Nearness.NUMA),))
    (found,) = candidates(wanted, Fleet.of([node("n", *cards)]))
    assert {part.card for part in found.parts} == {"card n.5", "card n.6", "card v"}


def test_full_nodes_are_not_looked_at() -> None:
    fleet = Fleet.of(
        node(f"n{number}", *gpus(f"n{number}", "xxx." if number == 5 else "xxxx", model=f"M{number}"))
        for number in range(50)
    )
    assert len(candidates(ONE, fleet)) == 1
    assert len(fleet.shapes) == 50
    assert [shape for shape in fleet.shapes if shape.answers] == [fleet.shape_of("n5")]


def test_of_shapes_that_cannot_be_among_the_best_it_is_not_found_out_what_they_have() -> None:
    fleet = Fleet.of(
        node(f"{number}", *gpus(f"{number}", f"{number:08b}".replace("0", ".").replace("1", "x")))
        for number in range(255)
    )
    wanted = Wanted(groups=(WantedGroup(),))
    candidates(wanted, fleet, limit=3, policy=Policy(weights={"pack": 1}))
    looked_at = [
        shape for shape in fleet.shapes if not all(isinstance(answer, float) for answer in shape.answers.values())
    ]
    assert len(fleet.shapes) == 255
    assert len(looked_at) <= 8, "those with seven of eight cards taken"


def test_a_question_asked_again_is_answered_by_what_is_remembered() -> None:
    fleet = Fleet.of([node("a", *gpus("a", "....")), node("b", *gpus("b", "x..."))])
    body = {"groups": [{"resources": {"PGPU": 2}, "near": "numa"}]}
    once = candidates(of_body(body), fleet)
    remembered = {shape: dict(shape.answers) for shape in fleet.shapes}
    assert candidates(of_body(body), fleet.copy()) == once
    assert {shape: dict(shape.answers) for shape in fleet.shapes} == remembered


def test_what_is_taken_is_offered_to_nobody_else_as_soon_as_the_index_knows() -> None:
    fleet = Fleet.of([node("a", *gpus("a", ".."))])
    assert candidates(replace(ONE, groups=(WantedGroup(count=2),)), fleet)
    fleet.replace(node("a", *gpus("a", "x.")))
    assert not candidates(replace(ONE, groups=(WantedGroup(count=2),)), fleet)
    (found,) = candidates(ONE, fleet)
    assert [part.card for part in found.parts] == ["card a.1"]


def test_a_question_is_of_a_bounded_number_of_nodes() -> None:
    apart = (Together(groups=(0, 1), near=DIFFERENT_NODE),)
    with pytest.raises(InvalidValue, match="1000 nodes"):
        Wanted(groups=(WantedGroup(),) * 2, together=apart, nodes=501)
