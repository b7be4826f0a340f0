"""Why a question does not fit: what is left after each step, what stands in the way, what comes nearest, what helps.

Everything that is said would help is a question of its own, asked here of the same fleet in the same way; whoever asks
it again gets the same answer. Nothing is said of who holds what: the deployables are named, and whoever may know can
look.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

from accel.placement.blocker import Facts, blocker
from accel.placement.explanation import Counterfactual, Explanation
from accel.placement.fleet import Fleet
from accel.placement.nearest import nearest
from accel.placement.relaxation import (
    Relaxation,
    relaxations,
    suppositions,
    with_count,
)
from accel.placement.scores import DEFAULT, Policy
from accel.placement.shapes import Shape
from accel.placement.sight import Crowd, Sight
from accel.placement.supposed import EVERYTHING, NOTHING, Suppositions
from accel.placement.survey import Inquiry, Kinds, Room
from accel.placement.tally import Tally, steps_of
from accel.placement.wanted import Nearness, Wanted
from accel.placement.words import nodes as nodes_text
from accel.placement.words import noun, some


def explain(wanted: Wanted, fleet: Fleet, *, policy: Policy = DEFAULT, suppose: Suppositions = NOTHING) -> Explanation:
    """Whether a question fits, and if not, why.

    :param suppose: what is taken for granted about the fleet
    """
    return _Explainer(wanted, fleet, policy, suppose).explanation()


class _Explainer:
    """Asks a question in many forms of one fleet."""

    def __init__(self, wanted: Wanted, fleet: Fleet, policy: Policy, suppose: Suppositions) -> None:
        self._wanted = wanted
        self._policy = policy
        self._suppose = suppose
        self._fleet = fleet
        self._sights: dict[Suppositions, Sight] = {}
        self._inquiries: dict[object, Inquiry] = {}
        self._kinds: Kinds = {}

    def explanation(self) -> Explanation:
        """The whole of it."""
        inquiry, sight = self._inquiry(self._wanted), self._sight(self._suppose)
        crowd = sight.crowd(self._wanted)
        room = inquiry.room(crowd)
        steps = tuple(steps_of(inquiry, sight, Tally(inquiry, crowd), room))
        if room.fits:
            return Explanation(nodes=room.nodes, steps=steps)
        return Explanation(
            nodes=room.nodes,
            steps=steps,
            blocker=blocker(Facts(inquiry, crowd, self._ever, len(self._fleet), steps, room)),
            nearest=nearest(inquiry, sight),
            counterfactuals=tuple(self._counterfactuals()),
        )

    def _counterfactuals(self) -> Iterator[Counterfactual]:
        wanted, suppose = self._wanted, self._suppose
        for relaxation in relaxations(wanted):
            yield from self._tried(replace(relaxation, suppose=suppose), f"without {relaxation.without}")
        yield from self._smaller()
        if not self._room(wanted, EVERYTHING).fits:
            return  # then no part of everything would do, either
        for relaxation in suppositions(wanted, suppose):
            yield from self._tried(relaxation, f"without {relaxation.without}")

    def _smaller(self) -> Iterator[Counterfactual]:
        """The question with the largest number that fits in place of each of its numbers."""
        wanted, suppose = self._wanted, self._suppose
        for place, group in enumerate(wanted.groups):
            most = self._largest(self._most_of(place), partial(with_count, wanted, place))
            if most:
                relaxation = Relaxation(
                    code="count",
                    without=f"more than {most} of {some(wanted, place)}",
                    wanted=with_count(wanted, place, most),
                    suppose=suppose,
                )
                yield from self._tried(relaxation, f"with {most} {noun(group)} in place of {group.count}")
        most = self._largest(wanted.nodes - 1, lambda count: replace(wanted, nodes=count))
        if most:
            relaxation = Relaxation(
                code="nodes",
                without=f"more than {nodes_text(most)} of {wanted.nodes}",
                wanted=replace(wanted, nodes=most),
                suppose=suppose,
            )
            yield from self._tried(relaxation, f"with {nodes_text(most)} in place of {wanted.nodes}")

    def _tried(self, relaxation: Relaxation, how: str) -> Iterator[Counterfactual]:
        room = self._room(relaxation.wanted, relaxation.suppose)
        if room.fits:
            text = f"It would fit on {nodes_text(room.nodes)} {how}."
            yield Counterfactual(relaxation=relaxation, nodes=room.nodes, text=text)

    def _largest(self, most: int, question: Callable[[int], Wanted]) -> int:
        """The largest number up to some with which a question fits; 0 for none. The more, the harder."""
        low, high = 0, most
        while low < high:
            middle = (low + high + 1) // 2
            if self._room(question(middle), self._suppose).fits:
                low = middle
            else:
                high = middle - 1
        return low

    def _most_of(self, place: int) -> int:
        """How many of a group there are on a node at most, if they are fewer than wanted."""
        inquiry = self._inquiry(self._wanted)
        crowd: Crowd = self._sight(self._suppose).crowd(self._wanted)
        most = max((inquiry.kinds[place].most(shape, Nearness.NODE) for shape in crowd), default=0)
        return min(self._wanted.groups[place].count - 1, most)

    def _room(self, wanted: Wanted, suppose: Suppositions) -> Room:
        return self._inquiry(wanted).room(self._sight(suppose).crowd(wanted))

    def _inquiry(self, wanted: Wanted) -> Inquiry:
        key = (wanted.groups, wanted.together, wanted.nodes)
        if key not in self._inquiries:
            self._inquiries[key] = Inquiry.of(wanted, self._policy, self._kinds)
        return self._inquiries[key]

    def _ever(self) -> Crowd:
        """The nodes that could come as far as to be counted, under all suppositions."""
        return self._sight(EVERYTHING).crowd(self._wanted)

    def _sight(self, suppose: Suppositions) -> Sight:
        if suppose not in self._sights:
            # What more is supposed changes the state of things, and not of which kind they are.
            is_more = suppose != self._suppose
            matters = self._inquiry(self._wanted).has_kinds if is_more else _everything
            self._sights[suppose] = Sight(self._fleet, suppose, matters=matters)
        return self._sights[suppose]


def _everything(_shape: Shape) -> bool:
    return True
