"""NVMe drives.

A drive is a subsystem: it may have several controllers, each with an address of its own, and two owners of two
controllers would share one disk. So a drive is one device with one handle, at its first controller. Its namespaces are
parts of it that are seen, not handed out one by one.

A controller that the kernel's driver does not drive, such as one that was handed to a virtual machine, says nothing
but its ids; it is reported by its address, by which it is known again.

A drive that the host itself uses is reported and not offered, nor are its virtual functions.

What a drive says of its own health (SMART) takes privilege to read: discovery does without, ``examine`` asks.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import ClassVar

from oslo_config import cfg

from accel.drivers.acts import Progress
from accel.drivers.base import Host
from accel.drivers.guest.acts import PciActs
from accel.drivers.host_use import HostUse
from accel.drivers.nvme import smart
from accel.drivers.nvme.commands import Method
from accel.drivers.nvme.controller import AdminController
from accel.drivers.nvme.scrub import BEST, Scrub
from accel.drivers.nvme.subsystems import NOWHERE, Controller, Drive, Namespace, drives, sensor_directories
from accel.drivers.pci_board import UNKNOWN_ID, Board, Condition, condition, in_use_by_host, pci_device
from accel.drivers.pci_names import pci_names
from accel.drivers.sysfs import PciFunction, pci_functions
from accel.drivers.temperature import temperature
from accel.errors import ActFailed, ActNotSupported, DeviceGone, DriverFailure
from accel.model.address import PciAddress
from accel.model.attribute import custom_trait, resource_class, traits
from accel.model.device import (
    FUNCTIONS,
    AttachHandle,
    Attribute,
    Deployable,
    DeployableKind,
    Device,
    DeviceType,
    HandleType,
    Health,
    Presence,
    pci_handle,
    weak_identity,
)
from accel.model.health import Signal

RESOURCE_CLASS = "CUSTOM_NVME"

_NVME_CLASS = 0x0108
_LIVE, _DEAD = "live", "dead"

_SMART = "nvme.smart"

_Functions = Mapping[PciAddress, PciFunction]
_Driven = tuple[Drive, tuple[Controller, ...]]
"""A drive with its controllers that are no virtual functions."""
_Uses = Mapping[str, Sequence[str]]
"""What the host uses each namespace for, by the kernel's name of it."""


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
            help="How often a drive that erases itself is asked how far it is, in seconds.",
        ),
    )
    scrub_methods: ClassVar[Sequence[str]] = (BEST, *Method)

    def __init__(self, host: Host, options: cfg.ConfigOpts.GroupAttr) -> None:
        self._host = host
        self._options = options

    def discover(self) -> tuple[Device, ...]:
        """The drives by address, those that are not on PCI last."""
        functions = {function.address: function for function in pci_functions(self._host)}
        found = drives(self._host)
        driven = {controller.address for drive in found for controller in drive.controllers}
        return tuple(sorted((*self._driven(found, functions), *self._silent(functions, driven)), key=_order))

    def scrub(self, device: Device, deployable: Deployable, method: str, progress: Progress) -> None:
        """Erase a drive or a namespace; see ``scrub``.

        :raises ActRefused: somebody uses it, or it cannot be done in this way; nothing has been changed
        :raises ActFailed: it went wrong on the way, or is not verified
        """
        functions = {function.address: function for function in pci_functions(self._host)}
        drive, ports = self._drive(device, functions)
        is_whole = deployable.kind is DeployableKind.CARD
        namespaces = _distinct(drive.namespaces)
        if not is_whole:
            namespaces = [one for one in namespaces if deployable.name.endswith(f"_ns{one.number}")]
        if deployable.kind not in {DeployableKind.CARD, DeployableKind.NAMESPACE} or not (is_whole or namespaces):
            raise ActNotSupported(f"{deployable.name} is nothing that can be erased", "erase the drive or a namespace")
        Scrub(
            host=self._host,
            drive=drive,
            ports=ports,
            virtual_functions=_virtual_functions(ports, functions),
            namespaces=tuple(namespaces),
            is_whole=is_whole,
            look_every_seconds=self._options.look_every_seconds,
        ).run(method, progress)

    def examine(self, device: Device) -> Iterator[Signal]:
        """What the drive says of its own health, and how warm it is; the kernel knows that, too, and tells anybody."""
        now = datetime.now(UTC)
        log, why_not = None, "its health log makes no sense"
        try:
            functions = {function.address: function for function in pci_functions(self._host)}
            _, ports = self._drive(device, functions)
        except DeviceGone as error:
            yield Signal(source=_SMART, at=now, value=Health.UNKNOWN, text=f"it cannot be asked: {error}")
            return
        try:
            log = self._smart_log(ports[0].name)
        except (ActFailed, DriverFailure, OSError) as error:
            why_not = f"it cannot be asked: {error}"
        unknown = Signal(source=_SMART, at=now, value=Health.UNKNOWN, text=why_not)
        yield smart.signal(log, _SMART, now) if log else unknown
        by_kernel = sensor_directories(self._host, ports[0])
        yield from temperature(by_kernel, now, smart.sensors(log) if log and not by_kernel else ())

    def _smart_log(self, name: str) -> smart.SmartLog | None:
        tool, node = self._options.smart_tool, self._host.dev / name
        if tool:
            return smart.from_nvme_cli(self._host.run(tool, "smart-log", str(node), "--output-format=json"))
        return smart.from_log_page(AdminController(self._host, name).smart_log())

    def _drive(self, device: Device, functions: _Functions) -> _Driven:
        """The drive that a device is, with its controllers.

        :raises DeviceGone: the kernel's driver does not drive it
        """
        for drive, ports, identity in _identified(drives(self._host), functions):
            if identity == device.identity:
                return drive, ports
        raise DeviceGone(f"the kernel's nvme driver does not drive {device.identity}", "bind it to nvme first")

    def _driven(self, found: Sequence[Drive], functions: _Functions) -> Iterator[Device]:
        use = HostUse(self._host)
        for drive, ports, identity in _identified(found, functions):
            uses = {namespace.name: use.of_disk(namespace.directory) for namespace in drive.namespaces}
            yield _DriveReport(self._host, drive, ports, functions=functions).device(identity, uses)

    def _silent(self, functions: _Functions, driven: set[PciAddress | None]) -> Iterator[Device]:
        silent = [
            function
            for function in functions.values()
            if function.base_class == _NVME_CLASS
            and function.address not in driven
            and not _is_virtual(function.address, functions)
        ]
        names = pci_names(self._host, [function.ids for function in silent])
        for function in silent:
            yield _silent_device(self._host, function, name=names.get(function.ids, ""))


def _order(device: Device) -> tuple[bool, PciAddress, str]:
    return device.address is None, device.address or NOWHERE, device.identity


def _is_virtual(address: PciAddress | None, functions: _Functions) -> bool:
    """Whether it is a virtual function of a physical one that is to be seen."""
    function = functions.get(address) if address else None
    return function is not None and function.physical_function in functions


def _ports(drive: Drive, functions: _Functions) -> tuple[Controller, ...]:
    """The controllers of a drive without its virtual functions."""
    return tuple(port for port in drive.controllers if not _is_virtual(port.address, functions))


def _virtual_functions(ports: Sequence[Controller], functions: _Functions) -> tuple[PciAddress, ...]:
    mine = [functions[port.address] for port in ports if port.address and port.address in functions]
    return tuple(address for function in mine for address in function.virtual_functions)


def _identified(found: Sequence[Drive], functions: _Functions) -> Iterator[tuple[Drive, tuple[Controller, ...], str]]:
    """The drives with their controllers, and what each is known by."""
    whole = [(drive, ports) for drive in found if (ports := _ports(drive, functions))]
    for (drive, ports), identity in zip(whole, _identities(whole), strict=True):
        yield drive, ports, identity


def _identities(whole: Sequence[_Driven]) -> Iterator[str]:
    """The serial number of each drive where no two have the same, else its qualified name, else where it sits."""
    serials = Counter(drive.serial for drive, _ in whole)
    qualified_names = Counter(drive.qualified_name for drive, _ in whole)
    for drive, ports in whole:
        if drive.serial and serials[drive.serial] == 1:
            yield f"serial:{drive.serial}"
        elif drive.qualified_name and qualified_names[drive.qualified_name] == 1:
            yield f"nqn:{drive.qualified_name}"
        else:
            address = ports[0].address
            yield weak_identity(address) if address else f"name:{ports[0].name}"


class _DriveReport:
    """A drive as it is reported."""

    def __init__(self, host: Host, drive: Drive, ports: Sequence[Controller], *, functions: _Functions) -> None:
        self._drive = drive
        self._ports = ports
        self._functions = functions
        self._first = ports[0]
        self._function = functions.get(self._first.address) if self._first.address else None
        self._name = f"{host.name}_{self._first.address or drive.serial or self._first.name}"

    def device(self, identity: str, uses: _Uses) -> Device:
        state = self._condition()
        seen = self._seen_on_bus()
        return replace(
            seen,
            identity=identity,
            model=self._drive.model or seen.model,
            serial=self._drive.serial or None,
            numa_node=seen.numa_node if self._first.numa_node is None else self._first.numa_node,
            presence=state.presence,
            health=state.health,
            reason=state.reason,
            std_board_info={**seen.std_board_info, **self._facts()},
            deployables=tuple(self._deployables(uses)),
        )

    def _seen_on_bus(self) -> Device:
        """What is known of its first controller without asking the drive."""
        if self._function:
            return pci_device(self._function, kind=DeviceType.NVME, model="")
        return Device(
            identity=self._first.name,
            type=DeviceType.NVME,
            vendor=UNKNOWN_ID,
            product=UNKNOWN_ID,
            model="NVMe drive",
            address=self._first.address,
        )

    def _facts(self) -> Mapping[str, str]:
        addresses = [str(port.address) for port in self._ports if port.address]
        facts = {
            "firmware": self._drive.firmware,
            "transport": self._first.transport,
            "subsystem_nqn": self._drive.qualified_name,
            FUNCTIONS: ", ".join(addresses) if len(addresses) > 1 else "",
        }
        return {name: fact for name, fact in facts.items() if fact}

    def _condition(self) -> Condition:
        """The worst of its controllers'; it is lost when all of them are."""
        conditions = [self._condition_of(port) for port in self._ports]
        if all(one.presence is Presence.LOST for one in conditions):
            return conditions[0]
        healths = {one.health for one in conditions}
        health = next(h for h in (Health.UNHEALTHY, Health.UNKNOWN, Health.HEALTHY) if h in healths)
        return Condition(health=health, reason="; ".join(one.reason for one in conditions if one.reason))

    def _condition_of(self, port: Controller) -> Condition:
        function = self._functions.get(port.address) if port.address else None
        on_bus = condition(function) if function else Condition()
        if on_bus.reason or port.state == _LIVE:
            return on_bus
        health = Health.UNHEALTHY if port.state == _DEAD else Health.UNKNOWN
        return Condition(health=health, reason=f"its controller {port.name} is {port.state or 'in no known state'}")

    def _deployables(self, uses: _Uses) -> Iterator[Deployable]:
        attributes = _attributes(self._function.vendor if self._function else "")
        namespaces = _distinct(self._drive.namespaces)
        board = Board(
            name=self._name,
            handles=(self._handle(),),
            attributes=(*attributes, *_capacity(namespaces)),
            virtual_functions=self._function.virtual_functions if self._function else (),
            pool_attributes=attributes,
            host_uses=sorted({use for found in uses.values() for use in found}),
        )
        yield from board.deployables()
        for namespace in namespaces:
            yield _namespace_part(namespace, card_name=board.name, uses=uses[namespace.name])

    def _handle(self) -> AttachHandle:
        if self._first.address:
            return pci_handle(self._first.address)
        return AttachHandle(type=HandleType.DEVICE_NODE, info={"path": f"/dev/{self._first.name}"})


def _attributes(vendor: str) -> tuple[Attribute, ...]:
    return (
        resource_class(RESOURCE_CLASS),
        *traits([custom_trait("NVMe", vendor or UNKNOWN_ID)]),
    )


def _distinct(namespaces: Sequence[Namespace]) -> Sequence[Namespace]:
    """Each namespace once: without multipathing a kernel shows it once for each controller."""
    return list({namespace.number: namespace for namespace in reversed(namespaces)}.values())[::-1]


def _capacity(namespaces: Sequence[Namespace]) -> tuple[Attribute, ...]:
    """The bytes of all namespaces; none when one does not say, or there is none to be seen."""
    sizes = [namespace.capacity_bytes for namespace in namespaces]
    known = [size for size in sizes if size is not None]
    return (Attribute(key="capacity_bytes", value=str(sum(known))),) if known and len(known) == len(sizes) else ()


def _namespace_part(namespace: Namespace, *, card_name: str, uses: Sequence[str]) -> Deployable:
    block = namespace.block_bytes
    return Deployable(
        name=f"{card_name}_ns{namespace.number}",
        kind=DeployableKind.NAMESPACE,
        parent=card_name,
        num_accelerators=0,
        attributes=(
            Attribute(key="device_node", value=f"/dev/{namespace.name}"),
            *_capacity([namespace]),
            *(() if block is None else (Attribute(key="block_bytes", value=str(block)),)),
            *in_use_by_host(uses),
        ),
    )


def _silent_device(host: Host, function: PciFunction, *, name: str) -> Device:
    """A controller of which only PCI tells anything."""
    attributes = _attributes(function.vendor)
    board = Board(
        name=f"{host.name}_{function.address}",
        handles=(pci_handle(function.address),),
        attributes=attributes,
        virtual_functions=function.virtual_functions,
        pool_attributes=attributes,
    )
    return pci_device(function, kind=DeviceType.NVME, model=name, deployables=tuple(board.deployables()))
