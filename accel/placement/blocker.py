"""What stands in the way of a question that does not fit: the first step that nothing passes, in words.

Each text is true of what has passed the steps before: nothing else than what it says stops the nodes that are left.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from accel.placement.explanation import Blocker, Passed
from accel.placement.filters import Step
from accel.placement.shapes import Shape
from accel.placement.sight import Crowd
from accel.placement.survey import PLACE, Inquiry, Room
from accel.placement.wanted import Nearness
from accel.placement.words import both, devices, nodes, noun, some, traits, where

NO_NODES = "no_nodes"


class Facts(NamedTuple):
    """What is known when it is to be said what stands in the way."""

    inquiry: Inquiry
    crowd: Crowd
    """The nodes that may be used."""
    ever: Callable[[], Crowd]
    """Finds those of them that have something of the right kinds, as if nothing were held, unusable or silent."""
    total: int
    """How many nodes the fleet has."""
    steps: Sequence[Passed]
    room: Room


class _Stuck(NamedTuple):
    """A group for which nothing passes a step."""

    group: int
    devices: int
    """How many devices had passed the steps before for it."""


def blocker(facts: Facts) -> Blocker:
    """What stands in the way."""
    if not facts.total:
        return Blocker(code=NO_NODES, text="There are no nodes.")
    before = facts.total
    for passed in facts.steps:
        step = Step(passed.filter)
        if not passed.nodes and step in _OF_NODES:
            code, text = _OF_NODES[step]
            return Blocker(code=code, text=_of_nodes(facts, text, before))
        if not passed.nodes:
            return _OF_UNITS[step](facts, before) if step in _OF_UNITS else _OF_SETS[step](facts, before)
        before = passed.nodes
    raise AssertionError("it fits")


def _of_nodes(facts: Facts, text: str, before: int) -> str:
    wanted = facts.inquiry.wanted
    labels = both(f"{key}={value}" for key, value in sorted(wanted.labels.items())) if wanted.labels else ""
    filters = facts.inquiry.parts[0].policy.filters
    return text.format(nodes=nodes(before), labels=labels, filters=both(filters) if filters else "")


def _of_units(code: str, text: Callable[[Facts, _Stuck], str]) -> Callable[[Facts, int], Blocker]:
    """What is said of a step about units."""

    def told(facts: Facts, before: int) -> Blocker:
        step = next(Step(passed.filter) for passed in facts.steps if not passed.nodes)
        stuck = _stuck(facts, PLACE[step])
        if stuck is None:
            return Blocker(
                code=code, text=f"On {nodes(before)} there is something for some groups, and for all of them on none."
            )
        groups = facts.inquiry.wanted.groups
        kind = f" with {noun(groups[stuck.group])}" if step in {Step.USABLE, Step.FREE} else ""
        which = f" for group {stuck.group}" if len(groups) > 1 else ""
        reached = f"{devices(stuck.devices)}{kind} on {nodes(before)}"
        return Blocker(code=code, text=f"Of {reached}, none {text(facts, stuck)}{which}.")

    return told


def _stuck(facts: Facts, step: int) -> _Stuck | None:
    """The first group for which nothing passes a step; None where each group has something somewhere."""
    inquiry = facts.inquiry
    left = {shape: count for shape, count in facts.crowd.items() if inquiry.step_of(shape) >= step}
    for group in range(len(inquiry.wanted.groups)):
        if not any(inquiry.kinds[group].step_of_slot(slot) > step for shape in left for slot in shape.slots):
            reached = sum(count * len(_cards(inquiry, shape, group, step)) for shape, count in left.items())
            return _Stuck(group, reached)
    return None


def _cards(inquiry: Inquiry, shape: Shape, group: int, step: int) -> set[int]:
    """The cards that come as far as a step for a group; at the first one, those without any parts too."""
    if step == PLACE[Step.CLASS]:
        return set(range(shape.topology.size))
    return {slot.card for slot in shape.slots if inquiry.kinds[group].step_of_slot(slot) >= step}


def _class(facts: Facts, stuck: _Stuck) -> str:
    name = facts.inquiry.wanted.groups[stuck.group].resource_class
    return f"offers {name}" if name else "offers anything"


def _traits(facts: Facts, stuck: _Stuck) -> str:
    return f"{traits(facts.inquiry.wanted.groups[stuck.group])}"


def _any_of(facts: Facts, stuck: _Stuck) -> str:
    sets = facts.inquiry.wanted.groups[stuck.group].any_of
    return both(f"has one of {', '.join(sorted(names))}" for names in sets)


def _comparisons(facts: Facts, stuck: _Stuck) -> str:
    return f"has {both(map(str, facts.inquiry.wanted.groups[stuck.group].comparisons))}"


def _usable(facts: Facts, _stuck: _Stuck) -> str:
    return f"can be used{_reasons(facts, Step.USABLE)}"


def _free(facts: Facts, _stuck: _Stuck) -> str:
    return f"is free{_reasons(facts, Step.FREE)}"


def _reasons(facts: Facts, step: Step) -> str:
    reasons = next(passed.reasons for passed in facts.steps if passed.filter == step)
    told = (f"{reason.count} {reason.text.removeprefix('is ').removeprefix('has ')}" for reason in reasons)
    return f" ({', '.join(told)})" if reasons else ""


def _count(facts: Facts, before: int) -> Blocker:
    short = _short(facts, by_group=lambda _group: Nearness.NODE)
    if short is None:
        text = f"Of {nodes(before)}, none has enough free for all groups at once, though some have for each alone."
        return Blocker(code="too_few_free", text=text)
    wanted = some(facts.inquiry.wanted, short.group)
    if short.is_for_ever:
        text = f"No node has {wanted}, free or not; the most on one is {short.ever}, of which {short.now} are free."
        return Blocker(code="too_large", text=text)
    return Blocker(code="too_few_free", text=f"No node has {wanted} free; the most on one is {short.now}.")


def _near(facts: Facts, before: int) -> Blocker:
    groups = facts.inquiry.wanted.groups
    short = _short(facts, by_group=lambda group: groups[group].near)
    if short is None:
        text = f"Of {nodes(before)} with enough free, none has it as near as it is wanted for all groups."
        return Blocker(code="not_near_free", text=text)
    wanted, place = some(facts.inquiry.wanted, short.group), where(groups[short.group].near)
    have = "has" if before == 1 else "have"
    text = f"{nodes(before)} {have} {wanted} free, but no node has them {place}; the most is {short.now}."
    if short.is_for_ever:
        return Blocker(code="not_near", text=f"{text} Nor would it be otherwise if all were free.")
    return Blocker(code="not_near_free", text=text)


def _together(_facts: Facts, before: int) -> Blocker:
    text = f"Of {nodes(before)} with enough for each group, none has it as near as the groups are to be to one another."
    return Blocker(code="not_together", text=text)


def _gang(facts: Facts, _before: int) -> Blocker:
    wanted, parts, fitting = facts.inquiry.wanted, len(facts.inquiry.parts), nodes(facts.room.nodes)
    if parts == 1:
        return Blocker(
            code="too_few_nodes", text=f"{nodes(wanted.nodes)} are wanted, and it fits on {facts.room.nodes}."
        )
    text = f"{nodes(wanted.nodes * parts)} are wanted, all different; what is wanted on one fits on {fitting} in all."
    return Blocker(code="too_few_nodes", text=text)


class _Short(NamedTuple):
    """A group of which no node has as many as are wanted."""

    group: int
    now: int
    """How many a node has at most."""
    ever: int
    """How many, if nothing were held, unusable or silent."""
    is_for_ever: bool
    """Whether that is too few, too."""


def _short(facts: Facts, *, by_group: Callable[[int], Nearness]) -> _Short | None:
    """The first group that no node has enough of, as near as is said; None where each has enough somewhere."""
    inquiry = facts.inquiry
    for place, group in enumerate(inquiry.wanted.groups):
        near = by_group(place)
        now = max(inquiry.kinds[place].most(shape, near) for shape in facts.crowd)
        if now < group.count:
            ever = max((inquiry.kinds[place].most(shape, near) for shape in facts.ever()), default=0)
            return _Short(place, now, ever, ever < group.count)
    return None


_OF_NODES: Mapping[Step, tuple[str, str]] = {
    Step.ONLINE: ("offline", "Of {nodes}, none is online."),
    Step.LABELS: ("label", "Of {nodes} online, none has {labels}."),
    Step.EXCLUDED: ("excluded", "Of {nodes} left, all are excluded by the question."),
    Step.CONFIGURED: ("configured", "Of {nodes} left, none passes the filters that the operator has set: {filters}."),
}
"""What is said of the steps about whole nodes."""

_OF_UNITS: Mapping[Step, Callable[[Facts, int], Blocker]] = {
    Step.CLASS: _of_units("resource_class", _class),
    Step.TRAITS: _of_units("trait", _traits),
    Step.ANY_OF: _of_units("any_of", _any_of),
    Step.COMPARISONS: _of_units("where", _comparisons),
    Step.USABLE: _of_units("unusable", _usable),
    Step.FREE: _of_units("held", _free),
}
_OF_SETS: Mapping[Step, Callable[[Facts, int], Blocker]] = {
    Step.COUNT: _count,
    Step.NEAR: _near,
    Step.TOGETHER: _together,
    Step.GANG: _gang,
}
