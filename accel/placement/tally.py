"""What is left of a fleet after each step, and why the rest is not."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import NamedTuple

from accel.placement.explanation import Passed, Reason
from accel.placement.filters import SET_STEPS, UNIT_STEPS, Step, unit_reasons
from accel.placement.shapes import Shape, Slot, Spec
from accel.placement.sight import Crowd, Sight
from accel.placement.survey import ALL, PLACE, STEPS, Inquiry, Room
from accel.placement.wanted import Nearness
from accel.placement.words import shortage

_MOST_REASONS = 6
_LAST_OF_UNITS = PLACE[UNIT_STEPS[-1]]


class _State(NamedTuple):
    """What the reason depends on for which a unit is stopped for a group."""

    group: int
    spec: Spec
    obstacle: str
    is_free: bool
    is_held: bool


class Tally:
    """Counts nodes and devices by the step that stops them."""

    def __init__(self, inquiry: Inquiry, crowd: Crowd) -> None:
        self._inquiry = inquiry
        self._groups = {kind: inquiry.kinds.index(kind) for kind in inquiry.kinds}
        """The first group of each kind: of the others the same is true."""
        self._nodes: Counter[int] = Counter()
        """By the step that stops them."""
        self._devices: Counter[tuple[int, int]] = Counter()
        """By the step that stops their node, and the one that stops them."""
        self._states: Counter[tuple[int, _State]] = Counter()
        self._shortages: Counter[tuple[int, str]] = Counter()
        for shape, count in crowd.items():
            self._add(shape, count)

    def nodes(self, step: int) -> int:
        """How many nodes pass a step."""
        return sum(count for stop, count in self._nodes.items() if stop > step)

    def devices(self, step: int) -> int:
        """How many devices pass a step, on nodes that do."""
        own_step = min(step, _LAST_OF_UNITS)
        return sum(count for (stop, own), count in self._devices.items() if stop > step and own > own_step)

    def reasons(self, step: int) -> Iterator[Reason]:
        """Why what a step stops does not pass it."""
        texts: Counter[str] = Counter()
        for (at, state), count in self._states.items():
            if at == step:
                texts[self._text(state, STEPS[step])] += count
        yield from (Reason(text=text, count=count) for text, count in texts.items())
        for (at, text), count in self._shortages.items():
            if at == step:
                yield Reason(text=text, count=count, of_nodes=True)

    def _add(self, shape: Shape, count: int) -> None:
        stop = self._inquiry.step_of(shape)
        self._nodes[stop] += count
        for own, state in self._furthest(shape):
            self._devices[stop, own] += count
            if state is not None and own <= stop and own < ALL:
                self._states[own, state] += count
        if stop in _OF_SETS:
            self._shortages[stop, self._shortage(shape, stop)] += count

    def _furthest(self, shape: Shape) -> Iterator[tuple[int, _State | None]]:
        """For each card the step that stops it for the group for which it comes furthest."""
        best: list[tuple[int, int, Slot] | None] = [None] * shape.topology.size
        for slot in shape.slots:
            for kind, group in self._groups.items():
                step = kind.step_of_slot(slot)
                found = best[slot.card]
                if found is None or step > found[0]:
                    best[slot.card] = step, group, slot
        for found in best:
            if found is None:
                yield PLACE[Step.CLASS], None
            else:
                step, group, slot = found
                yield step, _State(group, slot.spec, slot.obstacle, slot.free > 0, slot.held > 0)

    def _shortage(self, shape: Shape, step: int) -> str:
        """Why nodes of a shape do not pass a step about sets of units."""
        inquiry = self._inquiry
        part = next(part for part in inquiry.parts if inquiry.step_of_part(part, shape) == step)
        for group in part.numbers if step < PLACE[Step.TOGETHER] else ():
            wanted = inquiry.wanted.groups[group]
            near = wanted.near if step == PLACE[Step.NEAR] else Nearness.NODE
            if (found := inquiry.kinds[group].most(shape, near)) < wanted.count:
                return shortage(wanted, found, near)
        return "has enough for each group alone, and not for all of them as they are wanted"

    def _text(self, state: _State, step: Step) -> str:
        slot = Slot(0, 0, state.spec, int(state.is_free), int(state.is_held), state.obstacle)
        reasons = unit_reasons(self._inquiry.wanted.groups[state.group], slot)
        return next((text for at, text in reasons if at is step), "")


_OF_SETS = frozenset(map(PLACE.__getitem__, SET_STEPS))


def steps_of(inquiry: Inquiry, sight: Sight, tally: Tally, room: Room) -> Iterator[Passed]:
    """What is left after each step."""
    wanted = inquiry.wanted
    online = _online(sight.everybody())
    labelled = _online(sight.crowd(replace(wanted, exclude_nodes=frozenset())))
    left = _online(sight.crowd(wanted))
    silent = len(sight.fleet) - sum(online.values())
    lacking = [(f"has no label {key}={value}", sight.lacking(key, value)) for key, value in wanted.labels.items()]
    excluded = sum(labelled.values()) - sum(left.values())
    yield _of_nodes(Step.ONLINE, online, [("is offline", silent)])
    yield _of_nodes(Step.LABELS, labelled, lacking)
    yield _of_nodes(Step.EXCLUDED, left, [("is excluded", excluded)])
    for step in STEPS[PLACE[Step.EXCLUDED] + 1 :]:
        is_enough = step is not Step.GANG or room.fits
        yield Passed(
            filter=step,
            nodes=tally.nodes(PLACE[step]) if is_enough else 0,
            devices=tally.devices(PLACE[step]) if is_enough else 0,
            reasons=_foremost(tally.reasons(PLACE[step])),
        )


def _online(crowd: Crowd) -> Crowd:
    return {shape: count for shape, count in crowd.items() if shape.is_online}


def _of_nodes(step: Step, crowd: Crowd, reasons: Iterable[tuple[str, int]]) -> Passed:
    return Passed(
        filter=step,
        nodes=sum(crowd.values()),
        devices=sum(count * shape.topology.size for shape, count in crowd.items()),
        reasons=_foremost(Reason(text=text, count=count, of_nodes=True) for text, count in reasons if count),
    )


def _foremost(reasons: Iterable[Reason]) -> tuple[Reason, ...]:
    return tuple(sorted(reasons, key=lambda reason: (-reason.count, reason.text))[:_MOST_REASONS])
