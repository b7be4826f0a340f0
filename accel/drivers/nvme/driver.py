"""NVMe drives.

A drive is a subsystem: it may have several controllers, each with an address of its own, and two owners of two
controllers would share one disk. So a drive is one device with one handle, at its first controller. Its namespaces are
parts of it that are seen, not handed out one by one.

A controller that the kernel's driver does not drive, such as one that was handed to a virtual machine, says nothing
but its ids; it is reported by its address, by which it is known again.

A drive that the host itself uses is reported and not offered, nor are its virtual functions.

What a drive says of its own health (SMART) takes privilege to read: discovery does without, ``examine`` asks.
"""

import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import ClassVar

from oslo_config import cfg

from accel.drivers.acts import Progress
from accel.drivers.base import Host
from accel.drivers.guest.acts import PciActs
from accel.drivers.guest.kernel_drivers import bind_to_own
from accel.drivers.host_use import HostUse
from accel.drivers.nvme import secondaries, smart
from accel.drivers.nvme.commands import Method
from accel.drivers.nvme.controller import AdminController
from accel.drivers.nvme.known import Functions, KnownDrive, by_address, is_virtual, known_drives
from accel.drivers.nvme.report import DriveReport, silent_device
from accel.drivers.nvme.scrub import BEST, Scrub
from accel.drivers.nvme.subsystems import NOWHERE, distinct, sensor_directories
from accel.drivers.pci_names import pci_names
from accel.drivers.sysfs import pci_function
from accel.drivers.temperature import temperature
from accel.errors import ActFailed, ActNotSupported, DeviceGone, DriverFailure
from accel.model.address import PciAddress
from accel.model.device import Deployable, DeployableKind, Device, Health
from accel.model.health import Signal

_NVME_CLASS = 0x0108
_SMART, _SECONDARIES = "nvme.smart", "nvme.secondaries"
_KERNEL_DRIVER = "nvme"
_STARTING = frozenset({"new", "resetting", "connecting"})
_LOOKS_AT_START = 15
"""How often it is looked whether a drive has started before it is taken for what it is."""
_TROUBLE = (ActFailed, DriverFailure, OSError)
"""Why a drive cannot be asked."""


class NvmeDriver(PciActs):
    """Reports the NVMe drives of a host."""

    options: ClassVar[Sequence[cfg.Opt]] = (
        cfg.StrOpt(
            "smart_tool",
            default="",
            help="The absolute path of nvme (nvme-cli), or of what runs it, which reads the health of drives where the "
            "agent may not ask them itself; empty: the agent asks.",
        ),
        cfg.FloatOpt(
            "look_every_seconds",
            default=2,
            min=0.01,
            max=600,
            help="How often a drive that erases itself, or brings controllers online, is asked how far it is, in "
            "seconds.",
        ),
    )
    scrub_methods: ClassVar[Sequence[str]] = (BEST, *Method)

    def __init__(self, host: Host, options: cfg.ConfigOpts.GroupAttr) -> None:
        self._host = host
        self._options = options

    def discover(self) -> tuple[Device, ...]:
        """The drives by address, those that are not on PCI last."""
        functions = by_address(self._host)
        found = list(known_drives(self._host, functions))
        driven = {controller.address for one in found for controller in one.drive.controllers}
        return tuple(sorted((*self._driven(found), *self._silent(functions, driven)), key=_order))

    def scrub(self, device: Device, deployable: Deployable, method: str, progress: Progress) -> None:
        """Erase a drive or a namespace; see ``scrub``.

        :raises ActRefused: somebody uses it, or it cannot be done in this way; nothing has been changed
        :raises ActFailed: it went wrong on the way, or is not verified
        """
        known = self._awake(device)
        is_whole = deployable.kind is DeployableKind.CARD
        namespaces = distinct(known.drive.namespaces)
        if not is_whole:
            namespaces = [one for one in namespaces if deployable.name.endswith(f"_ns{one.number}")]
        if deployable.kind not in {DeployableKind.CARD, DeployableKind.NAMESPACE} or not (is_whole or namespaces):
            raise ActNotSupported(f"{deployable.name} is nothing that can be erased", "erase the drive or a namespace")
        Scrub(
            host=self._host,
            known=known,
            namespaces=tuple(namespaces),
            is_whole=is_whole,
            look_every_seconds=self._options.look_every_seconds,
        ).run(method, progress)

    def set_vfs(self, device: Device, count: int, progress: Progress) -> None:
        """Have exactly so many virtual functions, each with a controller that is online; see ``secondaries``.

        :raises ActRefused: it cannot be, and all is as it was
        :raises ActFailed: it went wrong on the way
        """
        known = self._known(device)
        controller = AdminController(self._host, known.ports[0].name)
        plan = secondaries.planned(controller, count)
        super().set_vfs(device, count, progress)
        if plan is not None:
            secondaries.bring_online(plan, progress, look_every_seconds=self._options.look_every_seconds)
            if not self._host.guests.has_virtual_functions:
                self._bind_virtual_functions(device)

    def _bind_virtual_functions(self, device: Device) -> None:
        """Let the kernel have them: while they were offline its driver could not."""
        known = self._known(device)
        for address in known.virtual_functions:
            function = pci_function(self._host, address)
            if function is not None and known.function is not None:
                bind_to_own(self._host, function, known.function.kernel_driver or "")

    def examine(self, device: Device) -> Iterator[Signal]:
        """What the drive says of its own health, how warm it is, and whether its virtual functions can be used.

        How warm it is the kernel knows, too, and tells anybody.
        """
        now = datetime.now(UTC)
        try:
            known = self._known(device)
        except DeviceGone as error:
            yield _unknown(_SMART, error, now)
            return
        controller = known.ports[0]
        log = None
        try:
            log = self._smart_log(controller.name)
        except _TROUBLE as error:
            yield _unknown(_SMART, error, now)
        else:
            yield smart.signal(log, _SMART, now) if log else _unknown(_SMART, "its health log makes no sense", now)
        by_kernel = sensor_directories(self._host, controller)
        yield from temperature(by_kernel, now, smart.sensors(log) if log and not by_kernel else ())
        if known.virtual_functions:
            yield self._secondaries_signal(known, now)

    def _smart_log(self, name: str) -> smart.SmartLog | None:
        tool, node = self._options.smart_tool, self._host.dev / name
        if tool:
            return smart.from_nvme_cli(self._host.run(tool, "smart-log", str(node), "--output-format=json"))
        return smart.from_log_page(AdminController(self._host, name).smart_log())

    def _secondaries_signal(self, known: KnownDrive, now: datetime) -> Signal:
        try:
            value, text = secondaries.condition(AdminController(self._host, known.ports[0].name), known)
        except _TROUBLE as error:
            return _unknown(_SECONDARIES, error, now)
        return Signal(source=_SECONDARIES, at=now, value=value, text=text)

    def _known(self, device: Device) -> KnownDrive:
        """The drive that a device is.

        :raises DeviceGone: the kernel's driver does not drive it
        """
        for known in known_drives(self._host, by_address(self._host)):
            if known.identity == device.identity:
                return known
        raise DeviceGone(f"the kernel's nvme driver does not drive {device.identity}", "bind it to nvme first")

    def _awake(self, device: Device) -> KnownDrive:
        """The drive that a device is, when it has started: the kernel's driver takes a while after it was bound.

        :raises DeviceGone: the kernel's driver does not drive it
        """
        for _ in range(_LOOKS_AT_START):
            try:
                known = self._known(device)
                if not any(port.state in _STARTING for port in known.ports):
                    return known
            except DeviceGone:
                function = pci_function(self._host, device.address) if device.address else None
                if function is None or function.kernel_driver != _KERNEL_DRIVER:
                    raise
            time.sleep(self._options.look_every_seconds)
        return self._known(device)

    def _driven(self, found: Sequence[KnownDrive]) -> Iterator[Device]:
        use = HostUse(self._host)
        for known in found:
            uses = {namespace.name: use.of_disk(namespace.directory) for namespace in known.drive.namespaces}
            yield DriveReport(self._host, known).device(uses)

    def _silent(self, functions: Functions, driven: set[PciAddress | None]) -> Iterator[Device]:
        silent = [
            function
            for function in functions.values()
            if function.base_class == _NVME_CLASS
            and function.address not in driven
            and not is_virtual(function.address, functions)
        ]
        names = pci_names(self._host, [function.ids for function in silent])
        for function in silent:
            yield silent_device(self._host, function, name=names.get(function.ids, ""))


def _order(device: Device) -> tuple[bool, PciAddress, str]:
    return device.address is None, device.address or NOWHERE, device.identity


def _unknown(source: str, why: Exception | str, now: datetime) -> Signal:
    text = f"it cannot be asked: {why}" if isinstance(why, Exception) else why
    return Signal(source=source, at=now, value=Health.UNKNOWN, text=text)
