"""What would fit if the fleet were another one, and what is free of the one that is."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from support import brute_force
from support.placement import gpu, gpus, linked, node, with_slices, with_vfs
from support.random_placement import fleets, questions

from accel.drivers.fleet import of_document
from accel.errors import InvalidFleet, InvalidValue
from accel.placement.fleet import Fleet
from accel.placement.free import Kind, Stock, stock
from accel.placement.planned import host_of
from accel.placement.reading import of_body
from accel.placement.search import candidates
from accel.placement.snapshot import Host, Obstacle
from accel.placement.wanted import Nearness, Wanted
from accel.placement.whatif import changed, take, what_if

FOUR = of_body({"groups": [{"resources": {"PGPU": 4}}]})
H100 = Kind("GPU", "10de", "H100", "PGPU")
RACK = {"nodes": [{"name": "new-{0}", "count": 2, "rack": "r9", "cards": [{"model": "H100-SXM5-80GB", "count": 8}]}]}


def planned(document: object, *, most: int = 1000) -> list[Host]:
    """The nodes of a fleet document."""
    return [host_of(one.info(""), one.devices()) for one in of_document(document, "add_nodes", most=most).nodes]


def held(fleet: Fleet) -> int:
    return sum(unit.held for host in fleet.hosts.values() for card in host.cards for unit in card.units)


def test_a_question_is_put_as_often_as_it_fits_and_then_it_is_said_what_blocks_the_next() -> None:
    fleet = Fleet.of([node("n1", *gpus("n1", "........")), node("n2", *gpus("n2", "....xx.."))])

    outcome = what_if(FOUR, fleet.copy(), count=5)

    assert (outcome.fits, dict(outcome.nodes)) == (3, {"n2": 1, "n1": 2})
    assert outcome.next is not None
    assert outcome.next.blocker is not None
    assert outcome.next.blocker.text == "No node has 4 PGPU free; the most on one is 2."


def test_what_is_asked_about_is_left_as_it_is() -> None:
    fleet = Fleet.of([node("n1", *gpus("n1", "........"))])

    what_if(FOUR, changed(fleet, add=[node("n2")], drain=["n2"]), count=1)

    assert held(fleet) == 0
    assert list(fleet.hosts) == ["n1"]


def test_as_many_as_were_asked_for_are_enough() -> None:
    outcome = what_if(FOUR, Fleet.of([node("n1", *gpus("n1", "........"))]), count=2)

    assert (outcome.fits, outcome.next) == (2, None)


def test_a_node_that_is_drained_offers_nothing_and_a_new_one_all_it_has() -> None:
    fleet = Fleet.of([node("n1", *gpus("n1", "........"))])

    assert what_if(FOUR, changed(fleet, drain=["n1"]), count=1).fits == 0
    more = what_if(FOUR, changed(fleet, add=planned(RACK), drain=["n1"]), count=9)
    assert (more.fits, dict(more.nodes)) == (4, {"new-1": 2, "new-2": 2})


def test_new_nodes_are_as_their_agents_would_report_them() -> None:
    new, _ = planned(RACK)
    linked_on_numa = of_body({"groups": [{"resources": {"PGPU": 4}, "near": "linked"}], "labels": {"rack": "r9"}})

    assert len(new.cards) == 8
    assert candidates(linked_on_numa, Fleet.of([new]))
    assert {card.numa_node for card in new.cards} == {0, 1}


def test_what_is_the_matter_with_a_new_card_counts() -> None:
    faults = [{"node": "new-1", "card": 0, "state": "unhealthy"}, {"node": "new-1", "card": 1, "state": "lost"}]
    faults += [{"node": "new-1", "card": 2, "state": "unknown"}]

    new, _ = planned({**RACK, "faults": faults})

    obstacles = [Obstacle.UNHEALTHY, Obstacle.LOST, Obstacle.UNKNOWN_HEALTH, Obstacle.NONE]
    assert [card.obstacle for card in new.cards[:4]] == obstacles


@pytest.mark.parametrize(
    ("document", "text"),
    [
        ({}, "add_nodes: this mapping is not complete: nodes is missing"),
        ([], "add_nodes: this list is not a mapping"),
        ({"nodes": [{"name": "n", "cards": [{"model": "H1"}]}]}, r"add_nodes.nodes\[0\].cards\[0\].model: 'H1' is not"),
        ({"nodes": [{"name": None, "cards": []}]}, r"add_nodes.nodes\[0\].name: '' is not a text"),
        ({**RACK, "colour": "red"}, "add_nodes: 'colour' is not a key that is known here"),
        (
            {"nodes": [{"name": "n-{0}", "count": 100_000, "cards": [{"model": "H100-SXM5-80GB", "count": 64}]}]},
            "add_nodes.nodes: this list is not a list of nodes with 1000 accelerators at most",
        ),
    ],
)
def test_a_mistake_in_a_fleet_document_is_told_by_its_field(document: object, text: str) -> None:
    with pytest.raises(InvalidFleet, match=text):
        planned(document)


def test_a_node_that_there_is_cannot_be_added_and_one_that_there_is_not_cannot_be_drained() -> None:
    fleet = Fleet.of([node("n1")])

    with pytest.raises(InvalidValue, match="add_nodes: 'n1' is not a name that no other node has"):
        changed(fleet, add=[node("n1")])
    with pytest.raises(InvalidValue, match=r"drain\[1\]: 'n1' is not the name of a node, each of them once"):
        changed(fleet, drain=["n1", "n1"])


@settings(max_examples=60, deadline=None)
@given(fleets(), questions())
def test_what_is_put_somewhere_is_taken_from_it_and_no_more_fits_afterwards(hosts: list[Host], wanted: Wanted) -> None:
    fleet = Fleet.of([replace(host, cards=_of_own(host)) for host in hosts])
    before = held(fleet)

    outcome = what_if(wanted, fleet, count=4)

    assert held(fleet) - before == outcome.fits * wanted.nodes * sum(group.count for group in wanted.groups)
    assert brute_force.fits(wanted, list(fleet.hosts.values())) or outcome.fits < 4 or outcome.next is None
    assert (outcome.next is None) == (outcome.fits == 4)
    if outcome.next is not None:
        assert not brute_force.fits(wanted, list(fleet.hosts.values()))


def _of_own(host: Host) -> tuple[object, ...]:
    """The cards of a node with handles that no other node has."""
    return tuple(
        replace(
            card,
            units=tuple(
                replace(unit, free=tuple(handle._replace(uuid=f"{host.name} {handle.uuid}") for handle in unit.free))
                for unit in card.units
            ),
        )
        for card in host.cards
    )


def _stock(*hosts: Host, model: str = "") -> Sequence[Stock]:
    return stock(Fleet.of(hosts), model=model)


def test_stock_is_counted_by_kind() -> None:
    cards = (*gpus("n1", ".x.."), with_vfs("n1v", free=3, held=1), with_slices("n1s", "..x"))
    found = _stock(node("n1", *cards), node("n2", *gpus("n2", "..")), node("n3", gpu("n3"), is_online=False))

    counted = {one.kind.resource_class: (one.total, one.free, one.held, one.unusable, one.on_one_node) for one in found}
    assert counted == {"PGPU": (7, 5, 1, 1, 4), "VGPU": (3, 2, 1, 0, 3), "SRIOV_NET_VF": (4, 3, 1, 0, 4)}


def test_what_cannot_be_used_is_not_free() -> None:
    cards = list(gpus("n1", "...."))
    cards[0] = replace(cards[0], obstacle=Obstacle.DISABLED)

    (found,) = _stock(node("n1", *cards))

    assert (found.kind, found.total, found.free, found.unusable) == (H100, 4, 3, 1)


def test_the_largest_request_that_fits_is_told_for_each_nearness() -> None:
    (found,) = _stock(node("n1", *linked(gpus("n1", ".x......"), (0, 1, 2), (5, 6))), node("n2", *gpus("n2", "xxx...")))

    assert found.largest == {
        Nearness.NODE: 7,
        Nearness.NUMA: 4,
        Nearness.SWITCH: 2,
        Nearness.LINKED: 2,
        Nearness.DEVICE: 1,
    }


@settings(max_examples=60, deadline=None)
@given(fleets())
def test_the_largest_request_fits_and_a_larger_one_does_not(hosts: list[Host]) -> None:
    fleet = Fleet.of(hosts)
    for found in stock(fleet):
        for near, most in found.largest.items():
            kind = {"resources": {found.kind.resource_class: most + 1}, "near": str(near)}
            asked = {"where": [f"type = {found.kind.type}", f"model = {found.kind.model}"], **kind}
            assert not candidates(of_body({"groups": [asked]}), fleet)
            fewer = {**asked, "resources": {found.kind.resource_class: most}}
            assert not most or candidates(of_body({"groups": [fewer]}), fleet)


def test_stock_can_be_asked_for_by_a_part_of_the_models_name() -> None:
    host = node("n1", gpu("a"), gpu("b", model="A100"))

    assert [one.kind.model for one in _stock(host, model="a1")] == ["A100"]
    assert _stock(host, model="B200") == []


def test_what_is_taken_is_taken_from_the_handles_of_the_candidate() -> None:
    fleet = Fleet.of([node("n1", *gpus("n1", "...."))])
    (found,) = candidates(FOUR, fleet)

    take(fleet, found)

    assert not candidates(of_body({"groups": [{"count": 1}]}), fleet)
