"""The search finds a place if and only if there is one, and what it finds is right: beside the slow way, at random."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import brute_force, random_placement
from support.placement import card, gpus, node, unit, with_slices

from accel.placement.fit import Fit, fit
from accel.placement.fleet import Fleet
from accel.placement.question import questions
from accel.placement.scores import POLICIES, SCORERS, Policy
from accel.placement.search import Candidate, candidates
from accel.placement.snapshot import Host
from accel.placement.wanted import Nearness, Together, Wanted, WantedGroup

POLICY = st.one_of(
    st.sampled_from([Policy(weights=weights) for weights in POLICIES.values()]),
    st.builds(lambda name: Policy(weights={name: 1.0}), st.sampled_from(sorted(SCORERS))),
)


def _taken(candidate: Candidate, fleet: Fleet) -> list[tuple[str, brute_force.Taken]]:
    """What a candidate takes, of which node."""
    taken = []
    for part in candidate.parts:
        (there,) = (one for one in fleet.hosts[part.node].cards if one.uuid == part.card)
        (own,) = (one for one in there.units if one.uuid == part.unit)
        (handle,) = (one for one in own.free if one.uuid == part.handle)
        assert (part.provider, part.resource_class, part.handle_type) == (own.provider, own.resource_class, handle.type)
        taken.append((part.node, brute_force.Taken(part.group, there, own, handle)))
    return taken


def _check(wanted: Wanted, fleet: Fleet, candidate: Candidate) -> None:
    taken = _taken(candidate, fleet)
    groups_of = {name: sorted(one.group for there, one in taken if there == name) for name in candidate.nodes}
    needed = [sorted(group for group in part for _ in range(wanted.groups[group].count)) for part in wanted.parts]
    assert Counter(map(tuple, groups_of.values())) == Counter(tuple(one) for one in needed for _ in range(wanted.nodes))
    for name in candidate.nodes:
        host = fleet.hosts[name]
        assert host.is_online
        assert host.has_labels(wanted.labels)
        assert name not in wanted.exclude_nodes
        assert brute_force.is_right(wanted, [one for there, one in taken if there == name])
    assert 0 <= candidate.score <= 1
    assert all(0 <= score <= 1 for score in candidate.scores.values())


@settings(max_examples=150, deadline=None)  # the slow way is slow for some
@given(random_placement.fleets(), random_placement.questions(), POLICY)
def test_something_is_found_if_and_only_if_there_is_something(
    hosts: list[Host], wanted: Wanted, policy: Policy
) -> None:
    fleet = Fleet.of(hosts)
    found = candidates(wanted, fleet, limit=10, policy=policy)
    assert bool(found) == brute_force.fits(wanted, hosts)
    for candidate in found:
        _check(wanted, fleet, candidate)
    assert sorted(found, key=lambda candidate: -candidate.score) == found or len(wanted.parts) * wanted.nodes > 1
    if len(wanted.parts) == wanted.nodes == 1:
        able = {host.name for host in hosts if brute_force.fits_on(wanted, wanted.parts[0], host)}
        assert [len(able)] == [len(found)]
        assert {candidate.nodes[0] for candidate in found} == able


@given(random_placement.fleets(), random_placement.questions(), st.integers(0, 3))
def test_the_same_is_answered_to_the_same_question(hosts: list[Host], wanted: Wanted, seed: int) -> None:
    once = candidates(wanted, Fleet.of(hosts), seed=seed)
    fleet = Fleet.of(hosts[::-1])
    assert candidates(wanted, fleet, seed=seed) == once
    assert candidates(wanted, fleet, seed=seed) == once
    for host in hosts:
        fleet.replace(replace(host, is_online=not host.is_online))
        fleet.replace(host)
    assert candidates(wanted, fleet, seed=seed) == once


@given(random_placement.fleets(), random_placement.questions())
def test_a_short_answer_is_the_beginning_of_a_long_one(hosts: list[Host], wanted: Wanted) -> None:
    fleet = Fleet.of(hosts)
    assert candidates(wanted, fleet, limit=1) == candidates(wanted, fleet, limit=10)[:1]


def _asked(groups: Sequence[WantedGroup], *together: Together, cards: tuple[Any, ...]) -> list[Candidate]:
    return candidates(Wanted(groups=tuple(groups), together=together), Fleet.of([node("n", *cards)]))


def test_six_groups_on_eight_devices_fit_without_trying_what_is_alike() -> None:
    slices = [with_slices(f"n{number}", ".......") for number in range(8)]
    groups = [WantedGroup(count=4, resource_class="VGPU", near=Nearness.DEVICE)] * 6
    (found,) = _asked(groups, cards=tuple(slices))
    assert len({part.handle for part in found.parts}) == 24
    assert _asked([WantedGroup(count=4, near=Nearness.DEVICE)] * 8, cards=tuple(slices))
    assert not _asked([WantedGroup(count=4, near=Nearness.DEVICE)] * 9, cards=tuple(slices))


def test_six_groups_on_eight_devices_use_each_device_once() -> None:
    (found,) = _asked([WantedGroup()] * 6, cards=gpus("n", "........"))
    assert len({part.card for part in found.parts}) == 6
    assert not _asked([WantedGroup()] * 9, cards=gpus("n", "........"))


@pytest.mark.parametrize("seed", range(3))
def test_a_search_comes_to_an_end_whatever_is_asked(seed: int) -> None:
    chance = Random(seed)  # noqa: S311 (no secret)
    cards = [
        card(f"{number}", *(unit(f"{number}{part}", free=chance.randint(1, 9)) for part in range(3)))
        for number in range(16)
    ]
    groups = [WantedGroup(count=chance.randint(7, 13), near=Nearness.DEVICE) for _ in range(20)]
    _asked(groups, cards=tuple(cards))


def test_the_best_set_of_whole_cards_is_the_best_of_all_sets() -> None:
    """For the parts of the score that look at sets of cards, which are all that a single group depends on."""
    policy = Policy(weights={"topology": 3, "fragmentation": 5})
    for free in ("........", "...x..x.", ".x.x...."):
        fleet = Fleet.of([node("n", *gpus("n", free))])
        (shape,) = fleet.shapes
        for count in range(1, free.count(".") + 1):
            (question,) = questions(Wanted(groups=(WantedGroup(count=count),)), policy)
            found = fit(question, shape)
            assert isinstance(found, Fit)
            used = sum(1 << place.card for place in found.handles)
            sets = [
                sum(1 << at for at in chosen)
                for chosen in combinations([i for i, x in enumerate(free) if x == "."], count)
            ]
            assert policy.of_set(shape, used) == pytest.approx(max(policy.of_set(shape, cards) for cards in sets))
