"""What of a node can be given to a container alone: one unit each, with an id that is the node's own."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256

from accel.model.attribute import RESOURCE_CLASS_KEY
from accel.model.device import (
    AttachHandle,
    Deployable,
    DeployableKind,
    Device,
    HandleType,
    Health,
    Presence,
)
from accel.model.offer import Holder, Offer, handle_id

MAX_ID_LENGTH = 52
"""Of a unit's id: with the number of a share, up to 9,999,999, it keeps within the 63 characters of a device's id."""

POD = "pod"
"""The kind of the holders that come by us."""

PARTS_WITHOUT_HANDLES = (DeployableKind.REGION, DeployableKind.NAMESPACE)
"""Parts that a card can be offered in although it is handed out whole elsewhere."""

_PART_WORDS = {DeployableKind.VF_POOL: "vf", DeployableKind.MDEV_TYPE: "mdev"}
"""What a part is called in names, where that is not its kind."""

_UNSAFE = re.compile(r"[^A-Za-z0-9_.:-]+")
_HASH_DIGITS = 12
_NO_CONTAINER = frozenset({HandleType.MDEV})
"""What a container has no use for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """Something that can be given to a container alone."""

    id: str
    """Unique on the node, the same after a restart; a name that CDI allows."""
    device: Device
    part: Deployable
    handles: tuple[str, ...]
    """The ids of the handles that whoever has it has."""
    nodes: tuple[str, ...] = ()
    """The paths below ``/dev``."""
    facts: Mapping[str, str]
    """What rules look at, and what names are made of."""
    trouble: str = ""
    """Why nobody new is to get it, in words; empty: nothing speaks against it."""

    @property
    def is_healthy(self) -> bool:
        """Whether it may be given away."""
        return not self.trouble


def units_of(offer: Offer, *, in_parts: frozenset[DeployableKind] = frozenset()) -> tuple[Unit, ...]:
    """The units of a node, by device.

    :param in_parts: kinds of parts that are offered in place of the cards that have them, though the card alone has
        handles
    """
    found = [unit for device in offer.devices for unit in _of_device(device, offer, in_parts)]
    return tuple(found)


def _of_device(device: Device, offer: Offer, in_parts: frozenset[DeployableKind]) -> Iterator[Unit]:
    whole = [part for part in device.deployables if part.handles]
    parts = [part for part in device.deployables if part.kind in in_parts and not part.handles]
    if parts:
        backing = tuple(handle_id(part, handle) for part in whole for handle in part.handles)
        for part in parts:
            yield _unit(device, part, offer, handles=backing, handle=None)
        return
    for part in whole:
        yield from _of_part(device, part, offer)


def _of_part(device: Device, part: Deployable, offer: Offer) -> Iterator[Unit]:
    usable = [handle for handle in part.handles if handle.type not in _NO_CONTAINER]
    if not usable:
        return
    if part.num_accelerators != len(part.handles):  # whoever gets one gets all: the functions of a board
        yield _unit(device, part, offer, handles=tuple(handle_id(part, one) for one in usable), handle=usable[0])
        return
    for handle in usable:
        yield _unit(device, part, offer, handles=(handle_id(part, handle),), handle=handle)


def _unit(
    device: Device, part: Deployable, offer: Offer, *, handles: tuple[str, ...], handle: AttachHandle | None
) -> Unit:
    own = tuple(one.value for one in part.attributes if one.key == "device_node")
    of_handles = (path for one in handles for path in offer.state(one).device_nodes)
    return Unit(
        id=_lent_id(offer, handles, handle) or _id(device, part, handle),
        device=device,
        part=part,
        handles=handles,
        nodes=own if handle is None else tuple(dict.fromkeys(of_handles)),
        facts=_facts(device, part, handle),
        trouble=_trouble(device, offer, handles),
    )


def _lent_id(offer: Offer, handles: tuple[str, ...], handle: AttachHandle | None) -> str:
    """What the unit was called when it was lent, for a guest's card does not say its UUID. Empty: it was not."""
    names = offer.state(handles[0]).lent_as if handle is not None else ()
    return names[0] if len(names) == 1 else ""


def _id(device: Device, part: Deployable, handle: AttachHandle | None) -> str:
    """The name that a person would use: the UUID of a GPU or a MIG instance, the address of a function."""
    if handle is None:
        name = f"{part.kind}-{part.name.rpartition('_')[2]}-{device.identity}"
    elif handle.type is HandleType.MIG:
        name = handle.info["uuid"]
    elif part.kind is DeployableKind.CARD and not device.is_weakly_identified:
        name = device.identity
    elif handle.type is HandleType.DEVICE_NODE:
        name = handle.info["path"].removeprefix("/dev/")
    else:
        name = "pci-{domain}:{bus}:{device}.{function}".format_map(handle.info)
    return shortened(_UNSAFE.sub("-", name).strip("-_.:") or "unit", MAX_ID_LENGTH)


def shortened(name: str, most: int) -> str:
    """A name of so many characters at most; a long one keeps its beginning and gets a hash of the whole."""
    if len(name) <= most:
        return name
    return f"{name[: most - _HASH_DIGITS - 1]}-{sha256(name.encode()).hexdigest()[:_HASH_DIGITS]}"


def _facts(device: Device, part: Deployable, handle: AttachHandle | None) -> Mapping[str, str]:
    figures = {one.key: one.value for one in part.attributes}
    return {
        **figures,
        "resource_class": figures.get(RESOURCE_CLASS_KEY, ""),
        "profile": handle.info.get("profile", "") if handle else "",
        "type": device.type,
        "vendor": device.vendor,
        "product": device.product,
        "model": device.model,
        "driver": device.kernel_driver or "",
        "kind": part.kind,
        "part": _PART_WORDS.get(part.kind, part.kind),
        "device": device.identity,
        "address": str(device.address or ""),
    }


def _trouble(device: Device, offer: Offer, handles: tuple[str, ...]) -> str:
    """What speaks against giving it to a pod, the weightiest first."""
    if device.presence is not Presence.PRESENT:
        return device.reason or "it is lost"
    for state in map(offer.state, handles):
        others = [str(holder) for holder in state.holders if not _is_pod(holder)]
        if others or state.withdrawn:
            return state.withdrawn or f"it is held by {', '.join(others)}"
    if device.health is not Health.HEALTHY:
        return device.reason or f"its health is {device.health}"
    return ""


def _is_pod(holder: Holder) -> bool:
    return holder.kind == POD
