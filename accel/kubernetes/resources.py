"""Which units are which resource of Kubernetes, by rules of the configuration.

The first rule that is true of a unit names its resource, so a unit is one of one resource only, and the ids of devices
are unique on the node whatever they are called.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from accel.errors import InvalidValue
from accel.kubernetes.units import Unit, shortened
from accel.model.device import DeployableKind
from accel.placement.comparison import Comparison

MAX_NAME_LENGTH = 63
MAX_PREFIX_LENGTH = 244
SHARED_SUFFIX = ".shared"
SHARE_SEPARATOR = "::"

_PREFIX = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*", re.ASCII)
_NAME = re.compile(r"[A-Za-z0-9]([-_.A-Za-z0-9]*[A-Za-z0-9])?", re.ASCII)
_PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")
_UNNAMEABLE = re.compile(r"[^a-z0-9.]+")


class MigStrategy(StrEnum):
    """What becomes of the instances of GPUs that are cut by MIG."""

    NONE = "none"
    """They are not offered."""
    SINGLE = "single"
    """They are offered as GPUs; all GPUs of the node must be cut, into instances of one profile."""
    MIXED = "mixed"
    """Each profile is a resource of its own."""


class Allocation(StrEnum):
    """Which units of a resource suit best."""

    LINKED = "linked"
    """Those that are best connected with one another, and leave the best connected ones."""
    PACKED = "packed"
    """Those of as few cards as can be, of cards that are used already."""
    SPREAD = "spread"
    """Those of as many cards as can be, of cards that are used least."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """What the agent does to a unit for its user."""

    kind: str
    """``prepare``, ``reset``, ``scrub``, ``program``, or ``lend``, which does nothing."""
    method: str = ""
    """How to scrub."""
    image: Mapping[str, str] = field(default_factory=dict)
    """What to program: ``digest``, ``size``, ``name``, ``signature``, ``public_key``."""


PREPARE = Act(kind="prepare")
LEND = Act(kind="lend")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Which units a resource is made of, and how they are counted."""

    name: str
    """Of the resource; ``{model}``, ``{profile}`` and other facts of a unit may stand in it."""
    where: tuple[Comparison, ...] = ()
    shares: int = 1
    """How many containers may have one unit at a time."""
    is_renamed: bool = False
    """Whether shares of a unit are called otherwise than whole units, so that nobody gets one by accident."""
    is_one_per_container: bool = False
    """Whether more than one is refused: two shares of a unit are not twice as fast."""
    is_on_different_cards: bool = False
    """Whether a container's units must be of different cards, and are refused otherwise."""
    allocation: Allocation | None = None
    """None: ``linked`` for whole units, ``spread`` for shares."""
    is_prepared: bool = False
    """Whether the agent makes a unit ready when it is allocated, as by binding it to another kernel driver."""
    before_start: Act | None = None
    """What is done before each start of a container; None: nothing."""
    after_end: Act | None = None
    """How what a pod leaves is taken out before anybody else gets the unit; None: it is not."""

    @property
    def at_allocation(self) -> Act | None:
        """What is done when a unit is given away; None: nothing, and nothing is to be undone."""
        return PREPARE if self.is_prepared else LEND if self.after_end is not None else None

    def holds(self, unit: Unit) -> bool:
        """Whether it is true of a unit."""
        return all(one.holds(unit.facts) for one in self.where)

    def name_for(self, unit: Unit) -> str:
        """The name of the resource that the unit is of."""
        prefix, _, name = _PLACEHOLDER.sub(lambda found: _word(unit, found[1]), self.name).partition("/")
        suffix = SHARED_SUFFIX if self.is_renamed and self.shares > 1 else ""
        return f"{prefix}/{shortened(name.strip('-_.'), MAX_NAME_LENGTH - len(suffix))}{suffix}"


@dataclass(frozen=True, slots=True)
class Portion:
    """One of a resource, as the kubelet counts them."""

    id: str
    unit: Unit


@dataclass(frozen=True, slots=True)
class Counted:
    """A unit of a resource, and how many containers may have it at a time."""

    unit: Unit
    shares: int

    def portions(self) -> tuple[Portion, ...]:
        """Those of the unit, by number."""
        if self.shares == 1:
            return (Portion(self.unit.id, self.unit),)
        return tuple(Portion(f"{self.unit.id}{SHARE_SEPARATOR}{number}", self.unit) for number in range(self.shares))


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """One resource of a node."""

    name: str
    rule: Rule
    """The first that speaks of it."""
    counted: tuple[Counted, ...] = ()
    """By the unit's id."""

    @property
    def allocation(self) -> Allocation:
        """Which suit best."""
        if self.rule.allocation is not None:
            return self.rule.allocation
        return Allocation.SPREAD if self.is_shared else Allocation.LINKED

    @property
    def is_shared(self) -> bool:
        """Whether several containers may have one unit."""
        return any(one.shares > 1 for one in self.counted)

    @property
    def units(self) -> Sequence[Unit]:
        """Each once."""
        return [one.unit for one in self.counted]

    def portions(self) -> Iterator[Portion]:
        """All of them, unit by unit."""
        for one in self.counted:
            yield from one.portions()


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """All resources of a node."""

    by_name: Mapping[str, Resource] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    """What is not offered although the configuration asks for it, and why."""


def resources_of(units: Iterable[Unit], rules: Sequence[Rule], mig: MigStrategy) -> Resources:
    """The resources that a node has now."""
    offered, problems = _by_strategy(list(units), mig)
    counted: defaultdict[str, list[Counted]] = defaultdict(list)
    first: dict[str, Rule] = {}
    for unit in sorted(offered, key=lambda unit: unit.id):
        rule = next((rule for rule in rules if rule.holds(unit)), None)
        if rule is not None:
            name = rule.name_for(unit)
            first.setdefault(name, rule)
            counted[name].append(Counted(unit, rule.shares))
    by_name = {
        name: Resource(name=name, rule=rule, counted=tuple(counted[name])) for name, rule in sorted(first.items())
    }
    return Resources(by_name=by_name, problems=tuple(problems))


def _by_strategy(units: list[Unit], mig: MigStrategy) -> tuple[list[Unit], list[str]]:
    instances = [unit for unit in units if unit.part.kind is DeployableKind.MIG]
    others = [unit for unit in units if unit.part.kind is not DeployableKind.MIG]
    if mig is MigStrategy.MIXED or not instances:
        return units, []
    if mig is MigStrategy.NONE:
        return others, []
    profiles = sorted({unit.facts["profile"] for unit in instances})
    makers = {unit.device.vendor for unit in instances}
    whole = [unit for unit in others if unit.part.kind is DeployableKind.CARD and unit.device.vendor in makers]
    if len(profiles) > 1 or whole:
        what = f"profiles {', '.join(profiles)}" + (f" and {len(whole)} whole GPUs" if whole else "")
        return others, [f"mig: single wants all GPUs of the node cut into instances of one profile; there are {what}"]
    as_cards = {unit.id: replace(unit, facts={**unit.facts, "kind": str(DeployableKind.CARD)}) for unit in instances}
    return [as_cards.get(unit.id, unit) for unit in units], []


def _word(unit: Unit, fact: str) -> str:
    """A fact as part of a name."""
    return _UNNAMEABLE.sub("-", unit.facts.get(fact, "").lower()).strip("-.") or "unknown"


def check_name(field_: str, name: str) -> str:
    """A name that a kubelet takes, with or without placeholders.

    :raises InvalidValue: it is none
    """
    plain = _PLACEHOLDER.sub("x", name)
    prefix, slash, last = plain.partition("/")
    is_right = (
        slash
        and _PREFIX.fullmatch(prefix)
        and len(prefix) <= MAX_PREFIX_LENGTH
        and not prefix.startswith("requests.")
        and "kubernetes.io" not in prefix
        and _NAME.fullmatch(last)
        and len(last) <= MAX_NAME_LENGTH
    )
    if not is_right:
        raise InvalidValue(field_, name, "the name of an extended resource such as accel.io/gpu or nvidia.com/gpu")
    return name
