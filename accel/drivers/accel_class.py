"""The ``accel`` driver: processors for neural networks that the kernel shows in its class of accelerators.

Intel's Gaudi and NPUs, AMD's NPUs, Qualcomm's cards and whatever comes: each has a node ``/dev/accel/accelN``. Those of
Intel are reported where their kernel driver is missing, too. A device that is not on PCI is a part of a system on a
chip, and is handed out by its node.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar

from oslo_config import cfg

from accel.drivers.base import Host
from accel.drivers.guest.acts import PciActs
from accel.drivers.pci_board import FIT, UNKNOWN_ID, Condition
from accel.drivers.pci_card import NODES, Knowledge, cards, device_nodes, is_of
from accel.drivers.pci_kinds import RESOURCE_CLASSES
from accel.drivers.sysfs import PciFunction, link_name, link_parts, names_in, read_numa_node, read_text
from accel.model.address import PciAddress
from accel.model.attribute import custom_trait, resource_class, traits
from accel.model.device import (
    AttachHandle,
    Deployable,
    DeployableKind,
    Device,
    DeviceType,
    HandleType,
    Health,
)

_NODE = re.compile(r"accel\d+")
_FIRST_MAKERS = frozenset({"1da3", "8086"})
"""Makers whose every processor for neural networks has, or should have, a kernel driver of the class."""

_FACTS: Mapping[str, str] = {"processor": "device_type", "firmware": "fw_os_ver", "module": "module_id"}
"""Facts of the board and the attributes of Gaudi that say them."""

_OPERATIONAL = "operational"
_PASSING = ("in reset", "in device creation")
"""How states begin that pass by themselves."""


class AccelDriver(PciActs):
    """Reports what is in the kernel's class of accelerators."""

    options: ClassVar[Sequence[cfg.Opt]] = ()

    def __init__(self, host: Host, options: cfg.ConfigOpts.GroupAttr) -> None:
        del options  # there are none
        self._host = host

    def discover(self) -> tuple[Device, ...]:
        """Those on PCI by address, then the others by name."""
        places = dict(_places(self._host))
        on_pci = set(filter(None, map(PciAddress.read, places.values())))
        is_known = is_of(DeviceType.AICHIP, _FIRST_MAKERS)
        found = cards(self._host, lambda one: one.address in on_pci or is_known(one), _knowledge)
        others = ((name, place) for name, place in places.items() if PciAddress.read(place) is None)
        return (*found, *(_off_pci(self._host, name, place) for name, place in others))


def _places(host: Host) -> Iterator[tuple[str, str]]:
    """The devices of the class, each with what the kernel calls its place: the address of a PCI function, or else."""
    directory = host.sysfs / "class/accel"
    for name in names_in(directory):
        if _NODE.fullmatch(name):
            parts = link_parts(directory / name)
            yield name, parts[-3] if len(parts) > 2 else name


def _knowledge(function: PciFunction) -> Knowledge:
    return Knowledge(
        facts={
            NODES: device_nodes(function, "accel"),
            **{fact: read_text(function.path / attribute) for fact, attribute in _FACTS.items()},
        },
        condition=_condition(read_text(function.path / "status").lower()),
    )


def _condition(status: str) -> Condition:
    if status in ("", _OPERATIONAL):
        return FIT
    health = Health.UNKNOWN if status.startswith(_PASSING) else Health.UNHEALTHY
    return Condition(health=health, reason=f"its kernel driver says: {status}")


def _off_pci(host: Host, name: str, place: str) -> Device:
    """A device of a system on a chip, known by the name of its place there, which the firmware gives."""
    directory = host.sysfs / "class/accel" / name / "device"
    whole = Deployable(
        name=f"{host.name}_{place}",
        kind=DeployableKind.CARD,
        num_accelerators=1,
        attributes=(
            resource_class(RESOURCE_CLASSES[DeviceType.AICHIP]),
            *traits([custom_trait(DeviceType.AICHIP, link_name(directory / "driver") or UNKNOWN_ID)]),
        ),
        handles=(AttachHandle(type=HandleType.DEVICE_NODE, info={"path": f"/dev/accel/{name}"}),),
    )
    return Device(
        identity=f"platform:{place}",
        type=DeviceType.AICHIP,
        vendor=UNKNOWN_ID,
        product=UNKNOWN_ID,
        model=link_name(directory / "driver") or place,
        kernel_driver=link_name(directory / "driver"),
        numa_node=read_numa_node(directory / "numa_node"),
        std_board_info={NODES: f"/dev/accel/{name}"},
        deployables=(whole,),
    )
