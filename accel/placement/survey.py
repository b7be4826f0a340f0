"""How far nodes come with a question, step by step of ``accel.placement.filters``.

A node passes a step when one part of the question still has something on it for each of its groups. Nodes of one shape
come equally far, so that it is found out once for each shape; and mostly by counting, which is quick.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from accel.placement.filters import NODE_FILTERS, NODE_STEPS, SET_STEPS, UNIT_STEPS, Step, spec_reasons
from accel.placement.question import Question, questions
from accel.placement.scores import Policy
from accel.placement.shapes import Shape, Slot, Spec
from accel.placement.sight import Crowd
from accel.placement.transport import transport
from accel.placement.wanted import Nearness, Wanted, WantedGroup
from accel.placement.ways import Ways

STEPS: Sequence[Step] = (*NODE_STEPS, *UNIT_STEPS, *SET_STEPS)
PLACE: Mapping[Step, int] = {step: place for place, step in enumerate(STEPS)}
"""Steps as numbers."""
ALL = len(STEPS)
"""The number that stands for having passed all steps."""


class Room(NamedTuple):
    """How much room a fleet has for a question."""

    fits: bool
    nodes: int
    """On how many nodes the question, or a part of it, fits."""


class Kind:
    """What a group wants of each accelerator, with what has been found out about it: the same for all groups that want
    the same, in all questions about one fleet.
    """

    def __init__(self, group: WantedGroup) -> None:
        self._group = group
        self._steps: dict[Spec, int] = {}
        self._furthest: dict[Shape, int] = {}
        self._takeable: dict[Shape, Mapping[int, int]] = {}
        self._most: dict[tuple[Shape, Nearness], int] = {}

    def step_of_spec(self, spec: Spec) -> int:
        """The step that stops units of a kind, whatever their state."""
        step = self._steps.get(spec)
        if step is None:
            reason = next(spec_reasons(self._group, spec), None)
            step = self._steps[spec] = ALL if reason is None else PLACE[reason[0]]
        return step

    def step_of_slot(self, slot: Slot) -> int:
        """The step that stops a unit."""
        step = self.step_of_spec(slot.spec)
        if step < ALL:
            return step
        if slot.obstacle:
            return PLACE[Step.USABLE]
        return ALL if slot.free else PLACE[Step.FREE]

    def furthest(self, shape: Shape) -> int:
        """The step that stops what comes furthest of nodes of a shape."""
        step = self._furthest.get(shape)
        if step is None:
            step = self._furthest[shape] = max(map(self.step_of_slot, shape.slots), default=PLACE[Step.CLASS])
        return step

    def takeable(self, shape: Shape) -> Mapping[int, int]:
        """How much could be taken of nodes of a shape, by card."""
        found = self._takeable.get(shape)
        if found is None:
            amounts: dict[int, int] = {}
            for number in shape.open:
                slot = shape.slots[number]
                if self.step_of_spec(slot.spec) == ALL:
                    amounts[slot.card] = amounts.get(slot.card, 0) + slot.free
            found = self._takeable[shape] = amounts
        return found

    def most(self, shape: Shape, near: Nearness) -> int:
        """How much of that is near to one another in a way."""
        found = self._most.get((shape, near))
        if found is None:
            found = self._most[shape, near] = shape.topology.most(near, self.takeable(shape))
        return found


Kinds = dict[object, Kind]
"""Those that are known, by what they are about."""


@dataclass(frozen=True, slots=True)
class Inquiry:
    """A question, with what has been found out about it. Steps are numbers here: the last one that is passed and one
    more, ``ALL`` where none stops it.
    """

    wanted: Wanted
    parts: tuple[Question, ...]
    kinds: tuple[Kind, ...]
    """For each group what it wants."""
    _fitting: dict[Shape, int] = field(default_factory=dict)
    _stops: dict[Shape, int] = field(default_factory=dict)

    @classmethod
    def of(cls, wanted: Wanted, policy: Policy, known: Kinds) -> "Inquiry":
        """That of somebody who wants something.

        :param known: what is known from other questions about the same fleet, to which this one adds
        """
        kinds = (known.setdefault(_key(group), Kind(group)) for group in wanted.groups)
        return cls(wanted, questions(wanted, policy), tuple(kinds))

    def room(self, crowd: Crowd) -> Room:
        """The room among some nodes."""
        kinds: dict[int, int] = {}
        for shape, nodes in crowd.items():
            parts = self.fitting_parts(shape)
            if parts:
                kinds[parts] = kinds.get(parts, 0) + nodes
        nodes = sum(kinds.values())
        if len(self.parts) == 1:
            return Room(nodes >= self.wanted.nodes, nodes)
        # Nodes on which the same parts fit are like a slot with room for as many parts as there are nodes.
        options = [[kind for kind in kinds if kind >> part & 1] for part in range(len(self.parts))]
        return Room(transport([self.wanted.nodes] * len(self.parts), options, kinds) is not None, nodes)

    def fitting_parts(self, shape: Shape) -> int:
        """The parts of the question that fit on nodes of a shape, as a set."""
        found = self._fitting.get(shape)
        if found is None:
            fitting = [
                part.at_first_sight(shape) is None and self._step_of_sets(part, shape) == ALL for part in self.parts
            ]
            found = self._fitting[shape] = sum(1 << part for part, fits in enumerate(fitting) if fits)
        return found

    def has_kinds(self, shape: Shape) -> bool:
        """Whether nodes of a shape have something of the right kind for one of the groups, in whatever state."""
        specs = {slot.spec for slot in shape.slots}
        return any(kind.step_of_spec(spec) == ALL for kind in set(self.kinds) for spec in specs)

    def step_of(self, shape: Shape) -> int:
        """The step that stops nodes of a shape; that there are too few of them is none of theirs."""
        found = self._stops.get(shape)
        if found is None:
            found = self._stops[shape] = self._step_of(shape)
        return found

    def step_of_part(self, part: Question, shape: Shape) -> int:
        """The step that stops nodes of a shape, which are online, for a part of the question."""
        step = min(self.kinds[group].furthest(shape) for group in part.numbers)
        return self._step_of_sets(part, shape) if step == ALL else step

    def _step_of(self, shape: Shape) -> int:
        if not shape.is_online:
            return PLACE[Step.ONLINE]
        if not all(NODE_FILTERS[name](shape) for name in self.parts[0].policy.filters):
            return PLACE[Step.CONFIGURED]
        if self.fitting_parts(shape):
            return ALL
        return max(self.step_of_part(part, shape) for part in self.parts)

    def _fits(self, part: Question, shape: Shape) -> bool:
        is_open = bool(shape.open) and all(NODE_FILTERS[name](shape) for name in part.policy.filters)
        return is_open and self._step_of_sets(part, shape) == ALL

    def _step_of_sets(self, part: Question, shape: Shape) -> int:
        groups = [(self.kinds[number], self.wanted.groups[number]) for number in part.numbers]
        if any(kind.most(shape, Nearness.NODE) < group.count for kind, group in groups):
            return PLACE[Step.COUNT]
        if len(groups) > 1:
            is_enough = self._in_all(part, shape) >= sum(group.count for _, group in groups)
            return self._step_by_search(part, shape) if is_enough else PLACE[Step.COUNT]
        ((kind, group),) = groups
        if kind.most(shape, group.near) < group.count:
            return PLACE[Step.NEAR]
        return ALL if all(tie.near is group.near for tie in part.ties) else self._step_by_search(part, shape)

    def _in_all(self, part: Question, shape: Shape) -> int:
        """How much there is that one of the groups could take."""
        kinds = {self.kinds[group] for group in part.numbers}
        return sum(free for spec, free in shape.offer.items() if any(kind.step_of_spec(spec) == ALL for kind in kinds))

    def _step_by_search(self, part: Question, shape: Shape) -> int:
        groups = [(self.kinds[number], self.wanted.groups[number]) for number in part.numbers]
        ways = Ways(part, shape, tuple(_options(shape, kind) for kind, _ in groups))
        if ways.flow((shape.topology.all,) * len(groups)) is None:
            return PLACE[Step.COUNT]
        if any(kind.most(shape, group.near) < group.count for kind, group in groups):
            return PLACE[Step.NEAR]
        return ALL if next(ways.found(), None) is not None else PLACE[Step.TOGETHER]


def _key(group: WantedGroup) -> object:
    return group.resource_class, group.required, group.forbidden, group.any_of, group.comparisons


def _options(shape: Shape, kind: Kind) -> tuple[int, ...]:
    """The slots of which something could be taken."""
    return tuple(number for number in shape.open if kind.step_of_spec(shape.slots[number].spec) == ALL)
