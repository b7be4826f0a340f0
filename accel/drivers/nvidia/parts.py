"""What of a card can be scheduled.

A whole card is one accelerator. A card in MIG mode offers its instances, and one with virtual functions offers these;
neither is handed out itself. Where a card has both, its instances are behind the virtual functions, and are not
offered a second time beside them. Where virtual functions take vGPU types, they are offered by type.

A card that NVML cannot read keeps its PCI handle: it can be passed through to a guest that has a driver of its own.
Its unknown health keeps it from being offered until somebody knows better.
"""

from collections.abc import Iterator, Sequence

from accel.drivers.nvidia import vgpu
from accel.drivers.nvidia.cards import Card
from accel.drivers.nvidia.nvml import MigInstance
from accel.drivers.nvidia.vgpu import VgpuFunction
from accel.model.attribute import custom_trait, resource_class, traits
from accel.model.device import AttachHandle, Attribute, Deployable, DeployableKind, HandleType, pci_handle


def deployables(node: str, card: Card) -> tuple[Deployable, ...]:
    """The card, and below it its virtual functions or its MIG instances.

    :param node: the node's name, which every part's name starts with
    """
    name = f"{node}_{card.address or card.identity}"
    typed = vgpu.functions_of(card.function) if card.function else ()
    if typed:
        return (_whole(name, card, is_cut=True), *_vgpus(name, card, typed))
    pool = _virtual_functions(name, card)
    parts = (pool,) if pool else tuple(_mig_instances(name, card))
    in_mig_mode = card.gpu is not None and card.gpu.mig_enabled
    return (_whole(name, card, is_cut=in_mig_mode or pool is not None), *parts)


def _whole(name: str, card: Card, *, is_cut: bool) -> Deployable:
    handles = () if is_cut or card.address is None else (pci_handle(card.address),)
    return Deployable(
        name=name,
        kind=DeployableKind.CARD,
        num_accelerators=len(handles),
        attributes=(resource_class("PGPU"), *traits(_traits(card)), *_figures(card)),
        handles=handles,
    )


def _virtual_functions(card_name: str, card: Card) -> Deployable | None:
    """The pool of the card's virtual functions; None when it has none."""
    handles = tuple(map(pci_handle, card.function.virtual_functions)) if card.function else ()
    if not handles:
        return None
    return Deployable(
        name=f"{card_name}_vfs",
        kind=DeployableKind.VF_POOL,
        parent=card_name,
        num_accelerators=len(handles),
        attributes=(resource_class("VGPU"), *traits(_traits(card))),
        handles=handles,
    )


def _vgpus(card_name: str, card: Card, functions: Sequence[VgpuFunction]) -> Iterator[Deployable]:
    """The virtual functions by their vGPU types; one without a type is of no use to anybody."""
    types = vgpu.types_of(functions)
    for number in sorted({function.current for function in functions} & types.keys(), key=int):
        kind = custom_trait("VGPU", types[number])
        handles = tuple(pci_handle(function.address) for function in functions if function.current == number)
        yield Deployable(
            name=f"{card_name}_vgpu_{types[number]}",
            kind=DeployableKind.VF_POOL,
            parent=card_name,
            num_accelerators=len(handles),
            attributes=(resource_class("VGPU"), *traits((*_traits(card), kind))),
            handles=handles,
        )


def _mig_instances(card_name: str, card: Card) -> Iterator[Deployable]:
    for instance in card.gpu.mig_instances if card.gpu else ():
        kind = custom_trait("MIG", instance.profile)
        yield Deployable(
            # By UUID, because an instance made later may get the numbers of one that was destroyed.
            name=f"{card_name}_{instance.uuid}",
            kind=DeployableKind.MIG,
            parent=card_name,
            num_accelerators=1,
            attributes=(
                resource_class(kind),
                *traits((*_traits(card), kind)),
                Attribute(key="memory_bytes", value=str(instance.memory_bytes)),
            ),
            handles=(_mig_handle(instance, card),),
        )


def _mig_handle(instance: MigInstance, card: Card) -> AttachHandle:
    return AttachHandle(
        type=HandleType.MIG,
        info={
            "uuid": instance.uuid,
            "parent": card.identity,
            "gpu_instance_id": str(instance.gpu_instance_id),
            "compute_instance_id": str(instance.compute_instance_id),
            "profile": instance.profile,
        },
    )


def _traits(card: Card) -> Iterator[str]:
    """What every part of the card is: the same words whoever tells them, so that a lost card loses the fewest."""
    yield custom_trait("GPU", "NVIDIA")
    if card.has_product:
        yield custom_trait("GPU", "PRODUCT_ID", card.product)
        yield custom_trait("NVIDIA", card.product)
    if card.name:
        yield custom_trait("NVIDIA", card.name.removeprefix("NVIDIA "))


def _figures(card: Card) -> Iterator[Attribute]:
    if card.gpu is None:
        return
    if card.gpu.memory_bytes is not None:
        yield Attribute(key="memory_bytes", value=str(card.gpu.memory_bytes))
    if card.gpu.compute_capability:
        yield Attribute(key="cuda_compute_capability", value=card.gpu.compute_capability)
