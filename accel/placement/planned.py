"""Nodes that are not there yet, as placement sees nodes: what their agents would report, with nothing held."""

from collections.abc import Iterator, Sequence

from accel.model.attribute import RESOURCE_CLASS_KEY, TRAIT_KEY_PREFIX
from accel.model.device import Deployable, Device, Health, Presence
from accel.model.report import NodeInfo
from accel.placement.snapshot import Card, Handle, Host, Obstacle, Unit


def host_of(info: NodeInfo, devices: Sequence[Device]) -> Host:
    """The node with these devices, all free. UUIDs are made of the node's name and numbers."""
    uuids = {device.identity: f"{info.name}/{number}" for number, device in enumerate(devices)}
    return Host(
        name=info.name,
        rack=info.rack,
        labels=info.labels,
        cards=tuple(_card(device, uuids) for device in devices),
    )


def _card(device: Device, uuids: dict[str, str]) -> Card:
    uuid = uuids[device.identity]
    return Card(
        uuid=uuid,
        type=device.type,
        vendor=device.vendor,
        model=device.model,
        numa_node=device.numa_node,
        pci_path=device.pci_path,
        address=device.address,
        links={uuids[link.peer]: link.width for link in device.links if link.peer in uuids},
        obstacle=_obstacle(device),
        reason=device.reason,
        units=tuple(_units(device.deployables, uuid)),
    )


def _obstacle(device: Device) -> Obstacle:
    if device.presence is Presence.LOST:
        return Obstacle.LOST
    if device.health is Health.UNHEALTHY:
        return Obstacle.UNHEALTHY
    return Obstacle.NONE if device.health is Health.HEALTHY else Obstacle.UNKNOWN_HEALTH


def _units(deployables: Sequence[Deployable], card: str) -> Iterator[Unit]:
    for number, deployable in enumerate(deployables):
        uuid = f"{card}/{number}"
        figures = {attribute.key: attribute.value for attribute in deployable.attributes}
        resource_class = figures.pop(RESOURCE_CLASS_KEY, "")
        traits = frozenset(figures.pop(key) for key in list(figures) if key.startswith(TRAIT_KEY_PREFIX))
        yield Unit(
            uuid=uuid,
            provider=uuid,
            name=deployable.name,
            kind=deployable.kind,
            resource_class=resource_class,
            traits=traits,
            figures=figures,
            free=tuple(
                Handle(f"{uuid}/{place}", handle.type)
                for place, handle in enumerate(deployable.handles[: deployable.num_accelerators])
            ),
        )
