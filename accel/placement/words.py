"""The words of explanations."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from accel.placement.comparison import Operator
from accel.placement.explanation import Counterfactual, Explanation, Missing, Nearest
from accel.placement.relaxation import NEARNESS
from accel.placement.supposed import Supposition
from accel.placement.wanted import Nearness, Wanted, WantedGroup

_MOST_MISSING = 3


def short(explanation: Explanation, holders: Mapping[str, str] | None = None) -> str:
    """An explanation in two or three sentences: what stands in the way, what comes nearest, what would help.

    :param holders: who holds something of a deployable, by its UUID, in words for whoever is told
    """
    if explanation.blocker is None:
        return f"It fits on {nodes(explanation.nodes)}."
    sentences = [explanation.blocker.text]
    if explanation.nearest is not None:
        sentences.append(nearest_text(explanation.nearest, holders or {}))
    helps = helpful(explanation)
    sentences += [found.text for found in helps] or ["Nothing that is left out alone would help."]
    return " ".join(sentences)


def helpful(explanation: Explanation) -> list[Counterfactual]:
    """What is told first of what would help: a change of the question, and one of the fleet.

    What is about the very thing that stands in the way goes before everything else.
    """
    about = _HELPS.get(explanation.blocker.code, ()) if explanation.blocker else ()
    found = sorted(explanation.counterfactuals, key=lambda one: one.relaxation.code not in about)
    of_question = [one for one in found if one.relaxation.code not in _OF_FLEET]
    of_fleet = [one for one in found if one.relaxation.code in _OF_FLEET]
    return [*of_question[:1], *of_fleet[:1]]


def nearest_text(nearest: Nearest, holders: Mapping[str, str]) -> str:
    """Which node comes nearest, with how many, and what is the matter with the others there.

    :param holders: as in ``short``
    """
    there = f"{nearest.found} of {nearest.wanted} {nearest.noun}{nearest.where and f' {nearest.where}'}"
    matters = _matters(nearest.missing, holders)
    more = sum(count for _, count in matters[_MOST_MISSING:])
    told = [f"{'one is' if count == 1 else f'{count} are'} {matter}" for matter, count in matters[:_MOST_MISSING]]
    told += [f"{more} more cannot be taken"] if more else []
    return f"The nearest is {nearest.node} with {there}{'; ' if told else ''}{', '.join(told)}."


def noun(group: WantedGroup) -> str:
    """What a group wants, in a word or two: ``H100``."""
    kinds = {
        comparison.key: comparison.value
        for comparison in group.comparisons
        if comparison.operator in {Operator.EQUAL, Operator.CONTAINS}
    }
    return kinds.get("model") or kinds.get("type") or group.resource_class or "accelerators"


def where(near: Nearness) -> str:
    """Where accelerators are that are near in a way; nothing for those of one node, as all are."""
    return "" if near is Nearness.NODE else NEARNESS[near]


def some(wanted: Wanted, place: int) -> str:
    """So many of what a group wants: ``4 H100``."""
    group = wanted.groups[place]
    named = f" (group {place})" if len(wanted.groups) > 1 else ""
    return f"{group.count} {noun(group)}{named}"


def nodes(count: int) -> str:
    """``1 node``, ``2 nodes``."""
    return f"{count} node{'' if count == 1 else 's'}"


def devices(count: int) -> str:
    """``1 device``, ``2 devices``."""
    return f"{count} device{'' if count == 1 else 's'}"


def both(names: Iterable[str], word: str = "and") -> str:
    """``A``, ``A and B``, ``A, B and C``."""
    *first, last = names
    return f"{', '.join(first)} {word} {last}" if first else last


def traits(group: WantedGroup) -> str:
    """What a group says of traits: ``has A and B without C``."""
    has = f"has {both(sorted(group.required))}" if group.required else "is"
    return f"{has} without {both(sorted(group.forbidden), 'or')}" if group.forbidden else has


def moment(when: datetime) -> str:
    """A moment as the API writes it, to the second."""
    return when.isoformat(timespec="seconds")


def shortage(wanted: WantedGroup, found: int, near: Nearness) -> str:
    """How much of what is wanted there is: ``has 3 of 4 H100 on one NUMA node``."""
    return f"has {found} of {wanted.count} {noun(wanted)} {where(near)}".rstrip()


_OF_FLEET = frozenset({*Supposition, "everything"})
_HELPS: Mapping[str, Sequence[str]] = {
    "offline": ("online",),
    "label": ("label",),
    "excluded": ("exclude_nodes",),
    "trait": ("trait", "forbidden_trait"),
    "any_of": ("any_of",),
    "where": ("where",),
    "unusable": ("repaired",),
    "held": ("released",),
    "too_large": ("count",),
    "too_few_free": ("released", "repaired", "count"),
    "not_near": ("near",),
    "not_near_free": ("released", "repaired", "near"),
    "not_together": ("together",),
    "too_few_nodes": ("nodes",),
}
"""Which constraints a blocker is about, by its code."""


def _matters(missing: Iterable[Missing], holders: Mapping[str, str]) -> list[tuple[str, int]]:
    """What is the matter with what cannot be taken, each matter once, and with how many."""
    matters: Counter[str] = Counter()
    for part in missing:
        matters[_matter(part, holders.get(part.unit, ""))] += part.count
    return list(matters.items())


def _matter(missing: Missing, holder: str) -> str:
    if missing.state != "held":
        return f"{missing.state}{f' ({missing.reason})' if missing.reason else ''}"
    by = f" by {holder}" if holder else ""
    return f"held{by}{f' until {moment(missing.until)}' if missing.until else ''}"
