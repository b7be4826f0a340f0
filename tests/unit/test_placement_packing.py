"""What the search is made of: transport, matching, sets of cards, packing groups onto devices."""

from collections import Counter
from collections.abc import Sequence
from itertools import combinations, permutations, product
from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.placement import card, gpus, node, unit

from accel.placement.fleet import Fleet
from accel.placement.matching import matched
from accel.placement.search import candidates
from accel.placement.sets import sets_of
from accel.placement.topology import Topologies
from accel.placement.transport import transport
from accel.placement.wanted import Nearness, Together, Wanted, WantedGroup

SMALL = st.integers(1, 3)


@given(
    st.lists(SMALL, min_size=1, max_size=3).flatmap(
        lambda needs: st.tuples(
            st.just(needs),
            st.lists(st.lists(st.integers(0, 3), unique=True), min_size=len(needs), max_size=len(needs)),
        )
    ),
    st.lists(st.integers(0, 3), min_size=4, max_size=4),
)
def test_everybody_gets_what_he_needs_if_and_only_if_there_is_enough(
    wants: tuple[list[int], list[list[int]]], rooms: list[int]
) -> None:
    needs, options = wants
    room = dict(enumerate(rooms))
    flow = transport(needs, options, room)
    # Hall's theorem: whoever keeps to some slots needs no more than these have.
    enough = all(
        sum(need for need, slots in zip(needs, options, strict=True) if set(slots) <= set(some))
        <= sum(map(room.get, some))
        for size in range(5)
        for some in combinations(room, size)
    )
    assert (flow is not None) == enough
    if flow is not None:
        assert [sum(has.values()) for has in flow] == needs
        assert all(set(has) <= set(slots) for has, slots in zip(flow, options, strict=True))
        given_out = sum((Counter(has) for has in flow), Counter())
        assert all(given_out[slot] <= room[slot] for slot in room)


@given(st.lists(st.lists(st.sampled_from("abcde"), unique=True), min_size=1, max_size=3), st.integers(1, 2))
def test_every_part_gets_nodes_of_its_own_if_and_only_if_that_can_be(choices: list[list[str]], each: int) -> None:
    slots = [names for names in choices for _ in range(each)]
    can_be = any(len(set(names)) == len(names) for names in product(*slots))
    chosen = matched(choices, each)
    assert (chosen is not None) == can_be
    if chosen is not None:
        assert [len(names) for names in chosen] == [each] * len(choices)
        assert len({name for names in chosen for name in names}) == each * len(choices)
        assert all(set(names) <= set(may) for names, may in zip(chosen, choices, strict=True))


def test_a_part_is_given_the_first_of_its_nodes() -> None:
    assert matched([["a", "b", "c"]], 2) == [["a", "b"]]


@given(st.lists(st.tuples(st.integers(0, 2), SMALL), min_size=1, max_size=4), st.lists(SMALL, min_size=1, max_size=4))
def test_groups_that_each_want_one_device_are_packed_if_and_only_if_they_can_be(
    wants: list[tuple[int, int]], rooms: list[int]
) -> None:
    assert _packed(wants, rooms) == any(
        _holds(wants, homes, rooms) for homes in product(range(len(rooms)), repeat=len(wants))
    )


def _packed(wants: Sequence[tuple[int, int]], rooms: Sequence[int]) -> bool:
    """Whether the search packs groups, by kind and count. Kind 0 may have any unit, others one half of a card each."""
    cards = [
        card(f"{number}", *(unit(f"{number}{half}", free=room, resource_class=half) for half in "AB"))
        for number, room in enumerate(rooms)
    ]
    groups = tuple(
        WantedGroup(count=count, resource_class=(None, "A", "B")[kind], near=Nearness.DEVICE) for kind, count in wants
    )
    together = tuple(Together(groups=(number,), near=Nearness.DEVICE) for number in range(len(groups)))
    return bool(candidates(Wanted(groups=groups, together=together), Fleet.of([node("n", *cards)])))


def _holds(wants: Sequence[tuple[int, int]], homes: Sequence[int], rooms: Sequence[int]) -> bool:
    load: Counter[tuple[int, int]] = Counter()
    for (kind, count), home in zip(wants, homes, strict=True):
        load[home, kind] += count
    return all(
        load[home, 1] <= room and load[home, 2] <= room and sum(load[home, kind] for kind in range(3)) <= 2 * room
        for home, room in enumerate(rooms)
    )


@given(st.permutations(range(8)), st.integers(1, 255), st.integers(1, 8))
def test_of_sets_that_are_alike_one_is_looked_at(order: list[int], cards: int, size: int) -> None:
    twins = Topologies().of(gpus("n", "........")).twins
    found = list(sets_of(cards, size, twins, lambda _: 0.0))
    assert all(chosen & cards == chosen and chosen.bit_count() == size for chosen in found)
    kinds = {tuple(sorted(twins[card] for card in range(8) if chosen >> card & 1)) for chosen in found}
    every = {
        tuple(sorted(twins[card] for card in chosen))
        for chosen in combinations([card for card in order if cards >> card & 1], size)
    }
    assert kinds == every
    assert len(found) == len(kinds)


def test_very_many_sets_are_not_all_looked_at() -> None:
    found = list(sets_of((1 << 24) - 1, 12, range(24), lambda chosen: -chosen))
    assert len(found) <= 24 < comb(24, 12)
    assert min(found) == (1 << 12) - 1


@pytest.mark.parametrize(
    ("rooms", "wants"),
    [
        ((1, 2, 3), ((0, 2), (0, 4), (0, 6))),
        ((1, 2), ((0, 2), (1, 2), (2, 2))),
        ((2, 1, 2), ((1, 2), (2, 2), (0, 2))),
        ((3, 2), ((0, 4), (0, 3), (0, 3))),
        ((2, 2), ((0, 3), (0, 2), (0, 2), (0, 1))),
    ],
)
def test_which_groups_and_cards_come_first_does_not_matter_for_whether_they_fit(
    rooms: tuple[int, ...], wants: tuple[tuple[int, int], ...]
) -> None:
    for some in permutations(rooms):
        for order in permutations(wants):
            assert _packed(order, some)
