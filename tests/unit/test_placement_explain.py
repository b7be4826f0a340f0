"""What an explanation says is so: beside the slow way to find it out, of fleets and questions at random."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from hypothesis import given, settings
from support import brute_force
from support.random_placement import fleets, questions

from accel.placement.explain import explain
from accel.placement.filters import UNIT_STEPS, Step
from accel.placement.fleet import Fleet
from accel.placement.reading import of_body
from accel.placement.relaxation import relaxations, suppositions, with_count
from accel.placement.search import candidates
from accel.placement.snapshot import Card, Handle, Host, Obstacle, Unit
from accel.placement.supposed import NOTHING, Supposition, Suppositions
from accel.placement.survey import STEPS
from accel.placement.wanted import DIFFERENT_NODE, Nearness, Wanted, WantedGroup
from accel.placement.writing import body_of

EVERYTHING = frozenset(Supposition)


def suppose(hosts: Iterable[Host], what: Suppositions) -> list[Host]:
    """The nodes as they would be."""
    return [_host(host, what) for host in hosts]


def _host(host: Host, what: Suppositions) -> Host:
    cards = tuple(
        replace(
            card,
            obstacle=Obstacle.NONE if Supposition.REPAIRED in what else card.obstacle,
            units=tuple(_unit(unit, what) for unit in card.units),
        )
        for card in host.cards
    )
    return replace(host, is_online=host.is_online or Supposition.ONLINE in what, cards=cards)


def _unit(unit: Unit, what: Suppositions) -> Unit:
    obstacle = Obstacle.NONE if Supposition.REPAIRED in what else unit.obstacle
    if Supposition.RELEASED not in what:
        return replace(unit, obstacle=obstacle)
    given_back = tuple(Handle(f"{unit.uuid} given back {number}", "PCI") for number in range(unit.held))
    return replace(unit, obstacle=obstacle, free=(*unit.free, *given_back), held=0)


def passes(wanted: Wanted, host: Host, step: Step) -> bool:
    """Whether a node passes a step and all before it, by looking at all there is."""
    of_node = {
        Step.ONLINE: host.is_online,
        Step.LABELS: host.has_labels(wanted.labels),
        Step.EXCLUDED: host.name not in wanted.exclude_nodes,
        Step.CONFIGURED: True,
    }
    before = STEPS[: STEPS.index(step) + 1]
    if not all(of_node.get(one, True) for one in before):
        return False
    return step in of_node or any(_part_passes(wanted, part, host, step) for part in wanted.parts)


def _part_passes(wanted: Wanted, part: Sequence[int], host: Host, step: Step) -> bool:
    if step in UNIT_STEPS:
        return all(any(reaches(wanted.groups[group], card, step) for card in host.cards) for group in part)
    alone = [replace(wanted, groups=(wanted.groups[group],), together=()) for group in part]
    loose = replace(
        wanted,
        groups=tuple(replace(group, near=Nearness.NODE) for group in wanted.groups),
        together=tuple(tie for tie in wanted.together if tie.near == DIFFERENT_NODE),
    )
    if not brute_force.fits_on(loose, part, host):
        return False
    if step is not Step.COUNT and not all(brute_force.fits_on(one, (0,), host) for one in alone):
        return False
    return step in {Step.COUNT, Step.NEAR} or brute_force.fits_on(wanted, part, host)


def reaches(group: WantedGroup, card: Card, step: Step) -> bool:
    """Whether something of a card passes a step about units and all before it."""
    return any(_first_failure(group, card, unit) > UNIT_STEPS.index(step) for unit in card.units)


def _first_failure(group: WantedGroup, card: Card, unit: Unit) -> int:
    facts = {**unit.figures, "type": card.type, "vendor": card.vendor, "model": card.model, "kind": unit.kind}
    passed = (
        group.resource_class in {None, unit.resource_class},
        group.required <= unit.traits and not group.forbidden & unit.traits,
        all(names & unit.traits for names in group.any_of),
        all(comparison.holds(facts) for comparison in group.comparisons),
        not card.obstacle and not unit.obstacle,
        bool(unit.free),
    )
    return next((place for place, ok in enumerate(passed) if not ok), len(passed))


def able(wanted: Wanted, hosts: Iterable[Host]) -> int:
    """On how many nodes a part of a question fits."""
    return sum(any(brute_force.fits_on(wanted, part, host) for part in wanted.parts) for host in hosts)


@settings(max_examples=60, deadline=None)
@given(fleets(), questions())
def test_it_says_that_a_question_fits_if_and_only_if_it_does(hosts: list[Host], wanted: Wanted) -> None:
    explanation = explain(wanted, Fleet.of(hosts))

    assert explanation.fits == brute_force.fits(wanted, hosts)
    assert explanation.nodes == able(wanted, hosts)
    if explanation.fits:
        assert (explanation.blocker, explanation.nearest, explanation.counterfactuals) == (None, None, ())


@settings(max_examples=60, deadline=None)
@given(fleets(), questions())
def test_after_each_step_it_counts_what_passes_by_looking_at_all_there_is(hosts: list[Host], wanted: Wanted) -> None:
    explanation = explain(wanted, Fleet.of(hosts))

    assert [passed.filter for passed in explanation.steps] == list(STEPS)
    for passed in explanation.steps[:-1]:
        assert passed.nodes == sum(passes(wanted, host, Step(passed.filter)) for host in hosts), passed
    for earlier, later in zip(explanation.steps, explanation.steps[1:], strict=False):
        assert (later.nodes, later.devices) <= (earlier.nodes, earlier.devices)
    assert (explanation.steps[-1].nodes > 0) == explanation.fits


CODES: Mapping[Step, frozenset[str]] = {
    Step.ONLINE: frozenset({"offline"}),
    Step.LABELS: frozenset({"label"}),
    Step.EXCLUDED: frozenset({"excluded"}),
    Step.CLASS: frozenset({"resource_class"}),
    Step.TRAITS: frozenset({"trait"}),
    Step.ANY_OF: frozenset({"any_of"}),
    Step.COMPARISONS: frozenset({"where"}),
    Step.USABLE: frozenset({"unusable"}),
    Step.FREE: frozenset({"held"}),
    Step.COUNT: frozenset({"too_few_free", "too_large"}),
    Step.NEAR: frozenset({"not_near", "not_near_free"}),
    Step.TOGETHER: frozenset({"not_together"}),
    Step.GANG: frozenset({"too_few_nodes"}),
}
FOR_EVER = {"too_large", "not_near"}
"""Codes that say that it would not be otherwise if everything were free, usable and heard."""


@settings(max_examples=60, deadline=None)
@given(fleets(), questions())
def test_the_blocker_is_the_first_step_that_nothing_passes(hosts: list[Host], wanted: Wanted) -> None:
    explanation = explain(wanted, Fleet.of(hosts))

    if explanation.blocker is not None:
        step = next(Step(passed.filter) for passed in explanation.steps if not passed.nodes)
        assert explanation.blocker.code in CODES[step]
        if step is not Step.GANG:
            assert not any(passes(wanted, host, step) for host in hosts)
        if explanation.blocker.code in FOR_EVER:
            assert not any(passes(wanted, host, step) for host in suppose(hosts, EVERYTHING))


def everything_tried(wanted: Wanted) -> list[tuple[str, Wanted, Suppositions]]:
    """Each constraint left out, numbers too."""
    left_out = [(one.without, one.wanted, NOTHING) for one in relaxations(wanted)]
    supposed = [(one.without, one.wanted, one.suppose) for one in suppositions(wanted, NOTHING)]
    return [*left_out, *supposed]


@settings(max_examples=60, deadline=None)
@given(fleets(), questions())
def test_what_would_help_is_said_if_and_only_if_it_would(hosts: list[Host], wanted: Wanted) -> None:
    explanation = explain(wanted, Fleet.of(hosts))

    if not explanation.fits:
        said = {one.relaxation.without for one in explanation.counterfactuals}
        for without, relaxed, what in everything_tried(wanted):
            assert (without in said) == brute_force.fits(relaxed, suppose(hosts, what)), without
        for one in explanation.counterfactuals:
            assert one.nodes == able(one.relaxation.wanted, suppose(hosts, one.relaxation.suppose))


@settings(max_examples=60, deadline=None)
@given(fleets(), questions())
def test_what_would_help_fits_when_it_is_asked_for(hosts: list[Host], wanted: Wanted) -> None:
    fleet = Fleet.of(hosts)
    for one in explain(wanted, fleet).counterfactuals:
        relaxed, what = one.relaxation.wanted, one.relaxation.suppose

        again = explain(of_body(body_of(relaxed)), fleet, suppose=what)
        assert (again.fits, again.nodes) == (True, one.nodes)
        assert candidates(relaxed, Fleet.of(suppose(hosts, what)))


@settings(max_examples=60, deadline=None)
@given(fleets(), questions())
def test_a_smaller_number_that_fits_is_the_largest(hosts: list[Host], wanted: Wanted) -> None:
    explanation = explain(wanted, Fleet.of(hosts))

    if not explanation.fits:
        said = {
            one.relaxation.wanted for one in explanation.counterfactuals if one.relaxation.code in {"count", "nodes"}
        }
        for place, group in enumerate(wanted.groups):
            smaller = [with_count(wanted, place, count) for count in range(1, group.count)]
            assert _largest(smaller, hosts) == [one for one in smaller if one in said]
        fewer = [replace(wanted, nodes=count) for count in range(1, wanted.nodes)]
        assert _largest(fewer, hosts) == [one for one in fewer if one in said]


def _largest(smaller: Sequence[Wanted], hosts: Sequence[Host]) -> list[Wanted]:
    return [one for one in smaller if brute_force.fits(one, hosts)][-1:]


@settings(max_examples=60, deadline=None)
@given(fleets(), questions())
def test_the_nearest_node_has_as_many_as_is_said_and_no_other_one_comes_nearer(
    hosts: list[Host], wanted: Wanted
) -> None:
    explanation = explain(wanted, Fleet.of(hosts))

    nearest = explanation.nearest
    if nearest is not None:
        (host,) = (host for host in hosts if host.name == nearest.node)
        group = wanted.groups[nearest.group]
        alone = replace(wanted, groups=(group,), together=())
        assert 0 <= nearest.found < nearest.wanted == group.count
        assert not brute_force.fits_on(with_count(alone, 0, nearest.found + 1), (0,), host)
        assert not nearest.found or brute_force.fits_on(with_count(alone, 0, nearest.found), (0,), host)
        if len(wanted.groups) == 1:
            others = (one for one in hosts if not brute_force.fits_on(wanted, (0,), one))
            assert not any(brute_force.fits_on(with_count(alone, 0, nearest.found + 1), (0,), one) for one in others)
