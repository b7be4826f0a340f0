"""How many times a question would fit if the fleet were another one: the same search, over a copy that is changed.

Each time the best place is taken, as a claim would take it, and then it is asked again.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from accel.errors import InvalidValue
from accel.placement.explain import explain
from accel.placement.explanation import Explanation
from accel.placement.fleet import Fleet
from accel.placement.scores import DEFAULT, Policy
from accel.placement.search import Candidate, candidates
from accel.placement.snapshot import Host
from accel.placement.taking import without
from accel.placement.wanted import Wanted


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What would be."""

    fits: int
    """How many times it fits, as far as it was asked for."""
    nodes: Mapping[str, int]
    """How many times something is put on each node, in the order in which they are first used."""
    next: Explanation | None
    """What blocks the next one; None where as many fit as were asked for."""


def changed(fleet: Fleet, *, add: Iterable[Host] = (), drain: Collection[str] = ()) -> Fleet:
    """A copy with more nodes, and without those that are drained.

    :raises InvalidValue: there is no node to be drained, or there is one already that is to be added
    """
    copy = fleet.copy()
    for host in add:
        if host.name in copy.hosts:
            raise InvalidValue("add_nodes", host.name, "a name that no other node has")
        copy.replace(host)
    for place, name in enumerate(drain):
        if name not in copy.hosts:
            raise InvalidValue(f"drain[{place}]", name, "the name of a node, each of them once")
        copy.remove(name)
    return copy


def what_if(wanted: Wanted, fleet: Fleet, *, count: int, policy: Policy = DEFAULT) -> Outcome:
    """How many times a question fits, one after the other.

    :param fleet: one that nobody else has: what fits is taken from it
    :param count: how many times it is asked for
    """
    used: Counter[str] = Counter()
    for done in range(count):
        found = candidates(wanted, fleet, limit=1, policy=policy, seed=done)
        if not found:
            return Outcome(fits=done, nodes=used, next=explain(wanted, fleet, policy=policy))
        take(fleet, found[0])
        used.update(found[0].nodes)
    return Outcome(fits=count, nodes=used, next=None)


def take(fleet: Fleet, candidate: Candidate) -> None:
    """Take all that a candidate is made of."""
    handles = {part.handle for part in candidate.parts}
    for name in candidate.nodes:
        fleet.replace(without(fleet.hosts[name], handles))
