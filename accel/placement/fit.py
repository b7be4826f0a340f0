"""Whether and how a question fits on a node of some shape, and how good that is."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

from accel.placement.filters import Step
from accel.placement.question import Question
from accel.placement.scores import Pick, Placed
from accel.placement.sets import sets_of
from accel.placement.shapes import Shape
from accel.placement.topology import bits
from accel.placement.ways import Effort, Way, Ways

_MOST_WAYS = 12
_MOST_ROUNDS = 4
_MOST_ANSWERS = 256


class HandlePlace(NamedTuple):
    """Where a handle is: on which card of the node, in which unit of the card, at which place of its free ones."""

    group: int
    """Its place in the question's groups."""
    card: int
    unit: int
    handle: int


@dataclass(frozen=True, slots=True)
class Fit:
    """The best that a shape has for a question."""

    score: float
    scores: Mapping[str, float]
    handles: tuple[HandlePlace, ...]


Answer = Fit | Step | float
"""What is known of a shape: what it has, at which step it is out, or that it can get no more than so much."""


def glance(question: Question, shape: Shape) -> Answer:
    """What is known of a shape for a question, or is found out without a search. It is remembered with the shape."""
    found: Answer | None = shape.answers.get(question)
    if found is None:
        found = question.at_first_sight(shape)
        if found is None:
            found = question.policy.at_most(shape, sum(group.count for group in question.groups))
        if len(shape.answers) >= _MOST_ANSWERS:
            shape.answers.clear()
        shape.answers[question] = found
    return found


def fit(question: Question, shape: Shape, effort: Effort | None = None) -> Fit | Step:
    """The best that a node of a shape has, or the step at which it is out: ``CONFIGURED``, ``COUNT``, ``NEAR`` or
    ``TOGETHER``. It is remembered with the shape.

    :param effort: what is left of it for the whole question
    """
    found = glance(question, shape)
    if not isinstance(found, float):
        return found
    whole = _whole_cards(question, shape)
    if whole:
        picks = _best_set(question, shape, whole)
    else:
        options = tuple(tuple(_options(question, shape, group)) for group in range(len(question.groups)))
        ways = Ways(question, shape, options, effort or Effort())
        picks = _best_way(question, ways)
        if ways.has_given_up and isinstance(picks, Step):
            return picks
    shape.answers[question] = answer = picks if isinstance(picks, Step) else _scored(question, shape, picks)
    return answer


def _scored(question: Question, shape: Shape, picks: tuple[Pick, ...]) -> Fit:
    policy = question.policy
    scores = policy.scores(Placed(question.groups, shape, picks, _cards(shape, picks), policy.sizes))
    return Fit(policy.total(scores), scores, tuple(_handles(shape, picks)))


def _options(question: Question, shape: Shape, group: int) -> list[int]:
    """The slots a group may have; first those that are the least special, on cards in use, and small."""
    slots = shape.slots

    def liking(number: int) -> tuple[int, int, int, int]:
        slot = slots[number]
        return len(slot.spec.traits), shape.idle >> slot.card & 1, slot.free, number

    return sorted((number for number in shape.open if question.accepts(group, slots[number].spec)), key=liking)


def _whole_cards(question: Question, shape: Shape) -> dict[int, int]:
    """The slots of a single group by their cards, if each card gives one handle; else nothing."""
    whole: dict[int, int] = {}
    if len(question.groups) > 1:
        return whole
    for number in shape.open:
        slot = shape.slots[number]
        if question.accepts(0, slot.spec):
            if slot.free > 1 or slot.card in whole:
                return {}
            whole[slot.card] = number
    return whole


def _best_set(question: Question, shape: Shape, whole: Mapping[int, int]) -> tuple[Pick, ...] | Step:
    """The best set of whole cards for a single group."""
    count = question.groups[0].count
    if len(whole) < count:
        return Step.COUNT
    cards = sum(1 << card for card in whole)
    key = (question, cards, shape.usable, shape.busy, shape.kinds, shape.twins)
    best: int | None = shape.topology.memory.get(key)
    if best is None:
        best = _best_cards(question, shape, cards)
        shape.topology.remember(key, best)
    return tuple(Pick(0, whole[card], 1) for card in bits(best)) if best else Step.NEAR


def _best_cards(question: Question, shape: Shape, cards: int) -> int:
    """The best set of so many cards as are wanted that are near; the empty one where there is none."""
    count, policy = question.groups[0].count, question.policy
    cliques = [cards]
    for tie in question.ties:
        cliques = [part for whole in cliques for part in shape.topology.cliques(tie.near, whole)]

    def value(used: int) -> float:
        return policy.of_set(shape, used)

    wide = (clique for clique in cliques if clique.bit_count() >= count)
    sets = [chosen for clique in wide for chosen in sets_of(clique, count, shape.twins, value)]
    return max(sets, key=value) if len(sets) > 1 else sum(sets)


def _best_way(question: Question, ways: Ways) -> tuple[Pick, ...] | Step:
    best: tuple[float, tuple[Pick, ...]] | None = None
    for way in islice(ways.found(), _MOST_WAYS):
        found = _improved(question, ways, way)
        if best is None or found[0] > best[0]:
            best = found
    return best[1] if best else _why_not(question, ways)


def _why_not(question: Question, ways: Ways) -> Step:
    if ways.flow((ways.shape.topology.all,) * len(question.groups)) is None:
        return Step.COUNT
    if not all(ways.alone(tie) for tie in question.ties if len(tie.groups) == 1):
        return Step.NEAR
    return Step.TOGETHER


def _improved(question: Question, ways: Ways, way: Way) -> tuple[float, tuple[Pick, ...]]:
    """What a way gives, better by moving from card to card whatever can be moved, and how good it is."""
    shape = ways.shape
    picks = [Pick(group, slot, amount) for group, flow in enumerate(way.flow) for slot, amount in flow.items()]
    value = question.policy.of_set(shape, _cards(shape, picks))
    for _ in range(_MOST_ROUNDS):
        moved = _moved(question, ways, way, picks, value)
        if moved is None:
            break
        value, picks = moved
    return value, tuple(sorted(picks))


def _moved(
    question: Question, ways: Ways, way: Way, picks: list[Pick], value: float
) -> tuple[float, list[Pick]] | None:
    """The best that moving one pick as a whole to another card leads to, if it is better than what is."""
    shape, best = ways.shape, None
    used: dict[int, int] = {}
    for pick in picks:
        used[pick.slot] = used.get(pick.slot, 0) + pick.amount
    for place, pick in enumerate(picks):
        others = picks[:place] + picks[place + 1 :]
        rest = _cards(shape, others)
        for slot in _elsewhere(ways, way, pick):
            there = shape.slots[slot]
            if there.free - used.get(slot, 0) < pick.amount:
                continue
            found = question.policy.of_set(shape, rest | 1 << there.card)
            if found > value + 1e-9:
                value, best = found, [*others, Pick(pick.group, slot, pick.amount)]
    return None if best is None else (value, _merged(best))


def _elsewhere(ways: Ways, way: Way, pick: Pick) -> Iterator[int]:
    """The slots of other cards that a group may have."""
    slots = ways.shape.slots
    here = slots[pick.slot].card
    for slot in ways.options[pick.group]:
        if slots[slot].card != here and way.within[pick.group] >> slots[slot].card & 1:
            yield slot


def _merged(picks: list[Pick]) -> list[Pick]:
    amounts: dict[tuple[int, int], int] = {}
    for group, slot, amount in picks:
        amounts[group, slot] = amounts.get((group, slot), 0) + amount
    return [Pick(group, slot, amount) for (group, slot), amount in sorted(amounts.items())]


def _cards(shape: Shape, picks: tuple[Pick, ...] | list[Pick]) -> int:
    cards = 0
    for pick in picks:
        cards |= 1 << shape.slots[pick.slot].card
    return cards


def _handles(shape: Shape, picks: tuple[Pick, ...]) -> Iterator[HandlePlace]:
    taken: dict[int, int] = {}
    for pick in picks:
        slot = shape.slots[pick.slot]
        for _ in range(pick.amount):
            place = taken[pick.slot] = taken.get(pick.slot, -1) + 1
            yield HandlePlace(pick.group, slot.card, slot.unit, place)
