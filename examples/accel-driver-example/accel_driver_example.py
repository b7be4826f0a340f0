"""The compute accelerators that Linux lists in ``/sys/class/accel``."""

import re
from collections.abc import Iterator, Sequence
from typing import ClassVar

from oslo_config import cfg

from accel.drivers.base import Host
from accel.drivers.sysfs import PciFunction, names_in, pci_functions
from accel.errors import DriverUnavailable
from accel.model.attribute import custom_trait, resource_class, traits
from accel.model.device import (
    AttachHandle,
    Deployable,
    DeployableKind,
    Device,
    DeviceType,
    HandleType,
    Health,
    weak_identity,
)

_NODE = re.compile(r"accel\d+")
"""A device node; ``accel_controlD0`` beside it is there to watch the device, not to work with it."""
_UNKNOWN = "unknown"


class ExampleDriver:
    """Reports each PCI function that has a node below ``/dev/accel``; a workload is given that node."""

    options: ClassVar[Sequence[cfg.Opt]] = (
        cfg.ListOpt(
            "kernel_drivers",
            default=[],
            help="Report the devices of these kernel drivers only, for example habanalabs. Empty reports all.",
        ),
    )

    def __init__(self, host: Host, options: cfg.ConfigOpts.GroupAttr) -> None:
        self._host = host
        self._kernel_drivers = frozenset(options.kernel_drivers)

    def discover(self) -> tuple[Device, ...]:
        """The accelerators that are there now, by address.

        :raises DriverUnavailable: the kernel has no class of compute accelerators
        """
        if not (self._host.sysfs / "class/accel").is_dir():
            raise DriverUnavailable(
                "/sys/class/accel does not exist", "Linux 6.2 or newer with CONFIG_DRM_ACCEL has it"
            )
        return tuple(self._devices())

    def _devices(self) -> Iterator[Device]:
        for function in pci_functions(self._host):
            node = next(filter(_NODE.fullmatch, names_in(function.path / "accel")), None)
            if node is not None and self._is_wanted(function):
                yield _device(self._host.name, function, node)

    def _is_wanted(self, function: PciFunction) -> bool:
        return not self._kernel_drivers or function.kernel_driver in self._kernel_drivers


def _device(host_name: str, function: PciFunction, node: str) -> Device:
    vendor, product = function.vendor or _UNKNOWN, function.product or _UNKNOWN
    return Device(
        identity=weak_identity(function.address),  # a serial number would be better: the slot may get another card
        type=DeviceType.AICHIP,
        vendor=vendor,
        product=product,
        model=f"{vendor}:{product}",
        address=function.address,
        kernel_driver=function.kernel_driver,
        numa_node=function.numa_node,
        pci_path=function.pci_path,
        health=Health.UNKNOWN if function.problems else Health.HEALTHY,
        reason="; ".join(function.problems),
        deployables=(_card(f"{host_name}_{function.address}", function, node),),
    )


def _card(name: str, function: PciFunction, node: str) -> Deployable:
    return Deployable(
        name=name,
        kind=DeployableKind.CARD,
        num_accelerators=1,
        attributes=(
            resource_class("CUSTOM_AICHIP"),
            *traits([custom_trait("AICHIP", function.kernel_driver or "no driver")]),
        ),
        handles=(AttachHandle(type=HandleType.DEVICE_NODE, info={"path": f"/dev/accel/{node}"}),),
    )
