"""Which card of NVML is which PCI function of the kernel: one card seen twice is one card.

NVML knows more, and the kernel knows better: NVML goes on counting a card that fell off the bus, and cannot always say
where it was; it does not see a card that its driver is not bound to. So cards with an address are joined by their slot,
and those without are looked for among the functions that are bound to ``nvidia`` and that NVML did not account for.
Where that leaves a choice, no card is named lost: each that may be it is of unknown health, and says why.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from accel.drivers.nvidia.nvml import Condition, Gpu
from accel.drivers.sysfs import PciFunction
from accel.model.address import PciAddress
from accel.model.device import Health, Link, LinkKind, weak_identity

VENDOR = "10de"
KERNEL_DRIVER = "nvidia"
"""The kernel driver whose cards NVML sees."""

_UNKNOWN = "unknown"
_INDEX_IDENTITY_PREFIX = "nvml-index:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What the ``nvidia`` kernel module says itself, also of a card that NVML cannot read. Empty where it is silent."""

    uuid: str = ""
    model: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One card, as the kernel, its module and NVML see it; each may not see it."""

    function: PciFunction | None
    gpu: Gpu | None
    condition: Condition
    record: Record = Record()

    @property
    def address(self) -> PciAddress | None:
        """The kernel's word before NVML's, which knows no function numbers."""
        if self.function is not None:
            return self.function.address
        return None if self.gpu is None else self.gpu.address

    @property
    def identity(self) -> str:
        """The UUID, else the slot; NVML's index for a lost card of which there is nothing else.

        An index belongs to another card after a restart. It is used where nothing better can be mixed up with it.
        """
        uuid = (self.gpu.uuid if self.gpu else "") or self.record.uuid
        if uuid:
            return uuid
        if self.address is not None:
            return weak_identity(self.address)
        return f"{_INDEX_IDENTITY_PREFIX}{self.gpu.index if self.gpu else _UNKNOWN}"

    @property
    def product(self) -> str:
        """PCI device id in four hex digits."""
        kernel = self.function.product if self.function else ""
        return kernel or (self.gpu.product if self.gpu else "") or _UNKNOWN

    @property
    def has_product(self) -> bool:
        """Whether anybody told the PCI device id."""
        return self.product != _UNKNOWN

    @property
    def name(self) -> str:
        """NVIDIA's name for the model; empty when nobody says."""
        return (self.gpu.name if self.gpu else "") or self.record.model

    @property
    def kernel_driver(self) -> str | None:
        """The kernel driver bound to it. What NVML reads is bound to its own, whether or not sysfs is there to tell."""
        return self.function.kernel_driver if self.function else KERNEL_DRIVER


def without_nvml(functions: Sequence[PciFunction], reason: str) -> list[Card]:
    """The cards of a host whose NVML cannot be asked.

    :param reason: why it cannot
    """
    unknown = Condition(health=Health.UNKNOWN, reason=reason)
    return [_unread(function, unknown) for function in functions]


def join(functions: Sequence[PciFunction], gpus: Sequence[Gpu]) -> list[Card]:
    """The cards of a host, from the kernel's GPU functions and from NVML's count of GPUs."""
    free = {_slot(function.address): function for function in functions}
    seen = [
        Card(function=free.pop(_slot(gpu.address), None), gpu=gpu, condition=gpu.condition)
        for gpu in gpus
        if gpu.address is not None
    ]
    nameless = [gpu for gpu in gpus if gpu.address is None]
    silent = sum(function.kernel_driver == KERNEL_DRIVER for function in free.values())
    condition = _condition_of_silent(silent, nameless)
    unseen = [_unread(function, condition) for function in free.values()]
    # Where the kernel shows NVIDIA cards, a nameless one that it does not show has left the bus: like everything that
    # is gone, it is not reported. Where it shows none, it is no witness.
    gone = [] if functions else [Card(function=None, gpu=gpu, condition=_at_best_unknown(gpu)) for gpu in nameless]
    return seen + unseen + gone


def nvlinks(cards: Sequence[Card]) -> Mapping[str, tuple[Link, ...]]:
    """The NVLinks of each card, by its identity.

    Cards with links into an NVSwitch are connected with each other, as with the lesser number of links of the two:
    the switches of a node are one fabric.
    """
    return {card.identity: tuple(_links(card, cards)) for card in cards}


def _links(card: Card, cards: Sequence[Card]) -> Iterator[Link]:
    if card.gpu is None:
        return
    straight = {_slot(address): width for address, width in card.gpu.peer_links.items()}
    for peer in cards:
        if peer is card or peer.address is None:
            continue
        over_switch = min(card.gpu.switch_links, peer.gpu.switch_links) if peer.gpu else 0
        width = straight.get(_slot(peer.address), 0) + over_switch
        if width:
            yield Link(peer=peer.identity, kind=LinkKind.NVLINK, width=width)


def _slot(address: PciAddress) -> tuple[int, int, int]:
    """Where a card sits, whatever its function number."""
    return address.domain, address.bus, address.device


def _condition_of_silent(count: int, nameless: Sequence[Gpu]) -> Condition:
    """What can be said of each of the functions that NVML should see and did not account for."""
    if not nameless:
        return Condition(health=Health.UNKNOWN, reason="NVML does not count it: look for NVRM lines in the kernel log")
    conditions = {_at_best_unknown(gpu) for gpu in nameless}
    if count <= len(nameless) and len(conditions) == 1:
        return conditions.pop()
    reasons = "; ".join(sorted({condition.reason for condition in conditions}))
    return Condition(
        health=Health.UNKNOWN,
        reason=f"NVML cannot read {min(count, len(nameless))} of {count} cards, and does not say which: {reasons}",
    )


def _at_best_unknown(gpu: Gpu) -> Condition:
    """A card that NVML gives no address for is not healthy, whatever the refusal was."""
    if gpu.condition.health is not Health.HEALTHY:
        return gpu.condition
    return Condition(health=Health.UNKNOWN, reason="NVML counts it and does not say where it is")


def _unread(function: PciFunction, condition: Condition) -> Card:
    """A card that NVML tells nothing of.

    :param condition: the card's, where it is bound to the driver whose cards NVML sees
    """
    bound = function.kernel_driver
    if bound is None:
        reason = "no driver is bound to it: load the nvidia module to use it on this host"
        condition = Condition(health=Health.UNKNOWN, reason=reason)
    elif bound != KERNEL_DRIVER:
        reason = f"no driver that can read it: it is bound to {bound}, and NVML sees what is bound to nvidia"
        condition = Condition(health=Health.UNKNOWN, reason=reason)
    return Card(function=function, gpu=None, condition=condition)
