"""What somebody wants: groups of accelerators, how near they must be to one another, on how many nodes and on which.

A question says it by a device profile or in groups of its own; both become one value here, and everything else in this
package works on that value.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Literal

from accel.errors import InvalidValue
from accel.model.profile import Group
from accel.placement.comparison import Comparison

MOST_GROUPS: Final = 32
"""Groups of one question."""
MOST_NODES: Final = 1000
"""Nodes of one question."""
DIFFERENT_NODE: Final = "different_node"
"""Said of groups: each of them is on a node of its own."""


class Nearness(StrEnum):
    """What accelerators must have in common, in pairs. Two parts of one device are as near as can be."""

    NODE = "node"
    NUMA = "numa"
    """The same NUMA node. Where a host does not say, nothing is near in this way."""
    SWITCH = "switch"
    """The same PCIe switch (``PIX`` in a topology matrix)."""
    LINKED = "linked"
    """A direct link (NVLink, XGMI) between any two of them."""
    DEVICE = "device"
    """They are parts of one device."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedGroup:
    """So many accelerators of one kind."""

    count: int = 1
    resource_class: str | None = None
    """None: any."""
    required: frozenset[str] = frozenset()
    """Traits that each has."""
    forbidden: frozenset[str] = frozenset()
    """Traits that none has."""
    any_of: tuple[frozenset[str], ...] = ()
    """Sets of traits, of each of which each accelerator has one at least."""
    comparisons: tuple[Comparison, ...] = ()
    near: Nearness = Nearness.NODE
    """How near the accelerators of the group are to one another."""
    text: Group = field(default_factory=dict, hash=False)
    """What is asked for ONE accelerator, in the words of a device profile: an accelerator request keeps it. It names no
    resource class where the group does not."""
    number: int = 0
    """Which group of the question it was: one with two resource classes becomes two groups here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Together:
    """What several groups have in common, or that they have not even the node in common."""

    groups: tuple[int, ...]
    """Their places in ``Wanted.groups``."""
    near: Nearness | Literal["different_node"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A whole question.

    All groups are on one node, unless some are to be on different ones: then each of these is on a node of its own,
    together with the groups that are tied to it, and groups that are tied to none of them go with the first.

    :raises InvalidValue: it cannot be meant so
    """

    groups: tuple[WantedGroup, ...]
    together: tuple[Together, ...] = ()
    nodes: int = 1
    """How many times over, each time on other nodes: a gang."""
    labels: Mapping[str, str] = field(default_factory=dict, hash=False)
    """Labels that a node has; ``rack`` stands for its rack."""
    exclude_nodes: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        for field_, value, expected in _mistakes(self):
            raise InvalidValue(field_, value, expected)

    @property
    def parts(self) -> tuple[tuple[int, ...], ...]:
        """The groups by the node that they share: one part unless some groups are to be on different nodes."""
        apart = dict.fromkeys(group for tie in self.together if tie.near == DIFFERENT_NODE for group in tie.groups)
        if not apart:
            return (tuple(range(len(self.groups))),)
        tied = self._tied()
        first = tied[next(iter(apart))]
        homes = {tied[group] for group in apart}
        parts: dict[int, list[int]] = {tied[group]: [] for group in apart}
        for group, home in enumerate(tied):
            parts[home if home in homes else first].append(group)
        return tuple(map(tuple, parts.values()))

    def _tied(self) -> list[int]:
        """For each group the least one that it is tied to, directly or by others."""
        tied = list(range(len(self.groups)))
        for tie in self.together:
            if tie.near != DIFFERENT_NODE:
                least = min(tied[group] for group in tie.groups)
                others = {tied[group] for group in tie.groups}
                tied = [least if home in others else home for home in tied]
        return tied


def _mistakes(wanted: Wanted) -> Iterator[tuple[str, object, str]]:
    """Field, value and what would be right."""
    if not 1 <= len(wanted.groups) <= MOST_GROUPS:
        yield "groups", len(wanted.groups), f"a number of groups from 1 to {MOST_GROUPS}"
    if not 1 <= wanted.nodes <= MOST_NODES:
        yield "nodes", wanted.nodes, f"a whole number from 1 to {MOST_NODES}"
    for group in wanted.groups:
        if group.count < 1:
            yield f"groups[{group.number}].count", group.count, "a whole number from 1"
        if both := group.required & group.forbidden:
            yield f"groups[{group.number}].forbidden", sorted(both), "apart from what is required"
    for number, tie in enumerate(wanted.together):
        yield from _wrong_tie(f"together[{number}].groups", tie.groups, len(wanted.groups))
    yield from _contradictions(wanted)
    if wanted.nodes * len(wanted.parts) > MOST_NODES:
        yield "nodes", wanted.nodes, f"so few that all groups together are on {MOST_NODES} nodes at most"


def _wrong_tie(field_: str, groups: Sequence[int], count: int) -> Iterator[tuple[str, object, str]]:
    if not groups or len(set(groups)) < len(groups) or not all(0 <= group < count for group in groups):
        yield field_, list(groups), f"a list of different groups, by numbers from 0 to {count - 1}"


def _contradictions(wanted: Wanted) -> Iterator[tuple[str, object, str]]:
    tied = wanted._tied()  # noqa: SLF001 (of the same module: it is the check of the value itself)
    for number, tie in enumerate(wanted.together):
        homes = {tied[group] for group in tie.groups}
        if tie.near == DIFFERENT_NODE and len(homes) < len(tie.groups):
            yield f"together[{number}].groups", list(tie.groups), "free of groups that are to be on one node"
