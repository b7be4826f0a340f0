"""The ``mdev`` driver: what the kernel can make mediated devices of, whoever made it.

A parent offers types, and making devices of one takes from what is left for the others. So what is offered of a parent
is of one type, which the operator chooses; without a choice nothing is, because nobody could say how much there is.

A parent without a chosen type belongs to the driver that knows its kind, if there is one, as long as nothing was made
of it: whoever got the whole card would take away what others work with.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from oslo_config import cfg, types

from accel.drivers.base import Host
from accel.drivers.guest import mediated
from accel.drivers.pci_board import FIT, UNKNOWN_ID, Condition
from accel.drivers.pci_card import Knowledge, card, card_name
from accel.drivers.pci_kinds import VENDOR_WORDS, Kind, kind_of
from accel.drivers.pci_names import pci_names
from accel.drivers.sysfs import PciFunction, link_name, names_in, pci_functions, read_numa_node, read_number, read_text
from accel.errors import InvalidValue
from accel.model.attribute import custom_trait, resource_class, traits
from accel.model.device import (
    AttachHandle,
    Deployable,
    DeployableKind,
    Device,
    DeviceType,
    HandleType,
    Health,
    pci_handle,
)

_MDEV = Kind(DeviceType.MDEV)
_MADE_BY_OTHERS = ("mediated devices of a type that is not offered",)


class _Choice(types.String):
    """The type of an option whose value is ``TYPE`` or ``PARENT=TYPE``."""

    def __call__(self, value: object) -> str:
        """The text as it is.

        :raises InvalidValue: it cannot be right
        """
        text: str = super().__call__(value)
        parent, mark, kind = text.rpartition("=")
        if not kind.strip() or (mark and not parent.strip()):
            raise InvalidValue("types", text, "nvidia-223, or 0000:3b:00.0=nvidia-223 for one parent")
        return text


class MdevDriver:
    """Reports the parents of mediated devices."""

    options: ClassVar[Sequence[cfg.Opt]] = (
        cfg.ListOpt(
            "types",
            default=[],
            item_type=_Choice(),
            help="Which type of mediated devices is offered: nvidia-223 of every parent that has it, "
            "0000:3b:00.0=nvidia-223 of one parent. The first that fits counts, one that names the parent before one "
            "that does not. Of a parent for which there is none, nothing is offered. "
            "/sys/class/mdev_bus/*/mdev_supported_types lists what there is.",
        ),
    )

    def __init__(self, host: Host, options: cfg.ConfigOpts.GroupAttr) -> None:
        self._host = host
        self._choices = [_split(text) for text in options.types or ()]

    def discover(self) -> tuple[Device, ...]:
        """The parents, those on PCI by address first."""
        parents = {parent.name: parent for parent in _parents(self._host)}
        if not parents:
            return ()
        functions = {str(one.address): one for one in pci_functions(self._host)}
        on_pci = [one for name, one in functions.items() if name in parents and self._is_ours(one, parents[name])]
        names = pci_names(self._host, [function.ids for function in on_pci])
        found = (self._on_pci(one, parents[str(one.address)], names.get(one.ids, "")) for one in on_pci)
        return (*found, *(self._elsewhere(parent) for name, parent in parents.items() if name not in functions))

    def prepare(self, device: Device, deployable: Deployable, handle: AttachHandle, key: str) -> None:
        """See ``accel.drivers.acts.Preparable``: makes the mediated device, with the handle's UUID for its own."""
        del deployable
        if handle.type is HandleType.MDEV:
            mediated.make(self._host, _parent_name(device, handle), handle.info.get("asked_type", ""), key)

    def release(self, device: Device, deployable: Deployable, handle: AttachHandle, key: str) -> None:
        """See ``accel.drivers.acts.Preparable``: removes the mediated device, and what was in it."""
        del device, deployable
        if handle.type is HandleType.MDEV:
            mediated.remove(self._host, key)

    def _is_ours(self, function: PciFunction, parent: "_Parent") -> bool:
        is_anothers = kind_of(function) is not None
        return not is_anothers or parent.made > 0 or self._chosen(parent) is not None

    def _chosen(self, parent: "_Parent") -> "_Type | None":
        named = [kind for name, kind in self._choices if name == parent.name]
        general = [kind for name, kind in self._choices if not name]
        return next((parent.types[kind] for kind in (*named, *general) if kind in parent.types), None)

    def _on_pci(self, function: PciFunction, parent: "_Parent", name: str) -> Device:
        kind, chosen, whole = kind_of(function) or _MDEV, self._chosen(parent), card_name(self._host, function)
        where, is_gpu = pci_handle(function.address).info, kind.type is DeviceType.GPU
        known = Knowledge(
            facts=parent.facts,
            parts=(_offer(chosen, whole, where, _words(function, kind, chosen), is_gpu=is_gpu),) if chosen else (),
            host_uses=() if chosen or not parent.made else _MADE_BY_OTHERS,
            condition=_condition(chosen),
            is_cut=True,
        )
        return card(self._host, function, kind=kind, known=known, name=name, virtual_functions=())

    def _elsewhere(self, parent: "_Parent") -> Device:
        """A parent that is not on PCI, known by the kernel's name for it."""
        chosen, name = self._chosen(parent), f"{self._host.name}_{parent.name}"
        whole = Deployable(name=name, kind=DeployableKind.CARD, num_accelerators=0)
        state = _condition(chosen)
        return Device(
            identity=f"mdev:{parent.name}",
            type=DeviceType.MDEV,
            vendor=UNKNOWN_ID,
            product=UNKNOWN_ID,
            model=parent.name,
            kernel_driver=link_name(parent.directory / "driver"),
            numa_node=read_numa_node(parent.directory / "numa_node"),
            health=state.health,
            reason=state.reason,
            std_board_info=parent.facts,
            deployables=(whole, *((_offer(chosen, name, {"parent": parent.name}),) if chosen else ())),
        )


def _parent_name(device: Device, handle: AttachHandle) -> str:
    """The kernel's name of the parent that a handle is of."""
    return handle.info.get("parent") or str(device.address)


def _split(text: str) -> tuple[str, str]:
    """A choice as the parent, empty for every one, and the type."""
    parent, _, kind = text.rpartition("=")
    return parent.strip(), kind.strip()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Type:
    """One type of mediated devices that a parent can make."""

    id: str
    """``nvidia-223``: the name of its directory."""
    name: str
    """``GRID T4-1B``; empty where the parent does not say."""
    available: int | None
    """How many more could be made now; None when it cannot be read."""
    made: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Parent:
    """A device that mediated devices are made of."""

    name: str
    """The kernel's: the address of a PCI function, or whatever the bus it is on calls it."""
    directory: Path
    types: Mapping[str, _Type]

    @property
    def made(self) -> int:
        """How many devices there are, of all types."""
        return sum(kind.made for kind in self.types.values())

    @property
    def facts(self) -> Mapping[str, str]:
        """All types, with how many could be made: that of one falls as devices of another are made."""
        said = (f"{one.id} ({one.name})" if one.name else one.id for one in self.types.values())
        return {"mdev_types": ", ".join(said)} if self.types else {}


def _parents(host: Host) -> Iterator[_Parent]:
    directory = host.sysfs / "class/mdev_bus"
    for name in names_in(directory):
        kinds = directory / name / "mdev_supported_types"
        types_ = {kind: _type(kinds / kind) for kind in names_in(kinds)}
        yield _Parent(name=name, directory=directory / name, types=types_)


def _type(directory: Path) -> _Type:
    return _Type(
        id=directory.name,
        name=read_text(directory / "name"),
        available=read_number(directory / "available_instances"),
        made=len(names_in(directory / "devices")),
    )


def _offer(
    kind: _Type, whole: str, where: Mapping[str, str], names: Iterable[str] = (), *, is_gpu: bool = False
) -> Deployable:
    """What is offered of a parent: as many devices as are there and could be made, so that the number stays."""
    count = kind.made + (kind.available or 0)
    handles = tuple(
        AttachHandle(type=HandleType.MDEV, info={**where, "asked_type": kind.id, "vgpu_mark": f"{kind.id}_{number}"})
        for number in range(count)
    )
    words = (*names, custom_trait("MDEV", kind.id))
    return Deployable(
        name=f"{whole}_{kind.id}",
        kind=DeployableKind.MDEV_TYPE,
        parent=whole,
        num_accelerators=count,
        attributes=(resource_class("VGPU" if is_gpu else "CUSTOM_MDEV"), *traits(words)),
        handles=handles,
    )


def _words(function: PciFunction, kind: Kind, chosen: _Type) -> Iterator[str]:
    """The traits of what a PCI function offers; the last is OpenStack's name for a virtual GPU, made of its product
    and the second word of the type's name.
    """
    vendor = VENDOR_WORDS.get(function.vendor, function.vendor)
    yield custom_trait(kind.type, vendor)
    yield custom_trait(kind.type, "product id", function.product)
    words = chosen.name.split()
    if len(words) > 1:
        yield custom_trait(vendor, function.product, words[1])


def _condition(chosen: _Type | None) -> Condition:
    if chosen is None or chosen.available is not None:
        return FIT
    reason = f"how many devices of type {chosen.id} can be made is not to be read: available_instances"
    return Condition(health=Health.UNKNOWN, reason=reason)
