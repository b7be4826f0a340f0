"""Cards on PCI as devices: what PCI tells of each, and what the driver of its kind knows beside that."""

import re
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from accel.drivers.base import Host
from accel.drivers.pci_board import FIT, UNKNOWN_ID, Board, Condition, pci_device
from accel.drivers.pci_kinds import RESOURCE_CLASSES, UNKNOWN, VENDOR_WORDS, Kind, kind_of
from accel.drivers.pci_names import pci_names
from accel.drivers.sysfs import PciFunction, names_in, pci_functions, read_number, read_text
from accel.model.address import PciAddress
from accel.model.attribute import custom_trait, resource_class, traits
from accel.model.device import AttachHandle, Attribute, Deployable, Device, DeviceType, pci_handle

NODES = "device_nodes"
"""The fact of a board that names its nodes below ``/dev``."""

UNREAD = "not_read"
"""The fact of a board that says what of it is not known, and what it takes to know it."""

_NODES: Mapping[str, str] = {"accel": "/dev/accel/", "drm": "/dev/dri/", "xrt_mgmt": "/dev/"}
"""Where the nodes of a device class are."""
_NODE_NAME = re.compile(r"(accel|card|renderD|xclmgmt)\d+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Knowledge:
    """What the driver of its kind knows of a card. Everything may be left out."""

    model: str = ""
    serial: str = ""
    """Makes the identity where no two cards have the same."""
    facts: Mapping[str, str] = field(default_factory=dict)
    """More facts of the board; those without a value are left out."""
    traits: Sequence[str] = ()
    """Beside the kind's and the product's."""
    figures: Sequence[Attribute] = ()
    parts: Sequence[Deployable] = ()
    """Parts of the card that PCI does not know of, below the card."""
    handles: Sequence[AttachHandle] = ()
    """How the whole card is handed out, to one workload; without any, its function is."""
    host_uses: Sequence[str] = ()
    condition: Condition = FIT
    """Counts where PCI sees nothing wrong."""
    is_cut: bool = False
    """Whether the parts are handed out in place of the card."""


def cards(
    host: Host, belongs: Callable[[PciFunction], bool], known: Callable[[PciFunction], Knowledge]
) -> tuple[Device, ...]:
    """The cards of one kind, by address. Virtual functions are parts of their physical function if that is there.

    :param belongs: whether a function is of the kind
    :param known: what the driver of the kind knows of one
    """
    functions = pci_functions(host)
    present = {function.address for function in functions}
    mine = [one for one in functions if belongs(one) and one.physical_function not in present]
    names = pci_names(host, [one.ids for one in mine])
    knowledge = [known(one) for one in mine]
    serials = Counter(one.serial for one in knowledge)
    return tuple(
        card(
            host,
            function,
            kind=kind_of(function) or UNKNOWN,
            known=replace(one, serial=one.serial if serials[one.serial] == 1 else ""),
            name=names.get(function.ids, ""),
        )
        for function, one in zip(mine, knowledge, strict=True)
    )


def card(
    host: Host,
    function: PciFunction,
    *,
    kind: Kind,
    known: Knowledge,
    name: str = "",
    virtual_functions: Sequence[PciAddress] | None = None,
) -> Device:
    """One card.

    :param name: what the host's list of ids calls it; empty when it does not
    :param virtual_functions: those that are offered; None: all that there are
    """
    own = function.virtual_functions if virtual_functions is None else virtual_functions
    whole = RESOURCE_CLASSES[kind.type]
    board = Board(
        name=card_name(host, function),
        handles=known.handles or (pci_handle(function.address),),
        attributes=(*_attributes(function, kind, whole, known), *known.figures),
        virtual_functions=own,
        pool_attributes=_attributes(function, kind, "VGPU" if kind.type is DeviceType.GPU else whole, known),
        host_uses=known.host_uses,
        is_cut=known.is_cut,
    )
    parts = (*board.deployables(), *known.parts)
    seen = pci_device(function, kind=kind.type, model=known.model or kind.model or name, deployables=parts)
    return _told(seen, known)


def card_name(host: Host, function: PciFunction) -> str:
    """The name of a card's deployable."""
    return f"{host.name}_{function.address}"


def _told(seen: Device, known: Knowledge) -> Device:
    """What PCI tells, with what is known beside."""
    facts = {**seen.std_board_info, **{name: fact for name, fact in known.facts.items() if fact}}
    device = replace(seen, std_board_info=facts)
    if known.serial:
        device = replace(device, identity=f"serial:{known.serial}", serial=known.serial)
    if seen.reason or not known.condition.reason:
        return device
    state = known.condition
    return replace(device, presence=state.presence, health=state.health, reason=state.reason)


def _attributes(function: PciFunction, kind: Kind, resource_class_name: str, known: Knowledge) -> tuple[Attribute, ...]:
    vendor = function.vendor or UNKNOWN_ID
    names = (
        custom_trait(kind.type, VENDOR_WORDS.get(vendor, vendor)),
        custom_trait(kind.type, "product id", function.product or UNKNOWN_ID),
        *known.traits,
    )
    return (resource_class(resource_class_name), *traits(dict.fromkeys(names)))


def is_of(kind: DeviceType, vendors: Collection[str]) -> Callable[[PciFunction], bool]:
    """Whether a function is a device of a kind by one of the vendors."""

    def is_one(function: PciFunction) -> bool:
        known = kind_of(function) if function.vendor in vendors else None
        return known is not None and known.type is kind

    return is_one


def memory_figures(function: PciFunction) -> tuple[Attribute, ...]:
    """The memory of a card in bytes, where its kernel driver says it beside the PCI function, as AMD's does."""
    memory = read_number(function.path / "mem_info_vram_total")
    return () if memory is None else (Attribute(key="memory_bytes", value=str(memory)),)


def console_use(function: PciFunction) -> tuple[str, ...]:
    """What the host needs a display for: the one that draws the console is not handed out."""
    return ("console",) if read_text(function.path / "boot_vga") == "1" else ()


def device_nodes(function: PciFunction, *device_classes: str) -> str:
    """The nodes below ``/dev`` of a function, as text, by what the kernel shows of device classes below it."""
    return ", ".join(
        f"{_NODES[device_class]}{name}"
        for device_class in device_classes
        for name in names_in(function.path / device_class)
        if _NODE_NAME.fullmatch(name)
    )
