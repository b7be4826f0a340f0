"""An offer as it travels over the node socket."""

from accel.model.address import PciAddress
from accel.model.device import (
    AttachHandle,
    Attribute,
    Deployable,
    DeployableKind,
    Device,
    DeviceType,
    HandleType,
    Health,
    Link,
    LinkKind,
    Presence,
)
from accel.model.offer import HandleState, Holder, Offer, handle_id
from accel.protos import accel_node_v1_pb2 as wire

NODE_SERVICE = wire.DESCRIPTOR.services_by_name["Node"]
"""The methods of the node socket."""


def to_message(offer: Offer) -> wire.Inventory:
    """The offer as a message."""
    return wire.Inventory(
        node=offer.node,
        boot_id=offer.boot_id,
        revision=offer.revision,
        devices=[_device_message(device, offer) for device in offer.devices],
    )


def from_message(message: wire.Inventory) -> Offer:
    """The offer that a message holds.

    :raises ValueError: it is of a newer agent that knows kinds of things which we do not
    """
    return Offer(
        node=message.node,
        boot_id=message.boot_id,
        revision=message.revision,
        devices=tuple(map(_device, message.devices)),
        states={
            handle.id: HandleState(
                device_nodes=tuple(handle.device_nodes),
                holders=tuple(Holder(kind=holder.kind, name=holder.name) for holder in handle.holders),
                withdrawn=handle.withdrawn,
                lent_as=tuple(handle.lent_as),
            )
            for device in message.devices
            for part in device.deployables
            for handle in part.handles
        },
    )


def _device_message(device: Device, offer: Offer) -> wire.Device:
    return wire.Device(
        identity=device.identity,
        type=device.type,
        vendor=device.vendor,
        product=device.product,
        model=device.model,
        address=str(device.address or ""),
        serial=device.serial or "",
        kernel_driver=device.kernel_driver or "",
        numa_node=device.numa_node,
        pci_path=device.pci_path,
        links=[wire.Link(peer=link.peer, kind=link.kind, width=link.width) for link in device.links],
        presence=device.presence,
        health=device.health,
        reason=device.reason,
        facts=dict(device.std_board_info),
        deployables=[_part_message(part, offer) for part in device.deployables],
    )


def _part_message(part: Deployable, offer: Offer) -> wire.Deployable:
    return wire.Deployable(
        name=part.name,
        kind=part.kind,
        parent=part.parent or "",
        num_accelerators=part.num_accelerators,
        attributes=[wire.Attribute(key=one.key, value=one.value) for one in part.attributes],
        handles=[_handle_message(handle_id(part, handle), handle, offer) for handle in part.handles],
    )


def _handle_message(known_as: str, handle: AttachHandle, offer: Offer) -> wire.Handle:
    state = offer.state(known_as)
    return wire.Handle(
        id=known_as,
        type=handle.type,
        info=dict(handle.info),
        device_nodes=state.device_nodes,
        holders=[wire.Holder(kind=holder.kind, name=holder.name) for holder in state.holders],
        withdrawn=state.withdrawn,
        lent_as=state.lent_as,
    )


def _device(message: wire.Device) -> Device:
    return Device(
        identity=message.identity,
        type=DeviceType(message.type),
        vendor=message.vendor,
        product=message.product,
        model=message.model,
        address=PciAddress.parse(message.address) if message.address else None,
        serial=message.serial or None,
        kernel_driver=message.kernel_driver or None,
        numa_node=message.numa_node if message.HasField("numa_node") else None,
        pci_path=tuple(message.pci_path),
        links=tuple(Link(peer=link.peer, kind=LinkKind(link.kind), width=link.width) for link in message.links),
        presence=Presence(message.presence),
        health=Health(message.health),
        reason=message.reason,
        std_board_info=dict(message.facts),
        deployables=tuple(map(_part, message.deployables)),
    )


def _part(message: wire.Deployable) -> Deployable:
    return Deployable(
        name=message.name,
        kind=DeployableKind(message.kind),
        parent=message.parent or None,
        num_accelerators=message.num_accelerators,
        attributes=tuple(Attribute(key=one.key, value=one.value) for one in message.attributes),
        handles=tuple(AttachHandle(type=HandleType(one.type), info=dict(one.info)) for one in message.handles),
    )
