"""The steps that a question goes through, in their order, and why a unit is out after one of them.

The search asks whether units are left; an explanation quotes why they are not. Both ask the functions here, so they
cannot disagree.
"""

from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum

from accel.placement.shapes import Shape, Slot, Spec
from accel.placement.wanted import WantedGroup


class Step(StrEnum):
    """What may rule something out. Up to ``CONFIGURED`` it is whole nodes, up to ``FREE`` units, then sets of them."""

    ONLINE = "online"
    LABELS = "labels"
    EXCLUDED = "excluded"
    CONFIGURED = "configured"
    """The filters that the operator has chosen."""
    CLASS = "class"
    TRAITS = "traits"
    ANY_OF = "any-of"
    COMPARISONS = "comparisons"
    USABLE = "usable"
    """Nothing speaks against the unit or its card: neither is lost, disabled, unhealthy or of unknown health."""
    FREE = "free"
    COUNT = "count"
    """A node has enough free units for each group, and for all groups at once."""
    NEAR = "near"
    """… also of such that are as near to one another as their group says."""
    TOGETHER = "together"
    """… also as near as several groups are to be."""
    GANG = "gang"
    """There are enough such nodes."""


NODE_STEPS = (Step.ONLINE, Step.LABELS, Step.EXCLUDED, Step.CONFIGURED)
UNIT_STEPS = (Step.CLASS, Step.TRAITS, Step.ANY_OF, Step.COMPARISONS, Step.USABLE, Step.FREE)
SET_STEPS = (Step.COUNT, Step.NEAR, Step.TOGETHER, Step.GANG)

NODE_FILTERS: Mapping[str, Callable[[Shape], bool]] = {
    "healthy-node": lambda shape: shape.usable == shape.topology.all,
    "idle-node": lambda shape: not shape.busy,
}
"""What an operator may demand of every node beside what is asked for, by name: that nothing speaks against any of its
cards; that nobody has anything on it."""


def unit_reasons(group: WantedGroup, slot: Slot) -> Iterator[tuple[Step, str]]:
    """What rules a unit out for a group, in the order of the steps. The texts say what is the matter with "it"."""
    yield from spec_reasons(group, slot.spec)
    if slot.obstacle:
        yield Step.USABLE, f"is {slot.obstacle}" if " " not in slot.obstacle else f"has {slot.obstacle}"
    if not slot.free:
        yield Step.FREE, "is held" if slot.held else "has nothing to give"


def spec_reasons(group: WantedGroup, spec: Spec) -> Iterator[tuple[Step, str]]:
    """What rules units of a kind out for a group, whatever their state."""
    if group.resource_class not in (None, spec.resource_class):
        yield Step.CLASS, f"is {spec.resource_class}, not {group.resource_class}"
    if lacking := group.required - spec.traits:
        yield Step.TRAITS, f"lacks {', '.join(sorted(lacking))}"
    if unwanted := group.forbidden & spec.traits:
        yield Step.TRAITS, f"has {', '.join(sorted(unwanted))}"
    for names in group.any_of:
        if not names & spec.traits:
            yield Step.ANY_OF, f"has none of {', '.join(sorted(names))}"
    for comparison in group.comparisons:
        if not comparison.holds(spec.facts):
            fact = spec.facts.get(comparison.key)
            yield Step.COMPARISONS, f"has no {comparison.key}" if fact is None else f"has {comparison.key} {fact}"


def accepts(group: WantedGroup, spec: Spec) -> bool:
    """Whether units of a kind are what a group wants."""
    return next(spec_reasons(group, spec), None) is None
