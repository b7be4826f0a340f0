"""A question without one of its constraints: what an explanation tries in order to find out what stands in the way.

Each is a whole question again, so that whoever is told of it can ask it.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from accel.placement.comparison import Comparison
from accel.placement.supposed import EVERYTHING, NOTHING, Supposition, Suppositions
from accel.placement.wanted import DIFFERENT_NODE, Nearness, Wanted, WantedGroup


@dataclass(frozen=True, slots=True, kw_only=True)
class Relaxation:
    """A question without one of its constraints."""

    code: str
    """What kind of constraint it is; never changes."""
    without: str
    """What was left out: ``trait X``."""
    wanted: Wanted
    suppose: Suppositions = NOTHING


SUPPOSED: Mapping[Supposition, str] = {
    Supposition.RELEASED: "anything being held",
    Supposition.REPAIRED: "any device being lost, disabled or not healthy",
    Supposition.ONLINE: "any node being silent",
}
"""What each supposition leaves out."""

NEARNESS: Mapping[Nearness, str] = {
    Nearness.NODE: "on one node",
    Nearness.NUMA: "on one NUMA node",
    Nearness.SWITCH: "below one PCIe switch",
    Nearness.LINKED: "all linked to one another",
    Nearness.DEVICE: "on one device",
}
"""Where accelerators are that are near in a way."""


def relaxations(wanted: Wanted) -> Iterator[Relaxation]:
    """The question without each of its constraints but the numbers of things, one at a time."""
    yield from _without_conditions(wanted)
    yield from _without_nearness(wanted)
    yield from _without_ties(wanted)
    for key, value in sorted(wanted.labels.items()):
        labels = {name: text for name, text in wanted.labels.items() if name != key}
        yield Relaxation(code="label", without=f"the label {key}={value}", wanted=replace(wanted, labels=labels))
    if wanted.exclude_nodes:
        without = f"leaving out {', '.join(sorted(wanted.exclude_nodes)[:3])}{' …' * (len(wanted.exclude_nodes) > 3)}"
        yield Relaxation(code="exclude_nodes", without=without, wanted=replace(wanted, exclude_nodes=frozenset()))


def suppositions(wanted: Wanted, before: Suppositions) -> Iterator[Relaxation]:
    """The same question of a fleet without each of the things that keep devices from being used; then without all.

    :param before: what is supposed already
    """
    for supposition, without in SUPPOSED.items():
        if supposition not in before:
            yield Relaxation(code=str(supposition), without=without, wanted=wanted, suppose=before | {supposition})
    if len(SUPPOSED.keys() - before) > 1:
        yield Relaxation(
            code="everything",
            without="anything being held, unusable or silent",
            wanted=wanted,
            suppose=EVERYTHING,
        )


def with_count(wanted: Wanted, place: int, count: int) -> Wanted:
    """The question with another number of accelerators in one group."""
    groups = list(wanted.groups)
    groups[place] = replace(groups[place], count=count)
    return replace(wanted, groups=tuple(groups))


def _without_conditions(wanted: Wanted) -> Iterator[Relaxation]:
    """Without what each accelerator must be. What several groups say alike is left out of all of them."""
    groups = wanted.groups
    for name in sorted(frozenset[str]().union(*(group.required for group in groups))):
        rest = (replace(group, required=group.required - {name}) for group in groups)
        yield _changed(wanted, "trait", f"trait {name}", rest)
    for name in sorted(frozenset[str]().union(*(group.forbidden for group in groups))):
        rest = (replace(group, forbidden=group.forbidden - {name}) for group in groups)
        yield _changed(wanted, "forbidden_trait", f"forbidding trait {name}", rest)
    for names in dict.fromkeys(names for group in groups for names in group.any_of):
        rest = (replace(group, any_of=tuple(other for other in group.any_of if other != names)) for group in groups)
        yield _changed(wanted, "any_of", f"any of {', '.join(sorted(names))}", rest)
    for comparison in dict.fromkeys(comparison for group in groups for comparison in group.comparisons):
        rest = (replace(group, comparisons=_but(group.comparisons, comparison)) for group in groups)
        yield _changed(wanted, "where", str(comparison), rest)


def _but(comparisons: Iterable[Comparison], out: Comparison) -> tuple[Comparison, ...]:
    return tuple(comparison for comparison in comparisons if comparison != out)


def _without_nearness(wanted: Wanted) -> Iterator[Relaxation]:
    for place, group in enumerate(wanted.groups):
        if group.near is not Nearness.NODE and group.count > 1:
            groups = list(wanted.groups)
            groups[place] = replace(group, near=Nearness.NODE)
            yield Relaxation(
                code="near",
                without=f"{of_group(wanted, place)}being {NEARNESS[group.near]}",
                wanted=replace(wanted, groups=tuple(groups)),
            )


def _without_ties(wanted: Wanted) -> Iterator[Relaxation]:
    """Without what groups share beside the node, and without being on different ones."""
    for place, tie in enumerate(wanted.together):
        if tie.near == Nearness.NODE:
            continue
        numbers = ", ".join(str(group) for group in tie.groups)
        before, after = wanted.together[:place], wanted.together[place + 1 :]
        if tie.near == DIFFERENT_NODE:
            where, rest = "on different nodes", (*before, *after)
        else:
            where, rest = NEARNESS[tie.near], (*before, replace(tie, near=Nearness.NODE), *after)
        yield Relaxation(
            code="together", without=f"groups {numbers} being {where}", wanted=replace(wanted, together=rest)
        )


def of_group(wanted: Wanted, place: int) -> str:
    """Which group is meant, where there are several."""
    return f"group {place} " if len(wanted.groups) > 1 else ""


def _changed(wanted: Wanted, code: str, without: str, groups: Iterable[WantedGroup]) -> Relaxation:
    return Relaxation(code=code, without=without, wanted=replace(wanted, groups=tuple(groups)))
