"""Whether what is asked for fits on each of some nodes that somebody else has chosen, how well, and why not.

All nodes of one shape get one verdict, so that thousands of names cost little more than the few shapes behind them. The
texts say what is the matter with "it", the node; they name neither the node nor who has its devices, so that whoever
collects them can count those that are equal.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from accel.placement.filters import NODE_FILTERS, UNIT_STEPS, Step, spec_reasons
from accel.placement.fit import Fit, fit
from accel.placement.fleet import Fleet
from accel.placement.question import Question, questions
from accel.placement.relaxation import NEARNESS
from accel.placement.scores import Policy
from accel.placement.shapes import Shape, Slot
from accel.placement.supposed import Supposition, supposed
from accel.placement.wanted import Nearness, Wanted, WantedGroup
from accel.placement.words import noun


class Verdict(NamedTuple):
    """What is found about a node."""

    score: float = 0.0
    """How well it suits, from 0 to 1."""
    reason: str = ""
    """Why it does not fit; empty: it does."""
    may_change: bool = False
    """Whether it would fit if nobody had anything of the node."""

    @property
    def fits(self) -> bool:
        """Whether it does."""
        return not self.reason


FITS = Verdict()
_RELEASED = frozenset({Supposition.RELEASED})
UNKNOWN_NODE = Verdict(reason="is not a node that accel knows")


def judge(wanted: Wanted, fleet: Fleet, names: Iterable[str], policy: Policy) -> dict[str, Verdict]:
    """What is found about each of some nodes, by itself: labels, excluded nodes and gangs are not looked at.

    :param names: of nodes, there or not
    """
    asked = questions(wanted, policy)
    hosts = fleet.hosts
    shapes = {name: fleet.shape_of(name) if name in hosts else None for name in names}
    verdicts = _verdicts(asked, {shape for shape in shapes.values() if shape is not None})
    return {name: UNKNOWN_NODE if shape is None else verdicts[shape] for name, shape in shapes.items()}


def _verdicts(asked: Sequence[Question], shapes: Iterable[Shape]) -> dict[Shape, Verdict]:
    found = {shape: _verdict(asked, shape) for shape in shapes}
    emptied = supposed((shape for shape, verdict in found.items() if not verdict.fits), _RELEASED)
    would_fit = {shape: _verdict(asked, shape).fits for shape in set(emptied.values())}
    changing = {shape: found[shape]._replace(may_change=would_fit[later]) for shape, later in emptied.items()}
    return found | changing


def _verdict(asked: Sequence[Question], shape: Shape) -> Verdict:
    if not shape.is_online:
        return Verdict(reason="is offline")
    if len(asked) > 1:
        return Verdict(reason="is one node, and what is asked for is to be on different ones")
    (question,) = asked
    for name in question.policy.filters:
        if not NODE_FILTERS[name](shape):
            return Verdict(reason=f"does not pass the filter {name}")
    answer = fit(question, shape)
    if isinstance(answer, Fit):
        return Verdict(score=answer.score)
    return Verdict(reason=_reason(question, shape, answer))


def _reason(question: Question, shape: Shape, step: Step) -> str:
    alone = next(filter(None, (_lack(question, shape, number) for number in range(len(question.groups)))), None)
    if alone:
        return alone
    if step is Step.COUNT:
        return "has enough for each group, and not for all of them at once"
    near = next((group for group in question.groups if group.near is not Nearness.NODE and group.count > 1), None)
    if step is Step.NEAR and near is not None:
        return f"has enough free {noun(near)}, and not {near.count} {NEARNESS[near.near]}"
    return "has enough that is free, and not as near to one another as is wanted"


def _lack(question: Question, shape: Shape, number: int) -> str | None:
    """What is too few for one group alone, wherever it is on the node."""
    group = question.groups[number]
    right = [slot for slot in shape.slots if question.accepts(number, slot.spec)]
    if not right:
        return _nearest(group, shape.slots)
    free = sum(slot.free for slot in right if slot.is_open)
    usable = free + sum(slot.held for slot in right if not slot.obstacle)
    barred: Counter[str] = Counter()
    for slot in right:
        if slot.obstacle:
            barred[slot.obstacle] += max(1, slot.free + slot.held)
    if free >= group.count:
        return None
    if usable >= group.count:
        return _too_few("free", free, group)
    if usable + barred.total() < group.count:
        return _too_few("", usable + barred.total(), group)
    why = ", ".join(f"{count} {obstacle}" for obstacle, count in sorted(barred.items()))
    return f"{_too_few('usable', usable, group)}: {why}"


def _too_few(state: str, count: int, group: WantedGroup) -> str:
    what = noun(group)
    if count:
        return " ".join(filter(None, ("has", str(count), state, f"of the {group.count} {what} that are wanted")))
    return f"has no {state} {what}" if state else f"has no {what} to give"


def _nearest(group: WantedGroup, slots: Iterable[Slot]) -> str:
    """What is the matter with the device that comes the farthest: the steps are taken in their order."""
    reasons = [list(spec_reasons(group, slot.spec)) for slot in slots]
    if not reasons:
        return "has no devices"
    farthest = max(reasons, key=lambda found: (UNIT_STEPS.index(found[0][0]), -len(found)))
    return f"has no device that will do: the nearest {farthest[0][1]}"
