"""A node of a simulated fleet, as its agent would report it."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from uuid import NAMESPACE_URL, UUID, uuid5

from accel.drivers.fleet.catalogue import CardModel
from accel.drivers.fleet.layout import Place
from accel.drivers.fleet.schema import Fault, State
from accel.drivers.pci_kinds import RESOURCE_CLASSES, VENDOR_WORDS
from accel.model.address import PciAddress
from accel.model.attribute import custom_trait, resource_class, traits
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
    Presence,
    pci_handle,
)
from accel.model.layout import Change, change
from accel.model.partition import Cut, Part
from accel.model.partition_facts import facts, read_parts
from accel.model.report import NodeInfo, NumaNode

_NAMESPACE = uuid5(NAMESPACE_URL, "accel:simulated-fleet")
_NVIDIA = "10de"


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedNode:
    """One node; asks for no more than its places, so ten thousand of them are cheap until their devices are wanted."""

    name: str
    rack: str
    labels: Mapping[str, str]
    kernel: str
    numa: tuple[NumaNode, ...]
    places: tuple[Place, ...]
    faults: Mapping[int, Fault]
    """By the number of the card."""
    cuts: Mapping[int, str] = field(default_factory=dict)
    """What cards have been cut into since the file was written, as ``parts_text`` has it, by their numbers."""

    def info(self, agent_version: str) -> NodeInfo:
        """The host itself, reported by an agent of the given version."""
        return NodeInfo(
            name=self.name,
            agent_version=agent_version,
            kernel=self.kernel,
            rack=self.rack,
            labels=self.labels,
            numa=self.numa,
        )

    def devices(self) -> tuple[Device, ...]:
        """The cards that are there, in the order of the file."""
        present = [place for place in self.places if not self._is_absent(place.number)]
        identities = {place.number: _identity(place.model, _uuid(self.name, place.number)) for place in present}
        return tuple(self._device(place, identities) for place in present)

    def cut(self, place: Place) -> Cut | None:
        """What a card can be cut into, and what it is; one with virtual functions is not cut besides."""
        scheme = None if place.vfs else place.model.scheme
        if scheme is None:
            return None
        if place.number in self.cuts:
            return Cut(scheme=scheme, parts=read_parts(self.cuts[place.number]))
        return Cut(scheme=scheme, parts=_parts(place.model, place.mig) if place.mig else None)

    def _is_absent(self, number: int) -> bool:
        fault = self.faults.get(number)
        return fault is not None and fault.state is State.ABSENT

    def _device(self, place: Place, identities: Mapping[int, str]) -> Device:
        model = place.model
        uuid = _uuid(self.name, place.number)
        fault = self.faults.get(place.number)
        cut = self.cut(place)
        return Device(
            identity=identities[place.number],
            type=model.type,
            vendor=model.vendor,
            product=model.product,
            model=model.name,
            address=place.address,
            serial=_serial(uuid),
            kernel_driver=model.kernel_driver,
            numa_node=place.numa_node,
            pci_path=place.pci_path,
            links=tuple(_links(place, identities)),
            presence=Presence.LOST if fault and fault.state is State.LOST else Presence.PRESENT,
            health=_health(fault),
            reason=fault.reason if fault else "",
            std_board_info={
                "product_id": f"0x{model.product}",
                "class": f"0x{model.pci_class}",
                **(facts(cut) if cut else {}),
            },
            deployables=_deployables(f"{self.name}_{place.address}", place, uuid, cut),
        )


def _links(place: Place, identities: Mapping[int, str]) -> Iterator[Link]:
    """The direct links to the cards that are there.

    :param identities: of the cards that are there, by number
    """
    model = place.model
    for peer in place.peers:
        if model.link is not None and peer in identities:
            yield Link(peer=identities[peer], kind=model.link, width=model.link_width)


def _uuid(node: str, *parts: object) -> UUID:
    return uuid5(_NAMESPACE, "/".join(map(str, (node, *parts))))


def _serial(uuid: UUID) -> str:
    return f"{uuid.int % 10**13:013d}"


def _identity(model: CardModel, uuid: UUID) -> str:
    """What the real driver of such a card would know it by."""
    is_nvidia_gpu = model.type is DeviceType.GPU and model.vendor == _NVIDIA
    return f"GPU-{uuid}" if is_nvidia_gpu else f"serial:{_serial(uuid)}"


def _health(fault: Fault | None) -> Health:
    if fault is None:
        return Health.HEALTHY
    return Health.UNHEALTHY if fault.state is State.UNHEALTHY else Health.UNKNOWN


def _deployables(name: str, place: Place, uuid: UUID, cut: Cut | None) -> tuple[Deployable, ...]:
    """The card, and its parts where it is cut into some: then only the parts are offered."""
    if cut is not None and cut.parts is not None:
        return (_card(name, place, handles=()), *_mig_instances(name, place, uuid, cut))
    if place.vfs:
        return _card(name, place, handles=()), _vf_pool(name, place)
    return (_card(name, place, handles=(pci_handle(_function(place.address, place.model.handed_function)),)),)


def _card(name: str, place: Place, *, handles: tuple[AttachHandle, ...]) -> Deployable:
    model = place.model
    return Deployable(
        name=name,
        kind=DeployableKind.CARD,
        num_accelerators=len(handles),
        attributes=_attributes(
            model, _resource_class(model), memory_bytes=model.memory_bytes, capacity_bytes=model.capacity_bytes
        ),
        handles=handles,
    )


@cache
def _parts(model: CardModel, profiles: tuple[str, ...]) -> tuple[Part, ...]:
    """The parts of these profiles, numbered in this order, at the places where they would be made."""
    found = change(Cut(scheme=model.scheme, parts=None), Counter(profiles)) if model.scheme else None
    if not isinstance(found, Change):
        return ()  # a fleet file that wants this is refused
    starts: dict[str, list[int]] = {}
    for new in found.made:
        starts.setdefault(new.profile, []).append(new.place.start)
    return tuple(
        Part(id=str(number), profile=name, start=starts[name].pop(0)) for number, name in enumerate(profiles, start=1)
    )


def _mig_instances(card: str, place: Place, uuid: UUID, cut: Cut) -> Iterator[Deployable]:
    for part in cut.parts or ():
        instance = f"MIG-{_uuid(str(uuid), 'mig', part.id)}"
        profile = cut.scheme.profile(part.profile)
        info = {
            "uuid": instance,
            "parent": f"GPU-{uuid}",
            "gpu_instance_id": part.id,
            "compute_instance_id": "0",
            "profile": part.profile,
        }
        memory_bytes = place.model.memory_bytes * (profile.size if profile else 0) // cut.scheme.slices
        yield Deployable(
            name=f"{card}_{instance}",
            kind=DeployableKind.MIG,
            parent=card,
            num_accelerators=1,
            attributes=_attributes(place.model, custom_trait("MIG", part.profile), memory_bytes=memory_bytes),
            handles=(AttachHandle(type=HandleType.MIG, info=info),),
        )


def _vf_pool(card: str, place: Place) -> Deployable:
    handles = tuple(
        pci_handle(_function(place.address, place.model.handed_function + number)) for number in range(1, place.vfs + 1)
    )
    return Deployable(
        name=f"{card}_vfs",
        kind=DeployableKind.VF_POOL,
        parent=card,
        num_accelerators=len(handles),
        attributes=_attributes(
            place.model, "VGPU" if place.model.type is DeviceType.GPU else _resource_class(place.model)
        ),
        handles=handles,
    )


def _resource_class(model: CardModel) -> str:
    return RESOURCE_CLASSES.get(model.type, f"CUSTOM_{model.type}")


def _attributes(model: CardModel, rc: str, **figures: int) -> tuple[Attribute, ...]:
    """Resource class, traits, and the figures that say something."""
    return (
        resource_class(rc),
        *traits(
            (
                custom_trait(model.type, VENDOR_WORDS.get(model.vendor, model.vendor)),
                custom_trait(model.type, "PRODUCT_ID", model.product),
            )
        ),
        *(Attribute(key=key, value=str(value)) for key, value in figures.items() if value),
    )


def _function(address: PciAddress, offset: int) -> PciAddress:
    """The function that many routing ids further: virtual functions go on into the next device numbers."""
    device, function = divmod(address.device * 8 + address.function + offset, 8)
    return PciAddress(address.domain, address.bus, device, function)
