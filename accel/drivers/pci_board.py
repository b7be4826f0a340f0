"""What every device on PCI has in common: facts of the board, its condition, and the parts that are handed out."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from accel.drivers.sysfs import PciFunction
from accel.model.address import PciAddress
from accel.model.device import (
    AttachHandle,
    Attribute,
    Deployable,
    DeployableKind,
    Device,
    DeviceType,
    Health,
    Presence,
    pci_handle,
    weak_identity,
)

UNKNOWN_ID = "unknown"
"""What stands for a vendor or device id that the host does not say."""

_MAX_ATTRIBUTE_LENGTH = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """Whether a device is there and fit, and in words why not."""

    presence: Presence = Presence.PRESENT
    health: Health = Health.HEALTHY
    reason: str = ""


FIT = Condition()
"""There, and nothing is known to be the matter."""


def condition(function: PciFunction) -> Condition:
    """What its ids and its configuration space tell: a function that answers counts as healthy, as far as PCI sees."""
    if function.is_gone:
        reason = "it does not answer on the PCI bus any more"
        return Condition(presence=Presence.LOST, health=Health.UNKNOWN, reason=reason)
    if function.problems:
        return Condition(health=Health.UNKNOWN, reason=f"sysfs cannot be read: {', '.join(function.problems)}")
    return FIT


def pci_device(
    function: PciFunction, *, kind: DeviceType, model: str, deployables: Sequence[Deployable] = ()
) -> Device:
    """A device that is one PCI function, known by where it sits.

    :param model: the name a person knows it by; empty where only the ids are known
    """
    state = condition(function)
    vendor, product = function.vendor or UNKNOWN_ID, function.product or UNKNOWN_ID
    return Device(
        identity=weak_identity(function.address),
        type=kind,
        vendor=vendor,
        product=product,
        model=model or f"{vendor}:{product}",
        address=function.address,
        kernel_driver=function.kernel_driver,
        numa_node=function.numa_node,
        pci_path=function.pci_path,
        presence=state.presence,
        health=state.health,
        reason=state.reason,
        std_board_info=board_info(function),
        deployables=tuple(deployables),
    )


def board_info(function: PciFunction) -> Mapping[str, str]:
    """The facts of the board that the host says, as text.

    Of the link's speed it is the greatest possible one: the present one falls whenever the device is idle.
    """
    code = function.class_code
    subsystem = f"0x{function.subsystem_vendor}:0x{function.subsystem_product}"
    facts = {
        "product_id": function.product and f"0x{function.product}",
        "class": "" if code is None else f"0x{code:06x}",
        "subsystem_id": subsystem if function.subsystem_vendor and function.subsystem_product else "",
        "iommu_group": _text(function.iommu_group),
        "max_link_speed": function.max_link_speed,
        "link_width": _text(function.link_width),
        "total_virtual_functions": _text(function.total_virtual_functions or None),
    }
    return {name: fact for name, fact in facts.items() if fact}


def _text(number: int | None) -> str:
    return "" if number is None else str(number)


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """What of a board is handed out, and how. Whole, unless it is cut into virtual functions."""

    name: str
    """The name of the card's deployable; the pool's begins with it."""
    handles: Sequence[AttachHandle]
    """How the whole card is handed out: all of them to one workload."""
    attributes: Sequence[Attribute]
    """The card's."""
    virtual_functions: Sequence[PciAddress] = ()
    pool_attributes: Sequence[Attribute] = ()
    """The virtual functions'."""
    host_uses: Sequence[str] = ()
    """What the host itself needs the board for; then nothing is handed out, and the attribute ``in_use_by_host`` says
    why."""
    is_cut: bool = False
    """Whether it is handed out in other parts, which the driver adds itself."""

    def deployables(self) -> Iterator[Deployable]:
        """The card, then the pool of its virtual functions if it has any."""
        whole = () if self.virtual_functions or self.is_cut else tuple(self.handles)
        yield self._part(DeployableKind.CARD, self.attributes, whole)
        if self.virtual_functions:
            virtual = tuple(map(pci_handle, self.virtual_functions))
            yield self._part(DeployableKind.VF_POOL, self.pool_attributes, virtual)

    def _part(
        self, kind: DeployableKind, attributes: Sequence[Attribute], handles: tuple[AttachHandle, ...]
    ) -> Deployable:
        offered = () if self.host_uses else handles
        is_card = kind is DeployableKind.CARD
        return Deployable(
            name=self.name if is_card else f"{self.name}_vfs",
            kind=kind,
            parent=None if is_card else self.name,
            num_accelerators=min(len(offered), 1) if is_card else len(offered),
            attributes=(*attributes, *in_use_by_host(self.host_uses)),
            handles=offered,
        )


def in_use_by_host(uses: Sequence[str]) -> tuple[Attribute, ...]:
    """What the host itself needs a part for, as an attribute; none where it needs it for nothing."""
    value = ", ".join(uses)[:_MAX_ATTRIBUTE_LENGTH]
    return (Attribute(key="in_use_by_host", value=value),) if uses else ()
