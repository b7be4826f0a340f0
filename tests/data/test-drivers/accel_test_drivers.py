"""One good driver, and one for every way in which a driver can go wrong."""

import os
import signal
from collections.abc import Iterator

from oslo_config import cfg

from accel.drivers.base import Host
from accel.errors import DriverFailure, DriverUnavailable
from accel.model.address import PciAddress
from accel.model.attribute import resource_class
from accel.model.device import Deployable, DeployableKind, Device, DeviceType, pci_handle, weak_identity


class _Driver:
    options = ()

    def __init__(self, host: Host, options: cfg.ConfigOpts.GroupAttr) -> None:
        self.host = host
        self.group = options


class OneCard(_Driver):
    """Sees the card that its option says; in a host of files, as long as there is a file ``card``."""

    options = (cfg.StrOpt("address", default="0000:3b:00.0", help="Where the card is."),)

    def discover(self) -> Iterator[Device]:
        if not self.host.is_real and not (self.host.root / "card").exists():
            return
        address = PciAddress.parse(self.group.address)
        part = Deployable(
            name=f"{self.host.name}_{address}",
            kind=DeployableKind.CARD,
            num_accelerators=1,
            attributes=(resource_class("PGPU"),),
            handles=(pci_handle(address),),
        )
        yield Device(
            identity=weak_identity(address),
            type=DeviceType.GPU,
            vendor="abcd",
            product="0001",
            model="Test card",
            address=address,
            deployables=(part,),
        )


class Raises(_Driver):
    def discover(self) -> None:
        raise ZeroDivisionError("a mistake in the driver")


class Fails(_Driver):
    def discover(self) -> None:
        raise DriverFailure("the card does not answer", "turn it off and on again")


class LacksLibrary(_Driver):
    def discover(self) -> None:
        raise DriverUnavailable("libtest.so is not installed", "install libtest")


class Segfaults(_Driver):
    def discover(self) -> None:
        os.kill(os.getpid(), signal.SIGSEGV)


class Exits(_Driver):
    def discover(self) -> None:
        os._exit(3)


class Hangs(_Driver):
    """As a library does that waits for a card for ever, deaf to polite signals."""

    def discover(self) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        while True:
            signal.pause()


class Nonsense(_Driver):
    def discover(self) -> list[str]:
        return ["a card"]


class NoAnswer(_Driver):
    def discover(self) -> None:
        return None
