"""Candidates: where a question fits, the best first.

Shapes are asked, not nodes, and those first that can be best, so that few are asked for a short answer. Nodes of equal
score come in an order that depends on the seed: whoever asks at the same time with another seed begins elsewhere.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from heapq import heapify, heappop, heappush, merge
from itertools import islice
from typing import NamedTuple

from accel.placement.fit import Fit, fit, glance
from accel.placement.fleet import Fleet, ring_position
from accel.placement.matching import matched
from accel.placement.question import Question, questions
from accel.placement.scores import DEFAULT, Policy
from accel.placement.shapes import Shape
from accel.placement.snapshot import Host
from accel.placement.wanted import Wanted
from accel.placement.ways import Effort


class Assignment(NamedTuple):
    """One accelerator of a candidate."""

    group: int
    """Its place in ``Wanted.groups``."""
    node: str
    card: str
    """The UUID of the device."""
    unit: str
    """The UUID of the deployable."""
    unit_name: str
    provider: str
    resource_class: str
    handle: str
    """The UUID of the attach handle."""
    handle_type: str
    others: tuple[str, ...] = ()
    """As ``Handle.others``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A place for all that is wanted."""

    parts: tuple[Assignment, ...]
    """One for each accelerator: by node, then by group."""
    score: float
    """From 0 to 1: the parts of the score by their weights; of several nodes the mean."""
    scores: Mapping[str, float]

    @property
    def nodes(self) -> tuple[str, ...]:
        """The nodes, each once."""
        return tuple(dict.fromkeys(part.node for part in self.parts))


Found = tuple[str, Fit]
"""A node, and what it has for a question."""


def candidates(
    wanted: Wanted, fleet: Fleet, *, limit: int = 10, policy: Policy = DEFAULT, seed: object = ""
) -> list[Candidate]:
    """The best places for what is wanted, the best first; none if and only if it fits nowhere.

    There is one for each node, the best that the node has. Where several nodes are wanted, no two candidates have one
    in common: who loses one of them to somebody else can take the next.

    :param seed: the same fleet, question and seed give the same answer; another seed another order of what is equal
    """
    parts = questions(wanted, policy)
    start = ring_position(str(seed))
    if len(parts) == 1 and wanted.nodes == 1:
        found = islice(ranked(wanted, parts[0], fleet, start), limit)
        return [_candidate(fleet, [(parts[0], name, there)]) for name, there in found]
    return list(islice(_gangs(wanted, parts, fleet, start), limit))


def ranked(wanted: Wanted, question: Question, fleet: Fleet, start: int) -> Iterator[Found]:
    """The nodes that one question fits on, the best first."""
    may_be = _allowed(wanted, fleet)
    for shapes in _by_score(question, _possible(wanted, question, fleet)):
        members = [_ring(fleet, shape, there, start) for shape, there in shapes]
        for _, name, there in merge(*members, key=_distance):
            if may_be(name):
                yield name, there


def _ring(fleet: Fleet, shape: Shape, there: Fit, start: int) -> Iterator[tuple[int, str, Fit]]:
    return ((far, name, there) for far, name in fleet.ring_members(shape, start))


def _distance(member: tuple[int, str, Fit]) -> tuple[int, str]:
    return member[:2]


def _allowed(wanted: Wanted, fleet: Fleet) -> Callable[[str], bool]:
    """Whether a node is one of those that are spoken of."""
    if wanted.labels:
        return (fleet.labelled(wanted.labels) - wanted.exclude_nodes).__contains__
    return lambda name: name not in wanted.exclude_nodes


def _possible(wanted: Wanted, question: Question, fleet: Fleet) -> Collection[Shape]:
    """The shapes that have something for each group."""
    specs = list(fleet.specs())
    offering = [
        fleet.offering(spec for spec in specs if question.accepts(group, spec)) for group in range(len(question.groups))
    ]
    if wanted.labels:
        offering.append(dict.fromkeys(fleet.shape_of(name) for name in fleet.labelled(wanted.labels)))
    fewest = min(offering, key=len)
    return [shape for shape in fewest if all(shape in others for others in offering)]


def _by_score(question: Question, shapes: Collection[Shape]) -> Iterator[list[tuple[Shape, Fit]]]:
    """The shapes that the question fits on, those of one score together, the best first.

    What a shape has is found out when no other one can be better.
    """
    heap: list[tuple[float, bool, int, Shape, Fit | None]] = []
    for number, shape in enumerate(shapes):
        known = glance(question, shape)
        if isinstance(known, Fit):
            heap.append((-known.score, True, number, shape, known))
        elif isinstance(known, float):
            heap.append((-known, False, number, shape, None))
    heapify(heap)
    effort = Effort()
    equal: list[tuple[Shape, Fit]] = []
    while heap:
        _, _, number, shape, there = heappop(heap)
        if there is not None:
            equal.append((shape, there))
        elif isinstance(found := fit(question, shape, effort), Fit):
            heappush(heap, (-found.score, True, number, shape, found))
        if equal and (not heap or -heap[0][0] < equal[0][1].score):
            yield equal
            equal = []


def _gangs(wanted: Wanted, parts: Sequence[Question], fleet: Fleet, start: int) -> Iterator[Candidate]:
    """Candidates of several nodes, which have no node in common."""
    needed = len(parts) * wanted.nodes
    lists = [_Ranking(ranked(wanted, question, fleet, start)) for question in parts]
    used: set[str] = set()
    while True:
        choices = [ranking.first(needed, used) for ranking in lists]
        names = [[name for name, _ in found] for found in choices]
        chosen = matched(names, wanted.nodes)
        if chosen is None:
            return
        by_name = [dict(found) for found in choices]
        yield _candidate(
            fleet,
            [(parts[part], name, by_name[part][name]) for part, taken in enumerate(chosen) for name in taken],
        )
        used.update(name for taken in chosen for name in taken)


class _Ranking:
    """The nodes of a ranking, looked at as far as is needed."""

    def __init__(self, found: Iterator[Found]) -> None:
        self._rest = found
        self._seen: list[Found] = []

    def first(self, count: int, without: set[str]) -> list[Found]:
        """The best so many that are not among some others."""
        self._seen = [found for found in self._seen if found[0] not in without]
        while len(self._seen) < count:
            found = next(self._rest, None)
            if found is None:
                break
            if found[0] not in without:
                self._seen.append(found)
        return self._seen[:count]


def _candidate(fleet: Fleet, chosen: Sequence[tuple[Question, str, Fit]]) -> Candidate:
    parts = tuple(part for question, name, there in chosen for part in _assignments(question, fleet.hosts[name], there))
    if len(chosen) == 1:
        (_, _, there) = chosen[0]
        return Candidate(parts=parts, score=there.score, scores=there.scores)
    fits = [there for _, _, there in chosen]
    return Candidate(
        parts=parts,
        score=round(sum(there.score for there in fits) / len(fits), 6),
        scores={name: round(sum(there.scores[name] for there in fits) / len(fits), 6) for name in fits[0].scores},
    )


def _assignments(question: Question, host: Host, there: Fit) -> Iterator[Assignment]:
    for group, card_number, unit_number, handle_number in there.handles:
        card = host.cards[card_number]
        unit = card.units[unit_number]
        handle = unit.free[handle_number]
        yield Assignment(
            question.numbers[group],
            host.name,
            card.uuid,
            unit.uuid,
            unit.name,
            unit.provider,
            unit.resource_class,
            handle.uuid,
            handle.type,
            handle.others,
        )
