"""What is asked of one node, made ready to be asked of many."""

from dataclasses import dataclass, field
from functools import lru_cache

from accel.placement.filters import NODE_FILTERS, Step, accepts
from accel.placement.scores import Policy
from accel.placement.shapes import Shape, Spec
from accel.placement.wanted import Nearness, Together, Wanted, WantedGroup


@dataclass(frozen=True, slots=True)
class Tie:
    """Groups whose accelerators are all near to one another; one group for what it says of itself."""

    groups: tuple[int, ...]
    near: Nearness


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Question:
    """The groups that share a node, and what is good for them. Two questions are equal only if they are one."""

    groups: tuple[WantedGroup, ...]
    numbers: tuple[int, ...]
    """For each its place in ``Wanted.groups``."""
    ties: tuple[Tie, ...]
    """What is more than to be on one node."""
    policy: Policy
    _accepted: tuple[dict[Spec, bool], ...] = field(repr=False)

    def accepts(self, group: int, spec: Spec) -> bool:
        """Whether units of a kind are what a group wants."""
        known = self._accepted[group]
        found = known.get(spec)
        if found is None:
            found = known[spec] = accepts(self.groups[group], spec)
        return found

    def at_first_sight(self, shape: Shape) -> Step | None:
        """The step at which a node is out, as far as it is found without a search: it has too little for a group by
        itself, or does not pass the filters of the policy.
        """
        if not all(NODE_FILTERS[name](shape) for name in self.policy.filters):
            return Step.CONFIGURED
        for number, group in enumerate(self.groups):
            missing = group.count
            for spec, free in shape.offer.items():
                if self.accepts(number, spec):
                    missing -= free
            if missing > 0:
                return Step.COUNT
        return None


def questions(wanted: Wanted, policy: Policy) -> tuple[Question, ...]:
    """One for each node that the groups are to be on. Asked again they are the same, with all that was found out."""
    return _questions(wanted.groups, wanted.together, policy)


@lru_cache(maxsize=64)
def _questions(groups: tuple[WantedGroup, ...], together: tuple[Together, ...], policy: Policy) -> tuple[Question, ...]:
    wanted = Wanted(groups=groups, together=together)
    return tuple(_question(wanted, part, policy) for part in wanted.parts)


def _question(wanted: Wanted, part: tuple[int, ...], policy: Policy) -> Question:
    here = {number: place for place, number in enumerate(part)}
    own = [
        Tie((here[number],), wanted.groups[number].near)
        for number in part
        if wanted.groups[number].count > 1 and wanted.groups[number].near is not Nearness.NODE
    ]
    shared = [
        Tie(tuple(here[number] for number in tie.groups), tie.near)
        for tie in wanted.together
        if isinstance(tie.near, Nearness) and tie.near is not Nearness.NODE and tie.groups[0] in here
    ]
    return Question(
        groups=tuple(wanted.groups[number] for number in part),
        numbers=part,
        ties=(*own, *shared),
        policy=policy,
        _accepted=tuple({} for _ in part),
    )
