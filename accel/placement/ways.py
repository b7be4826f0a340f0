"""The ways in which a node can give all groups what they want: exact, for any mixture of relations between them.

A tie says that all accelerators of its groups are near to one another, so their cards are within one of the largest
sets of cards that are all near (a clique). So the search chooses a clique for each tie, one after the other; what is
then left is a transport problem. It goes no further where that has no solution, and it looks at one only of states that
differ in the order of equal groups or of cards that can change places.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from accel.placement.question import Question, Tie
from accel.placement.shapes import Shape
from accel.placement.transport import Flow, transport

_STEPS_OF_EACH = 16


@dataclass(slots=True)
class Effort:
    """How many transport problems may be solved for one question, beside a few for each shape.

    To find out whether groups that each want a device of their own fit is a packing problem, for which no fast way is
    known. Questions that people ask take a few steps for a shape. One that is made on purpose to take very many comes
    to an end here: where it does, a node counts as one that the question does not fit on.
    """

    left: int = 2000


@dataclass(frozen=True, slots=True)
class Way:
    """How a node can give all groups what they want."""

    within: tuple[int, ...]
    """For each group the cards that it may have. Whatever it takes within them is right."""
    flow: Flow


@dataclass(slots=True)
class Ways:
    """The search on one shape."""

    question: Question
    shape: Shape
    options: tuple[tuple[int, ...], ...]
    """For each group the slots it may have, the ones it likes best first."""
    effort: Effort = field(default_factory=Effort)
    steps: int = 0
    has_given_up: bool = False
    """Whether not all ways were looked at."""
    _seen: set[object] = field(default_factory=set)
    _kinds: tuple[int, ...] = ()
    """For each group the first that is equal to it."""

    def __post_init__(self) -> None:
        first: dict[object, int] = {}
        about = enumerate(zip(self.question.groups, self.options, strict=True))
        self._kinds = tuple(
            first.setdefault((group.count, options, self._ties_of(number)), number)
            for number, (group, options) in about
        )

    def _ties_of(self, group: int) -> object:
        """What is equal for groups that no tie tells apart."""
        ties = [tie for tie in self.question.ties if group in tie.groups]
        alone = all(len(tie.groups) == 1 for tie in ties)
        return tuple(sorted(tie.near for tie in ties)) if alone else group

    def found(self) -> Iterator[Way]:
        """All ways that are not alike, one at least if there is any."""
        ties = sorted(((tie, self._cliques(tie)) for tie in self.question.ties), key=lambda pair: len(pair[1]))
        everything = (self.shape.topology.all,) * len(self.question.groups)
        flow = self.flow(everything)
        if flow is not None and all(cliques for _, cliques in ties):
            yield from self._deeper(ties, everything, flow)

    def flow(self, within: Sequence[int]) -> Flow | None:
        """What each group takes when it keeps to its cards; None where they do not suffice."""
        self.steps += 1
        slots = self.shape.slots
        options = [
            [slot for slot in slots_ if cards >> slots[slot].card & 1]
            for cards, slots_ in zip(within, self.options, strict=True)
        ]
        room = {slot: slots[slot].free for slot in self.shape.open}
        return transport([group.count for group in self.question.groups], options, room)

    def alone(self, tie: Tie) -> bool:
        """Whether a tie can be kept as long as nobody asks for the others."""
        return bool(self._cliques(tie))

    def _deeper(self, ties: Sequence[tuple[Tie, Sequence[int]]], within: tuple[int, ...], flow: Flow) -> Iterator[Way]:
        if not ties:
            yield Way(within, flow)
            return
        (tie, cliques), *rest = ties
        for clique in cliques:
            if not self._may_go_on():
                return
            closer = tuple(cards & clique if group in tie.groups else cards for group, cards in enumerate(within))
            state = (len(rest), self._alike(closer))
            if state in self._seen:
                continue
            self._seen.add(state)
            flow_there = self.flow(closer)
            if flow_there is not None:
                yield from self._deeper(rest, closer, flow_there)

    def _may_go_on(self) -> bool:
        if self.steps >= _STEPS_OF_EACH:
            self.has_given_up = self.effort.left <= 0
            self.effort.left -= not self.has_given_up
        return not self.has_given_up

    def _cliques(self, tie: Tie) -> list[int]:
        """The cliques that can give the groups of a tie what they need; those that break the least come first."""
        slots, groups = self.shape.slots, self.question.groups
        cards = 0
        for group in tie.groups:
            for slot in self.options[group]:
                cards |= 1 << slots[slot].card
        found = [
            clique
            for clique in self.shape.topology.cliques(tie.near, cards)
            if all(self._room(group, clique) >= groups[group].count for group in tie.groups)
        ]
        idle = self.shape.idle
        return sorted(found, key=lambda clique: ((clique & idle).bit_count(), clique.bit_count(), clique))

    def _room(self, group: int, cards: int) -> int:
        slots = self.shape.slots
        return sum(slots[slot].free for slot in self.options[group] if cards >> slots[slot].card & 1)

    def _alike(self, within: tuple[int, ...]) -> tuple[object, ...]:
        """The same for states of which one becomes the other by exchanging twins among the cards, or equal groups.

        Groups are exchanged where each that has been given cards has one: then it is enough to count them by card.
        """
        everything = self.shape.topology.all
        placed = [(group, cards) for group, cards in enumerate(within) if cards != everything]
        names: Sequence[object] = range(len(within))
        if all(cards.bit_count() == 1 for _, cards in placed):
            names = self._kinds
        columns: dict[int, list[tuple[object, ...]]] = {}
        for card, twin in enumerate(self.shape.twins):
            column = tuple(sorted(str(names[group]) for group, cards in placed if cards >> card & 1))
            columns.setdefault(twin, []).append(column)
        return tuple((twin, tuple(sorted(members))) for twin, members in columns.items())
