"""What every device on PCI has in common: facts of the board, its condition, and the parts that are handed out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from accel.drivers.sysfs import PciFunction
from accel.model.address import PciAddress
from accel.model.device import (
    AttachHandle,
    Attribute,
    Deployable,
    DeployableKind,
    Health,
    Presence,
    pci_handle,
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


def condition(function: PciFunction) -> Condition:
    """What its ids and its configuration space tell: a function that answers counts as healthy, as far as PCI sees."""
    if function.is_gone:
        reason = "it does not answer on the PCI bus any more"
        return Condition(presence=Presence.LOST, health=Health.UNKNOWN, reason=reason)
    if function.problems:
        return Condition(health=Health.UNKNOWN, reason=f"sysfs cannot be read: {', '.join(function.problems)}")
    return Condition()


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


def card(
    name: str, *, handle: AttachHandle, attributes: Sequence[Attribute], is_divided: bool, host_uses: Sequence[str] = ()
) -> Deployable:
    """The whole card. It is handed out unless it is cut into virtual functions, or the host itself needs it.

    :param host_uses: what the host needs it for; kept as the attribute ``in_use_by_host``
    """
    offered = () if is_divided or host_uses else (handle,)
    return Deployable(
        name=name,
        kind=DeployableKind.CARD,
        num_accelerators=len(offered),
        attributes=(*attributes, *in_use_by_host(host_uses)),
        handles=offered,
    )


def virtual_function_pool(
    card: Deployable, *, addresses: Sequence[PciAddress], attributes: Sequence[Attribute], host_uses: Sequence[str] = ()
) -> Deployable:
    """The virtual functions of a card, handed out one by one unless the host itself needs the card."""
    offered = () if host_uses else tuple(map(pci_handle, addresses))
    return Deployable(
        name=f"{card.name}_vfs",
        kind=DeployableKind.VF_POOL,
        parent=card.name,
        num_accelerators=len(offered),
        attributes=(*attributes, *in_use_by_host(host_uses)),
        handles=offered,
    )


def in_use_by_host(uses: Sequence[str]) -> tuple[Attribute, ...]:
    """The attribute that says why the host keeps something for itself; none when it does not."""
    value = ", ".join(uses)[:_MAX_ATTRIBUTE_LENGTH]
    return (Attribute(key="in_use_by_host", value=value),) if uses else ()
