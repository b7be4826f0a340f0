"""A device that is not there, for tests of what is built on accel.

It is the fake device of the OpenStack accelerator service, value by value: an FPGA with sixteen handles of a type that
Nova boots a server with and attaches nothing for. Test suites written for that service look for each of the values.
"""

import re
from collections.abc import Sequence
from typing import ClassVar

from oslo_config import cfg

from accel.drivers.base import Host
from accel.model.address import PciAddress
from accel.model.attribute import resource_class, traits
from accel.model.device import (
    AttachHandle,
    Deployable,
    DeployableKind,
    Device,
    DeviceType,
    HandleType,
    weak_identity,
)

_ADDRESS = PciAddress(domain=0, bus=0x0C, device=0, function=0)
_HANDLE_COUNT = 16
_FUNCTIONS_PER_DEVICE = 8
_UNSAFE_IN_NAME = re.compile(r"[^A-Za-z0-9._-]")


class FakeDriver:
    """Reports one FPGA that does not exist, healthy for ever."""

    options: ClassVar[Sequence[cfg.Opt]] = ()

    def __init__(self, host: Host, options: cfg.ConfigOpts.GroupAttr) -> None:  # noqa: ARG002 - all drivers are made alike
        self._host_name = host.name

    def discover(self) -> tuple[Device, ...]:
        """The same device each time."""
        device = Device(
            identity=weak_identity(_ADDRESS),
            type=DeviceType.FPGA,
            vendor="0xABCD",
            product="abcd",
            model="miss model info",
            address=_ADDRESS,
            std_board_info={"device_id": "0xabcd", "class": "Fake class"},
            vendor_board_info="fake_vendor_info",
            deployables=(self._card(),),
        )
        return (device,)

    def _card(self) -> Deployable:
        return Deployable(
            name=_UNSAFE_IN_NAME.sub("_", f"{self._host_name}_FakeDevice"),
            kind=DeployableKind.CARD,
            num_accelerators=_HANDLE_COUNT,
            attributes=(*traits(["CUSTOM_FAKE_DEVICE"]), resource_class("FPGA")),
            handles=tuple(_handle(number) for number in range(1, _HANDLE_COUNT + 1)),
        )


def _handle(number: int) -> AttachHandle:
    """The handle with a number counted from 1; its device and function are decimal, without padding."""
    device, function = divmod(number, _FUNCTIONS_PER_DEVICE)
    info = {"domain": "0000", "bus": "0c", "device": str(device), "function": str(function)}
    return AttachHandle(type=HandleType.TEST_PCI, info=info)
