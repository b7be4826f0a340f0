"""One good driver, and one for every way in which a driver can go wrong."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from oslo_config import cfg

from accel.drivers.acts import Progress
from accel.drivers.base import Host
from accel.errors import ActFailed, ActRefused, DriverFailure, DriverUnavailable
from accel.model.address import PciAddress
from accel.model.attribute import resource_class
from accel.model.device import (
    AttachHandle,
    Deployable,
    DeployableKind,
    Device,
    DeviceType,
    Signal,
    pci_handle,
    weak_identity,
)


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


class Able(_Driver):
    """Sees two cards, and does to them what a layout says: cut them into parts, or go wrong in one of many ways.

    What a card is cut into is in a file of it. It stops where the test has put a file ``closed``.
    """

    def discover(self) -> Iterator[Device]:
        for bus in ("3b", "5e"):
            yield from OneCard(self.host, _At(f"0000:{bus}:00.0")).discover()

    def partition(self, device: Device, layout: Mapping[str, int], progress: Progress) -> None:
        must_go_on = "half a card is none" if "must" in layout else ""
        progress("cutting", 0.5, must_go_on=must_go_on)
        if "refuse" in layout:
            raise ActRefused("no card has 8 slices", "ask for 7 at most")
        _write(self.host.root / f"begun-{device.address}", str(os.getpid()))
        while (self.host.root / "closed").exists():
            time.sleep(0.01)
            progress("cutting", 0.5, must_go_on=must_go_on)
        if "hang" in layout:
            subprocess.run(["/bin/sleep", "600"], check=True)
        if "segfault" in layout:
            os.kill(os.getpid(), signal.SIGSEGV)
        if "mistake" in layout:
            raise ZeroDivisionError("a mistake in the driver")
        if "break" in layout:
            raise ActFailed("the second slice was not made", "look at the card")
        _write(self.host.root / f"parts-{device.address}", ",".join(f"{k}={layout[k]}" for k in sorted(layout)))

    # What else it does to a card is a file of it, too; while there is a file ``fail-<act>`` it goes wrong as that says.
    # ruff: noqa: ARG002 - the parameters are those of the protocols

    scrub_methods = ("zero",)

    def program(self, device: Device, deployable: Deployable, image: Path, progress: Progress) -> None:
        progress("writing", 0.5)
        self._try("program", device)
        _write(self._file("loaded", device), image.read_text())

    def blank(self, device: Device, deployable: Deployable, progress: Progress) -> None:
        self._try("blank", device)
        self._file("loaded", device).unlink(missing_ok=True)
        self._file("half-program", device).unlink(missing_ok=True)

    def scrub(self, device: Device, deployable: Deployable, method: str, progress: Progress) -> None:
        self._try("scrub", device)
        self._file("dirt", device).unlink(missing_ok=True)

    def prepare(self, device: Device, deployable: Deployable, handle: AttachHandle, key: str) -> None:
        self._try("prepare", device)
        _write(self._file("prepared", device), key)

    def release(self, device: Device, deployable: Deployable, handle: AttachHandle, key: str) -> None:
        self._try("release", device)
        self._file("prepared", device).unlink(missing_ok=True)
        self._file("half-prepare", device).unlink(missing_ok=True)

    def _file(self, what: str, device: Device) -> Path:
        return self.host.root / f"{what}-{device.address}"

    def _try(self, act: str, device: Device) -> None:
        while (self.host.root / "closed").exists():
            time.sleep(0.01)
        fault = self.host.root / f"fail-{act}"
        how = fault.read_text() if fault.exists() else ""
        if how == "refuse":
            raise ActRefused(f"{act}: not this card")
        if how:
            _write(self._file(f"half-{act}", device), "half")
            raise ActFailed(f"{act}: {how}")


class _At:
    def __init__(self, address: str) -> None:
        self.address = address


def _write(path: Path, text: str) -> None:
    """So that whoever waits for it sees all of it."""
    new = path.with_suffix(".new")
    new.write_text(text)
    new.replace(path)


class ExaminesForever(OneCard):
    """Sees its card, and hangs when it examines it."""

    def examine(self, device: Device) -> Iterator[Signal]:
        del device
        time.sleep(3600)
        yield from ()


class ExaminesToDeath(OneCard):
    """Sees its card, and takes the process with it when it examines it."""

    def examine(self, device: Device) -> Iterator[Signal]:
        del device
        os.kill(os.getpid(), signal.SIGSEGV)
        yield from ()
