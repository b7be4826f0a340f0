"""Accelerators as OpenStack Placement knows them: one resource provider for each deployable.

Three things are told apart here, all of them values:

- what is *wanted*: the providers that should be there, as the record of a node has it (``wanted``);
- what is *seen*: the providers that are there;
- the *steps* that make the one of the other (``plan``), the smallest number of them.

The rules:

- A provider is the child of its node's, has the deployable's name and a UUID that follows from the name, whoever makes
  it. So what is ours is known by looking at it, even where nobody remembers having made it.
- It has one inventory: as many as the deployable can serve. All of it is reserved while the device is offered to
  nobody, and as much as workloads hold that Placement does not know of. What is cut into parts has no inventory.
- Somebody else's traits on it stay, as do somebody else's providers; somebody else's inventories do not.
- What has allocations is never taken from under them: it is reserved until nothing is allocated any more.
- What takes away comes before what adds, and the traits of a provider before its inventory: in between too little is
  offered, never too much, and nothing without the traits that keep workloads away.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from uuid import NAMESPACE_DNS, uuid3

OWNER_TRAIT = "OWNER_CYBORG"
"""The trait of what an accelerator service has made, by which others leave it alone."""
_UNSEEN = -1
"""The generation of what has not been looked at; Placement has none below 0."""


class SyncState(StrEnum):
    """How far Placement agrees with what is recorded of a node."""

    PENDING = "pending"
    """It has not been told yet."""
    AGREES = "agrees"
    """It knows all of it."""
    KEPT = "kept"
    """It knows all of it, and what is gone is still allocated: reserved, until nothing is allocated any more."""
    WAITING = "waiting"
    """It has no provider for the node itself: nova-compute makes that when it starts."""
    REFUSED = "refused"
    """It does not take what it is told; the reason is with the state."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A deployable as far as Placement is concerned."""

    provider: str
    """The UUID of its provider. Where a card has taken the slot of a lost one, both have the same."""
    name: str
    resource_class: str
    """Empty where its driver gave none."""
    traits: frozenset[str] = frozenset()
    total: int
    """How many workloads it can serve."""
    is_lost: bool = False
    is_offered: bool = True
    """Whether anything of it may be given away: it is there, healthy and enabled."""
    handles: frozenset[str] = frozenset()
    """What can be handed out of it, by the content of the attach handles."""
    held: frozenset[str] = frozenset()
    """What of it is in the hands of somebody whom Nova has not sent, by the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """How much there is of a resource class: the members of Placement's own record."""

    total: int
    reserved: int = 0
    min_unit: int = 1
    max_unit: int
    step_size: int = 1
    allocation_ratio: float = 1.0
    """What is handed out is a thing: never more often than it is there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """A provider as it should be."""

    uuid: str
    name: str
    inventories: Mapping[str, Inventory] = field(default_factory=dict)
    """By resource class."""
    traits: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A provider as it is there."""

    uuid: str
    name: str
    parent: str | None
    generation: int
    """Placement changes it with everything about the provider: what was seen with it is so while it is the same."""
    inventories: Mapping[str, Inventory] = field(default_factory=dict)
    traits: frozenset[str] = frozenset()
    ours: frozenset[str] = frozenset()
    """The traits that we have put there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is remembered of a node's providers after Placement was told."""

    root: str | None = None
    """The UUID of the node's own provider."""
    providers: Mapping[str, Seen] = field(default_factory=dict)
    """By UUID."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Create:
    """A provider is to be made, as yet without anything."""

    uuid: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rename:
    """A provider is to have its name, and its place below the node's, back."""

    uuid: str
    name: str
    before: str
    has_moved: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SetTraits:
    """A provider is to have these traits and no others."""

    uuid: str
    name: str
    traits: frozenset[str]
    ours: frozenset[str]
    """Those among them that we put there."""
    before: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class SetInventories:
    """A provider is to have these inventories and no others."""

    uuid: str
    name: str
    inventories: Mapping[str, Inventory]
    otherwise: Mapping[str, Inventory]
    """What it is to have while one that should go is still allocated: that one reserved."""
    before: Mapping[str, Inventory] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Remove:
    """A provider is to go."""

    uuid: str
    name: str
    otherwise: Mapping[str, Inventory]
    """What it is to have while something of it is still allocated: all of it reserved."""
    before: Mapping[str, Inventory] = field(default_factory=dict)


Step = Create | Rename | SetTraits | SetInventories | Remove


def provider_uuid(name: str) -> str:
    """The UUID of the provider of a deployable, which follows from its name, as OpenStack's users expect."""
    return str(uuid3(NAMESPACE_DNS, name))


def is_ours(uuid: str, name: str) -> bool:
    """Whether a provider looks like one that an accelerator service has made."""
    return uuid == provider_uuid(name)


def wanted(parts: Iterable[Part], *, marks: frozenset[str] = frozenset()) -> dict[str, Provider]:
    """The providers that a node should have, by UUID.

    :param parts: the deployables of the node, the oldest first
    :param marks: traits that each of them has beside those of its driver
    """
    slots: dict[str, list[Part]] = {}
    for part in parts:
        slots.setdefault(part.provider, []).append(part)
    return {uuid: _provider(rivals, marks) for uuid, rivals in slots.items()}


def _provider(rivals: list[Part], marks: frozenset[str]) -> Provider:
    """The provider of a slot: of the deployable in it that can be used; else of what is there, the newest first."""
    part = max(enumerate(rivals), key=lambda one: (one[1].is_offered, not one[1].is_lost, one[0]))[1]
    inventories = {}
    if part.total > 0 and part.resource_class:
        held = len(part.handles & frozenset[str]().union(*(rival.held for rival in rivals)))
        reserved = min(held, part.total) if part.is_offered else part.total
        inventories[part.resource_class] = Inventory(total=part.total, reserved=reserved, max_unit=part.total)
    return Provider(uuid=part.provider, name=part.name, inventories=inventories, traits=part.traits | marks)


def is_as_told(providers: Mapping[str, Provider], known: Known) -> bool:
    """Whether what is wanted is what Placement was told last, so that there is nothing to tell it."""
    return known.root is not None and providers == {
        seen.uuid: Provider(uuid=seen.uuid, name=seen.name, inventories=seen.inventories, traits=seen.ours)
        for seen in known.providers.values()
    }


def intended(providers: Iterable[Provider | Seen], known: Known) -> Known:
    """What is remembered before Placement is told: that these providers are ours, and so are these traits of theirs.

    It says nothing of how they are, so they will be looked at.
    """
    told = dict(known.providers)
    for one in providers:
        before = told.get(one.uuid) or Seen(uuid=one.uuid, name=one.name, parent=None, generation=_UNSEEN)
        traits = one.ours if isinstance(one, Seen) else one.traits
        told[one.uuid] = replace(before, ours=before.ours | traits, generation=_UNSEEN)
    return replace(known, providers=told)


def plan(providers: Mapping[str, Provider], seen: Mapping[str, Seen], *, root: str) -> tuple[Step, ...]:
    """The steps that make what is seen what is wanted; none when it is already.

    :param seen: those of the node's providers that are ours, by UUID
    :param root: the UUID of the node's own provider
    """
    gone = [known for uuid, known in seen.items() if uuid not in providers]
    there = [(provider, seen[uuid]) for uuid, provider in providers.items() if uuid in seen]
    new = [provider for uuid, provider in providers.items() if uuid not in seen]
    return (
        *(Remove(uuid=k.uuid, name=k.name, otherwise=reserved(k.inventories), before=k.inventories) for k in gone),
        *(step for provider, known in there for step in _changes(provider, known, root)),
        *(step for provider in new for step in _additions(provider)),
    )


def differences(steps: Iterable[Step]) -> dict[str, str]:
    """What steps are for, in words, by the UUID of the provider that is there and differs."""
    texts: dict[str, list[str]] = {}
    for step in steps:
        match step:
            case Rename(before=before, has_moved=has_moved):
                text = f"it is named {before}" + (" and below another provider" if has_moved else "")
            case SetTraits(traits=traits, before=before) if traits != before:
                text = f"it lacks {_listed(traits - before)} and has {_listed(before - traits)} too many"
            case SetInventories(inventories=inventories, before=before):
                text = f"it has {_counted(before)}, which should be {_counted(inventories)}"
            case _:
                continue
        texts.setdefault(step.uuid, []).append(text)
    return {uuid: "; ".join(found) for uuid, found in texts.items()}


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "no traits"


def _counted(inventories: Mapping[str, Inventory]) -> str:
    return (
        ", ".join(
            f"{one.total} {name} ({one.reserved} reserved, allocated {one.allocation_ratio:g} times)"
            for name, one in sorted(inventories.items())
        )
        or "no inventory"
    )


def reserved(inventories: Mapping[str, Inventory]) -> dict[str, Inventory]:
    """The same inventories with nothing left to allocate."""
    return {name: replace(inventory, reserved=inventory.total) for name, inventory in inventories.items()}


def _changes(provider: Provider, known: Seen, root: str) -> Iterator[Step]:
    uuid, name = provider.uuid, provider.name
    if (known.name, known.parent) != (name, root):
        yield Rename(uuid=uuid, name=name, before=known.name, has_moved=known.parent != root)
    traits = (known.traits - (known.ours - provider.traits)) | provider.traits
    if (known.traits, known.ours) != (traits, provider.traits):
        yield SetTraits(uuid=uuid, name=name, traits=traits, ours=provider.traits, before=known.traits)
    if known.inventories != provider.inventories:
        left = {name: one for name, one in known.inventories.items() if name not in provider.inventories}
        yield SetInventories(
            uuid=uuid,
            name=name,
            inventories=provider.inventories,
            otherwise={**reserved(left), **provider.inventories},
            before=known.inventories,
        )


def _additions(provider: Provider) -> Iterator[Step]:
    uuid, name, inventories = provider.uuid, provider.name, provider.inventories
    yield Create(uuid=uuid, name=name)
    if provider.traits:
        yield SetTraits(uuid=uuid, name=name, traits=provider.traits, ours=provider.traits)
    if inventories:
        yield SetInventories(uuid=uuid, name=name, inventories=inventories, otherwise=inventories)
