"""What a pod of Kubernetes asks for, read from the pod itself.

Its containers have limits of resources that device plugins count: ``nvidia.com/gpu: 2``. What such a name means to us
is configured; one that begins with ``accel.io/`` and is not configured is the name of a device profile. Annotations say
what a count cannot: that the accelerators are near one another, or what else is true of each of them.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from accel.errors import InvalidValue
from accel.model.profile import MAX_NAME_LENGTH, NAME, shortened
from accel.placement.comparison import Comparison, Operator, read_comparison
from accel.placement.wanted import Nearness, Together, Wanted, WantedGroup

PREFIX = "accel.io/"
PROFILE_ANNOTATION = f"{PREFIX}profile"
"""The name of a device profile: what the pod asks for, whatever the limits of its containers say."""
NEAR_ANNOTATION = f"{PREFIX}near"
"""How near all accelerators of the pod are to one another: a ``Nearness``."""
WHERE_ANNOTATION = f"{PREFIX}where"
"""Comparisons separated by commas, that are true of each accelerator of the pod."""

_PROFILE = "profile"
_CLASS = "resource_class"
_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?/[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?", re.ASCII)
_QUANTITY = re.compile(r"([0-9]{1,9})(k?)", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Meaning:
    """What one of a resource is."""

    profile: str = ""
    """The device profile that says it; empty: the rest of this does."""
    resource_class: str | None = None
    comparisons: tuple[Comparison, ...] = ()


Meanings = Mapping[str, Meaning]
"""By the name of the resource."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PodNeeds:
    """What a pod asks for, as far as it is our business. It is false when that is nothing."""

    amounts: Mapping[Meaning, int] = field(default_factory=dict)
    near: Nearness = Nearness.NODE
    comparisons: tuple[Comparison, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.amounts)

    @property
    def profiles(self) -> list[str]:
        """The names of the device profiles that it speaks of."""
        return sorted({meaning.profile for meaning in self.amounts if meaning.profile})


def read_meanings(texts: Iterable[str]) -> Meanings:
    """What resources mean, an entry for each: ``nvidia.com/gpu: type = GPU, vendor = 10de, kind = card``.

    Comparisons stand there, or ``resource_class = PGPU`` among them, or nothing but ``profile = gold``.

    :raises InvalidValue: an entry cannot be read, or speaks of a resource that another one speaks of
    """
    read: Sequence[tuple[str, Meaning]] = [_meaning(text) for text in texts]
    for name, count in Counter(name for name, _ in read).items():
        if count > 1:
            raise InvalidValue("resource", name, "said once only")
    return dict(read)


def read_pod(pod: Mapping[str, Any], meanings: Meanings) -> PodNeeds:
    """What a pod asks for.

    :param pod: as the Kubernetes API shows it
    :raises InvalidValue: an annotation or a limit that is for us cannot be read
    """
    annotations: Mapping[str, str] = (pod.get("metadata") or {}).get("annotations") or {}
    amounts: Mapping[Meaning, int]
    if name := annotations.get(PROFILE_ANNOTATION):
        amounts = {Meaning(profile=_profile_name(PROFILE_ANNOTATION, name)): 1}
    else:
        amounts = _amounts(pod.get("spec") or {}, meanings)
    return PodNeeds(
        amounts=amounts,
        near=_nearness(annotations.get(NEAR_ANNOTATION, Nearness.NODE)),
        comparisons=tuple(
            read_comparison(text.strip(), WHERE_ANNOTATION)
            for text in annotations.get(WHERE_ANNOTATION, "").split(",")
            if text.strip()
        ),
    )


def question(needs: PodNeeds, profiles: Mapping[str, Wanted]) -> Wanted:
    """What to look for on a node.

    :param profiles: what the device profiles ask for, by their names
    :raises InvalidValue: it cannot be meant so
    """
    groups: list[WantedGroup] = []
    ties: list[Together] = []
    for meaning, amount in needs.amounts.items():
        one = profiles[meaning.profile] if meaning.profile else _plain(meaning)
        ties += [replace(tie, groups=tuple(place + len(groups) for place in tie.groups)) for tie in one.together]
        groups += [replace(group, count=group.count * amount) for group in one.groups]
    if needs.near is not Nearness.NODE:
        groups = [replace(group, near=needs.near) for group in groups]
        ties += [Together(groups=tuple(range(len(groups))), near=needs.near)] if len(groups) > 1 else []
    numbered = (
        replace(group, number=number, comparisons=(*group.comparisons, *needs.comparisons))
        for number, group in enumerate(groups)
    )
    return Wanted(groups=tuple(numbered), together=tuple(ties))


def _meaning(text: str) -> tuple[str, Meaning]:
    name, colon, said = text.partition(":")
    name = name.strip()
    if not colon or not _NAME.fullmatch(name):
        raise InvalidValue("resource", shortened(text), "the name of a resource, a colon and what it means")
    comparisons = [read_comparison(part.strip(), name) for part in said.split(",")]
    given = {part.key: part.value for part in comparisons if part.key in {_PROFILE, _CLASS}}
    if any(part.operator is not Operator.EQUAL for part in comparisons if part.key in given):
        raise InvalidValue(name, said.strip(), f"right: {_PROFILE} and {_CLASS} take nothing but =")
    if _PROFILE in given and len(comparisons) > 1:
        raise InvalidValue(name, said.strip(), f"right: {_PROFILE} stands alone")
    return name, Meaning(
        profile=given.get(_PROFILE, ""),
        resource_class=given.get(_CLASS),
        comparisons=tuple(part for part in comparisons if part.key not in given),
    )


def _plain(meaning: Meaning) -> Wanted:
    return Wanted(groups=(WantedGroup(resource_class=meaning.resource_class, comparisons=meaning.comparisons),))


def _amounts(spec: Mapping[str, Any], meanings: Meanings) -> dict[Meaning, int]:
    """How much of everything that is ours the pod holds at most at one time.

    Init containers run one after the other before the rest and leave what they had to it; those that are restarted
    always keep theirs.
    """
    kept: Counter[Meaning] = Counter()
    most: Counter[Meaning] = Counter()
    for container in spec.get("initContainers") or ():
        needs = _limits(container, meanings)
        most |= kept + needs
        if container.get("restartPolicy") == "Always":
            kept += needs
    running = sum((_limits(container, meanings) for container in spec.get("containers") or ()), kept)
    return dict(most | running)


def _limits(container: Mapping[str, Any], meanings: Meanings) -> Counter[Meaning]:
    limits: Mapping[str, Any] = (container.get("resources") or {}).get("limits") or {}
    found: Counter[Meaning] = Counter()
    for name, quantity in limits.items():
        meaning = meanings.get(name)
        if meaning is None and name.startswith(PREFIX):
            meaning = Meaning(profile=_profile_name(f"limits[{name}]", name.removeprefix(PREFIX)))
        if meaning is not None:
            found[meaning] += _whole_number(name, quantity)
    return found


def _profile_name(field_: str, name: str) -> str:
    if len(name) > MAX_NAME_LENGTH or not NAME.fullmatch(name):
        raise InvalidValue(field_, shortened(name), "the name of a device profile")
    return name


def _whole_number(name: str, quantity: object) -> int:
    """What Kubernetes takes for an amount of such a resource; it writes 1000 as 1k."""
    match = _QUANTITY.fullmatch(str(quantity))
    if match is None:
        raise InvalidValue(f"limits[{name}]", shortened(quantity), "a whole number")
    return int(match[1]) * (1000 if match[2] else 1)


def _nearness(text: str) -> Nearness:
    try:
        return Nearness(text)
    except ValueError as error:
        raise InvalidValue(NEAR_ANNOTATION, shortened(text), f"one of {', '.join(Nearness)}") from error
