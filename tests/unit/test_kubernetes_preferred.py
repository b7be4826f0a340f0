"""Which devices suit a container best."""

from dataclasses import replace
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.offered import card, cut, linked

from accel.kubernetes import config
from accel.kubernetes.preferred import Demand, Preference, best_set
from accel.kubernetes.resources import resources_of
from accel.kubernetes.units import units_of
from accel.model.device import Device
from accel.model.offer import Offer

_GPU = "accel.io/gpu"


def preference(*devices: Device, **rule: object) -> Preference:
    told = config.read({"resources": [{"name": _GPU, "where": "type = GPU", **rule}]})
    offer = Offer(node="node-1", boot_id="", revision=1, devices=devices)
    resource = resources_of(units_of(offer), told.all_rules, told.mig).by_name[_GPU]
    return Preference(resource, devices)


def ids(*numbers: int) -> list[str]:
    return [f"GPU-{number:04d}" for number in numbers]


def choose(of: Preference, available: list[str], size: int, must: list[str] | None = None) -> list[str]:
    return sorted(of.choose(Demand(available=available, must_include=must or [], size=size)))


def shares(*numbers: int, each: int) -> list[str]:
    return [f"{one}::{share}" for one in ids(*numbers) for share in range(each)]


# --- linked ---


def test_cards_with_links_are_preferred() -> None:
    cards = linked([card(number) for number in range(1, 9)], (0, 3, 5, 6), (1, 2, 4, 7))

    assert choose(preference(*cards), ids(*range(1, 9)), 4) in (ids(1, 4, 6, 7), ids(2, 3, 5, 8))


def test_cards_of_one_numa_node_are_preferred_where_there_are_no_links() -> None:
    cards = [card(number, numa_node=number % 2) for number in range(1, 9)]

    chosen = choose(preference(*cards), ids(*range(1, 9)), 3)

    assert len({int(one[-1]) % 2 for one in chosen}) == 1


def test_what_is_left_is_as_well_connected_as_it_can_be() -> None:
    pairs_and_one = linked([card(number, numa_node=None) for number in range(1, 6)], (0, 1), (2, 3))

    assert choose(preference(*pairs_and_one), ids(1, 2, 3, 4, 5), 1) == ids(5)


def test_what_must_be_included_is_and_the_others_suit_it() -> None:
    cards = linked([card(number) for number in range(1, 9)], (0, 1, 2, 3), (4, 5, 6, 7))

    assert choose(preference(*cards), ids(*range(1, 9)), 4, must=ids(6)) == ids(5, 6, 7, 8)


def test_instances_of_one_card_are_nearer_than_those_of_two() -> None:
    cards = [cut(card(number), "1g.10gb", "1g.10gb") for number in (1, 2)]
    available = [f"MIG-{one}-{number}" for one in ids(1, 2) for number in (0, 1)]

    chosen = choose(preference(*cards, where="kind = mig"), available, 2)

    assert chosen in (available[:2], available[2:])


_weights = st.integers(2, 9).flatmap(
    lambda count: st.lists(st.lists(st.integers(0, 4), min_size=count, max_size=count), min_size=count, max_size=count)
)


@settings(max_examples=200, deadline=None)
@given(_weights, st.data())
def test_of_few_units_the_best_set_is_found_and_of_the_best_the_one_that_leaves_most(
    raw: list[list[int]], data: st.DataObject
) -> None:
    count = len(raw)
    weights = tuple(tuple(0 if a == b else raw[min(a, b)][max(a, b)] for b in range(count)) for a in range(count))
    size = data.draw(st.integers(1, count))
    must = tuple(sorted(data.draw(st.sets(st.integers(0, count - 1), max_size=size))))

    def worth(members: tuple[int, ...]) -> tuple[int, int]:
        rest = [one for one in range(count) if one not in members]
        return tuple(sum(weights[a][b] for a, b in combinations(some, 2)) for some in (members, rest))  # type: ignore[return-value]

    chosen = best_set(weights, tuple(range(count)), size, must)

    possible = [one for one in combinations(range(count), size) if set(must) <= set(one)]
    assert chosen in possible
    assert worth(chosen) == max(map(worth, possible))


def test_of_many_units_a_clique_is_found_where_there_is_one() -> None:
    cards = linked([card(number, numa_node=None) for number in range(1, 33)], (3, 9, 14, 20))

    assert choose(preference(*cards), ids(*range(1, 33)), 4) == ids(4, 10, 15, 21)


# --- shares ---


def test_shares_are_spread_over_the_cards_that_are_used_least() -> None:
    of = preference(card(1), card(2), card(3), shares=4)
    free = [*shares(1, each=4)[2:], *shares(2, each=4)[1:], *shares(3, each=4)]

    assert choose(of, free, 2) == ["GPU-0002::1", "GPU-0003::0"]


def test_packed_takes_from_the_card_that_is_used_most_and_has_enough() -> None:
    of = preference(card(1), card(2), card(3), shares=4, allocation="packed")
    free = [*shares(1, each=4)[3:], *shares(2, each=4)[2:], *shares(3, each=4)]

    assert choose(of, free, 1) == ["GPU-0001::3"]
    assert choose(of, free, 2) == ["GPU-0002::2", "GPU-0002::3"]


def test_shares_that_must_be_of_different_cards_are_even_when_packed() -> None:
    of = preference(card(1), card(2), shares=4, allocation="packed", different_cards=True)

    assert {one.partition("::")[0] for one in choose(of, shares(1, 2, each=4), 2)} == set(ids(1, 2))


def test_whole_cards_may_be_spread_too() -> None:
    of = preference(*[card(number) for number in range(1, 5)], allocation="spread")

    assert len(choose(of, ids(1, 2, 3, 4), 2)) == 2


# --- never fails ---

_OF = {
    "linked": preference(*linked([card(number) for number in range(1, 9)], (0, 1, 2), (4, 5))),
    "spread": preference(*[card(number) for number in range(1, 5)], shares=4),
    "packed": preference(*[card(number) for number in range(1, 5)], shares=4, allocation="packed"),
    "sharing but linked": preference(*[card(number) for number in range(1, 5)], shares=4, allocation="linked"),
}
_SOME = st.lists(st.sampled_from([*ids(*range(1, 10)), *shares(1, 2, 3, 4, 5, each=4), "", "nothing"]), max_size=20)


@pytest.mark.parametrize("kind", _OF)
@settings(max_examples=150, deadline=None)
@given(available=_SOME, must=_SOME, size=st.integers(-1, 20))
def test_there_is_always_an_answer_of_what_is_there(
    kind: str, available: list[str], must: list[str], size: int
) -> None:
    answer = _OF[kind].choose(Demand(available=available, must_include=must, size=size))

    known = {portion for portion in available if portion in _OF[kind].known}
    assert len(answer) == len(set(answer)) <= max(0, size)
    assert set(answer) <= {*available, *must}
    assert len(answer) >= min(max(0, size), len({*known, *must}))


def test_a_card_that_nobody_knows_the_place_of_is_no_mistake() -> None:
    stranger = replace(card(9), numa_node=None, address=None)

    assert choose(preference(card(1), stranger), ids(1, 9), 1) in (ids(1), ids(9))
