"""How a drive is reported: what is known of it, whether it is fit, and which parts it has."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from accel.drivers.base import Host
from accel.drivers.nvme.known import KnownDrive
from accel.drivers.nvme.subsystems import Controller, Namespace, distinct
from accel.drivers.pci_board import UNKNOWN_ID, Board, Condition, condition, in_use_by_host, pci_device
from accel.drivers.sysfs import PciFunction
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
)

RESOURCE_CLASS = "CUSTOM_NVME"

_LIVE, _DEAD = "live", "dead"

Uses = Mapping[str, Sequence[str]]
"""What the host uses each namespace for, by the kernel's name of it."""


class DriveReport:
    """A drive as it is reported."""

    def __init__(self, host: Host, known: KnownDrive) -> None:
        self._known = known
        self._drive = known.drive
        self._ports = known.ports
        self._first = known.ports[0]
        self._function = known.function
        self._name = f"{host.name}_{self._first.address or self._drive.serial or self._first.name}"

    def device(self, uses: Uses) -> Device:
        """The drive with its parts."""
        state = self._condition()
        seen = self._seen_on_bus()
        return replace(
            seen,
            identity=self._known.identity,
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
        function = self._known.functions.get(port.address) if port.address else None
        on_bus = condition(function) if function else Condition()
        if on_bus.reason or port.state == _LIVE:
            return on_bus
        health = Health.UNHEALTHY if port.state == _DEAD else Health.UNKNOWN
        return Condition(health=health, reason=f"its controller {port.name} is {port.state or 'in no known state'}")

    def _deployables(self, uses: Uses) -> Iterator[Deployable]:
        attributes = _attributes(self._function.vendor if self._function else "")
        namespaces = distinct(self._drive.namespaces)
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


def silent_device(host: Host, function: PciFunction, *, name: str) -> Device:
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
