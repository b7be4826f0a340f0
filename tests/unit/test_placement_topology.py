"""Sets of cards: which are near to one another, and how well they are connected."""

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.placement import gpu, gpus, linked

from accel.model.address import PciAddress
from accel.placement.snapshot import Card
from accel.placement.topology import Topologies, bits
from accel.placement.wanted import Nearness

CARDS = gpus("n", "........")
GRAPHS = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)).filter(lambda pair: pair[0] != pair[1]), max_size=15)


def _mask(*cards: int) -> int:
    return sum(1 << number for number in cards)


def test_cards_are_near_by_numa_node_by_switch_and_by_link() -> None:
    topology = Topologies().of(linked(CARDS, (0, 1, 2), (2, 3)))
    assert topology.cliques(Nearness.NODE, topology.all) == (_mask(*range(8)),)
    assert set(topology.cliques(Nearness.NUMA, topology.all)) == {_mask(0, 1, 2, 3), _mask(4, 5, 6, 7)}
    assert set(topology.cliques(Nearness.SWITCH, topology.all)) == {_mask(n, n + 1) for n in (0, 2, 4, 6)}
    assert set(topology.cliques(Nearness.LINKED, _mask(0, 1, 2, 3))) == {_mask(0, 1, 2), _mask(2, 3)}
    assert set(topology.cliques(Nearness.DEVICE, _mask(2, 5))) == {_mask(2), _mask(5)}


def test_unknown_numa_nodes_are_not_near() -> None:
    topology = Topologies().of((gpu("a"), gpu("b")))
    assert topology.largest(Nearness.NUMA, topology.all) == 1


def test_functions_of_one_slot_are_as_near_as_on_one_switch() -> None:
    cards = [gpu(f"{function}", address=PciAddress(0, 1, 0, function)) for function in range(2)]
    topology = Topologies().of(cards)
    assert topology.largest(Nearness.SWITCH, topology.all) == 2


def test_a_link_that_one_end_knows_of_is_one() -> None:
    a, b = gpu("a", links={"card b": 4, "card elsewhere": 4}), gpu("b")
    topology = Topologies().of((a, b))
    assert topology.largest(Nearness.LINKED, topology.all) == 2


@pytest.mark.parametrize(
    ("cards", "closeness"),
    [((), 1.0), ((3,), 1.0), ((0, 1), 1.0), ((4, 5), 0.75), ((4, 6), 0.5), ((3, 4), 0.25), ((4, 5, 6), 1.75 / 3)],
)
def test_a_set_is_as_close_as_its_pairs(cards: tuple[int, ...], closeness: float) -> None:
    topology = Topologies().of(linked(CARDS, (0, 1)))
    assert topology.closeness(_mask(*cards)) == pytest.approx(closeness)


def test_nodes_that_are_connected_alike_share_what_is_known_of_it() -> None:
    topologies = Topologies()
    moved = tuple(
        gpu(f"m{n}", numa_node=n // 4 + 7, pci_path=("pci0001:00", f"other {n // 2}", f"p{n}")) for n in range(8)
    )
    assert topologies.of(CARDS) is topologies.of(gpus("other", "xx......"))
    assert topologies.of(linked(CARDS)) is topologies.of(linked(gpus("other", "........")))
    assert topologies.of(CARDS) is not topologies.of(linked(CARDS))
    assert topologies.of(CARDS).neighbours[Nearness.NUMA] == topologies.of(moved).neighbours[Nearness.NUMA]


def _graph(pairs: list[tuple[int, int]]) -> tuple[Card, ...]:
    return linked(tuple(gpu(str(number)) for number in range(7)), *(pairs or [()]))


@given(GRAPHS, st.integers(0, 127))
def test_cliques_are_the_largest_sets_of_cards_that_are_all_near(pairs: list[tuple[int, int]], within: int) -> None:
    edges = {frozenset(pair) for pair in pairs}
    complete = {
        _mask(*chosen)
        for size in range(1, 8)
        for chosen in combinations(bits(within), size)
        if all(frozenset(pair) in edges for pair in combinations(chosen, 2))
    }
    largest = {one for one in complete if not any(one != other and one & other == one for other in complete)}
    topology = Topologies().of(_graph(pairs))
    assert set(topology.cliques(Nearness.LINKED, within)) == largest


@given(GRAPHS)
def test_twins_can_change_places(pairs: list[tuple[int, int]]) -> None:
    topology = Topologies().of(_graph(pairs))
    edges = {frozenset(pair) for pair in pairs}
    for b, a in enumerate(topology.twins):
        swapped = {frozenset({a: b, b: a}.get(end, end) for end in edge) for edge in edges}
        assert swapped == edges
