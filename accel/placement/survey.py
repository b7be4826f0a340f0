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
from accel.placement.wanted import Nearness, Wanted
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


@dataclass(frozen=True, slots=True)
class Inquiry:
    """A question, with what has been found out about it. Steps are numbers here: the last one that is passed and one
    more, ``ALL`` where none stops it.
    """

    wanted: Wanted
    parts: tuple[Question, ...]
    _of_kinds: dict[Spec, tuple[int, ...]] = field(default_factory=dict)
    _fitting: dict[Shape, int] = field(default_factory=dict)
    _stops: dict[Shape, int] = field(default_factory=dict)
    _takeable: dict[tuple[Shape, int], dict[int, int]] = field(default_factory=dict)

    @classmethod
    def of(cls, wanted: Wanted, policy: Policy) -> "Inquiry":
        """That of somebody who wants something."""
        return cls(wanted, questions(wanted, policy))

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

    def step_of_kind(self, spec: Spec, group: int) -> int:
        """The step that stops units of a kind for a group, whatever their state."""
        return self._steps_of_kind(spec)[group]

    def step_of_slot(self, slot: Slot, group: int) -> int:
        """The step that stops a unit for a group."""
        step = self.step_of_kind(slot.spec, group)
        if step < ALL:
            return step
        if slot.obstacle:
            return PLACE[Step.USABLE]
        return ALL if slot.free else PLACE[Step.FREE]

    def has_kinds(self, shape: Shape) -> bool:
        """Whether nodes of a shape have something of the right kind for one of the groups, in whatever state."""
        kinds = {slot.spec for slot in shape.slots}
        return any(ALL in self._steps_of_kind(kind) for kind in kinds)

    def step_of(self, shape: Shape) -> int:
        """The step that stops nodes of a shape; that there are too few of them is none of theirs."""
        found = self._stops.get(shape)
        if found is None:
            found = self._stops[shape] = self._step_of(shape)
        return found

    def step_of_part(self, part: Question, shape: Shape) -> int:
        """The step that stops nodes of a shape, which are online, for a part of the question."""
        furthest = (
            max((self.step_of_slot(slot, group) for slot in shape.slots), default=PLACE[Step.CLASS])
            for group in part.numbers
        )
        step = min(furthest)
        return self._step_of_sets(part, shape) if step == ALL else step

    def takeable(self, shape: Shape, group: int) -> Mapping[int, int]:
        """How much a group alone could take, by card."""
        found = self._takeable.get((shape, group))
        if found is None:
            found = self._takeable[shape, group] = {}
            for number in shape.open:
                slot = shape.slots[number]
                if self.step_of_kind(slot.spec, group) == ALL:
                    found[slot.card] = found.get(slot.card, 0) + slot.free
        return found

    def most(self, shape: Shape, group: int, near: Nearness) -> int:
        """How much of that is near to one another in a way."""
        return shape.topology.most(near, self.takeable(shape, group))

    def _steps_of_kind(self, spec: Spec) -> tuple[int, ...]:
        found = self._of_kinds.get(spec)
        if found is None:
            reasons = (next(spec_reasons(group, spec), None) for group in self.wanted.groups)
            found = self._of_kinds[spec] = tuple(ALL if reason is None else PLACE[reason[0]] for reason in reasons)
        return found

    def _step_of(self, shape: Shape) -> int:
        if not shape.is_online:
            return PLACE[Step.ONLINE]
        if not all(NODE_FILTERS[name](shape) for name in self.parts[0].policy.filters):
            return PLACE[Step.CONFIGURED]
        if self.fitting_parts(shape):
            return ALL
        return max(self.step_of_part(part, shape) for part in self.parts)

    def _fits(self, part: Question, shape: Shape) -> bool:
        if part.at_first_sight(shape) is not None:
            return False
        is_enough = len(part.groups) == 1 or self._in_all(part, shape) >= sum(group.count for group in part.groups)
        return is_enough and self._step_of_sets(part, shape) == ALL

    def _step_of_sets(self, part: Question, shape: Shape) -> int:
        groups = [(number, self.wanted.groups[number]) for number in part.numbers]
        if any(self.most(shape, number, Nearness.NODE) < group.count for number, group in groups):
            return PLACE[Step.COUNT]
        if len(groups) > 1:
            is_enough = self._in_all(part, shape) >= sum(group.count for _, group in groups)
            return self._step_by_search(part, shape) if is_enough else PLACE[Step.COUNT]
        ((number, group),) = groups
        if self.most(shape, number, group.near) < group.count:
            return PLACE[Step.NEAR]
        return ALL if all(tie.near is group.near for tie in part.ties) else self._step_by_search(part, shape)

    def _in_all(self, part: Question, shape: Shape) -> int:
        """How much there is that one of the groups could take."""
        kinds = (
            free
            for spec, free in shape.offer.items()
            if any(self.step_of_kind(spec, group) == ALL for group in part.numbers)
        )
        return sum(kinds)

    def _step_by_search(self, part: Question, shape: Shape) -> int:
        ways = Ways(part, shape, tuple(self._options(shape, number) for number in part.numbers))
        if ways.flow((shape.topology.all,) * len(part.groups)) is None:
            return PLACE[Step.COUNT]
        wanted = self.wanted.groups
        if any(self.most(shape, number, wanted[number].near) < wanted[number].count for number in part.numbers):
            return PLACE[Step.NEAR]
        return ALL if next(ways.found(), None) is not None else PLACE[Step.TOGETHER]

    def _options(self, shape: Shape, group: int) -> tuple[int, ...]:
        return tuple(number for number in shape.open if self.step_of_kind(shape.slots[number].spec, group) == ALL)
