"""Hardware that changes by chance, and what two drivers that are not always well say of it."""

from dataclasses import dataclass, field, replace
from random import Random

from support.reports import address, failed, pci_handle

from accel.model.attribute import resource_class
from accel.model.device import (
    AttachHandle,
    Attribute,
    Deployable,
    DeployableKind,
    Device,
    DeviceType,
    HandleType,
    Health,
    Presence,
    weak_identity,
)
from accel.model.report import DriverReport, NodeInfo, NodeReport

SLOTS = 5
MODES = ("answers", "answers", "answers", "fails", "is disabled")


@dataclass
class Card:
    """A card, wherever it is."""

    number: int
    product: str
    parts: dict[str, str | None] = field(default_factory=dict)
    """How it is cut: names of parts, each with what it is a part of (None: the whole card)."""
    whole: str = ""
    """What the name of the whole card ends with."""
    health: Health = Health.HEALTHY
    has_fallen: bool = False
    """It is still in its slot, and off the bus."""


@dataclass
class World:
    """A host. ``change`` lets something happen to it, ``report`` tells what its agent would say."""

    name: str
    chance: Random
    slots: dict[int, Card] = field(default_factory=dict)
    drawer: list[Card] = field(default_factory=list)
    """Cards that are in no slot."""
    nvidia: str = "answers"
    pci: str = "answers"
    has_library: bool = True
    """Whether the nvidia driver can ask cards for their UUIDs."""
    is_merged: bool = True
    """Whether the agent remembers which driver has which card."""
    rack: str = "r1"
    boot: int = 1
    sequence: int = 0

    def __post_init__(self) -> None:
        self.drawer = [Card(number, "20b0" if number % 3 else "2330") for number in range(SLOTS + 2)]

    def change(self) -> None:
        """Let something happen."""
        happenings = (
            *(
                self._plug,
                self._plug,
                self._pull,
                self._move,
                self._swap,
                self._cut,
                self._cut,
                self._rename,
                self._ail,
            ),
            *(self._drivers, self._drivers, self._reboot, self._relabel),
        )
        self.chance.choice(happenings)()

    def report(self) -> NodeReport:
        """Everything the agent says now."""
        self.sequence += self.chance.randint(1, 3)
        answers = [self._nvidia_answer(), self._pci_answer()]
        info = NodeInfo(name=self.name, agent_version="1", rack=self.rack, labels={"boot": str(self.boot)})
        drivers = tuple(answer for answer in answers if answer is not None)
        return NodeReport(node=info, boot_id=f"boot-{self.boot}", sequence=self.sequence, drivers=drivers)

    # --- what happens ---

    def _plug(self) -> None:
        free = [slot for slot in range(SLOTS) if slot not in self.slots]
        if free and self.drawer:
            card = self.drawer.pop(self.chance.randrange(len(self.drawer)))
            self.slots[self.chance.choice(free)] = replace(card, has_fallen=False)

    def _pull(self) -> None:
        if self.slots:
            self.drawer.append(self.slots.pop(self.chance.choice(sorted(self.slots))))

    def _move(self) -> None:
        self._pull()
        self._plug()

    def _swap(self) -> None:
        if len(self.slots) > 1:
            one, other = self.chance.sample(sorted(self.slots), 2)
            self.slots[one], self.slots[other] = self.slots[other], self.slots[one]

    def _cut(self) -> None:
        for card in self.slots.values():
            names = [f"mig{number}" for number in range(self.chance.choice((0, 0, 1, 2, 4)))]
            card.parts = {name: self.chance.choice((None, *names[:place])) for place, name in enumerate(names)}

    def _rename(self) -> None:
        """Another release of the driver names whole cards otherwise, and their parts as before."""
        for card in self.slots.values():
            card.whole = self.chance.choice(("", "_whole"))

    def _ail(self) -> None:
        for card in self.slots.values():
            card.health = self.chance.choice(list(Health))
            card.has_fallen = self.chance.random() < 0.2

    def _drivers(self) -> None:
        self.nvidia, self.pci = self.chance.choice(MODES), self.chance.choice(MODES)
        self.has_library, self.is_merged = self.chance.random() < 0.6, self.chance.random() < 0.6

    def _reboot(self) -> None:
        self.boot, self.sequence = self.boot + 1, 0

    def _relabel(self) -> None:
        self.rack = self.chance.choice(("r1", "r2", ""))

    # --- what drivers see ---

    def _nvidia_answer(self) -> DriverReport | None:
        if self.nvidia == "answers":
            devices = [self._device(slot, card, is_known=self.has_library) for slot, card in self.slots.items()]
            self.chance.shuffle(devices)
            return DriverReport(driver="nvidia", devices=tuple(devices))
        return failed("nvidia") if self.nvidia == "fails" else None

    def _pci_answer(self) -> DriverReport | None:
        if self.pci == "answers":
            is_hidden = self.is_merged and self.nvidia != "is disabled"
            slots = {} if is_hidden else {slot: card for slot, card in self.slots.items() if not card.has_fallen}
            devices = [
                self._device(slot, Card(card.number, card.product), is_known=False) for slot, card in slots.items()
            ]
            return DriverReport(driver="pci", devices=tuple(devices))
        return failed("pci") if self.pci == "fails" else None

    def _device(self, slot: int, card: Card, *, is_known: bool) -> Device:
        is_well = card.health is Health.HEALTHY and not card.has_fallen
        return Device(
            identity=f"GPU-{card.number}" if is_known else weak_identity(address(slot)),
            type=DeviceType.GPU,
            vendor="10de",
            product=card.product,
            model=f"Model {card.product}",
            address=address(slot),
            kernel_driver="nvidia" if is_known else None,
            presence=Presence.LOST if card.has_fallen else Presence.PRESENT,
            health=card.health,
            reason="" if is_well else "it ails",
            deployables=()
            if card.has_fallen
            else self._deployables(slot, card if is_known else replace(card, parts={})),
        )

    def _deployables(self, slot: int, card: Card) -> tuple[Deployable, ...]:
        slot_name = f"{self.name}_{address(slot)}"
        whole = f"{slot_name}{card.whole}"
        root = Deployable(
            name=whole,
            kind=DeployableKind.CARD,
            num_accelerators=0 if card.parts else 1,
            attributes=(resource_class("PGPU"), Attribute(key="parts", value=str(len(card.parts)))),
            handles=() if card.parts else (pci_handle(slot),),
        )
        parts = [
            Deployable(
                name=f"{slot_name}_{name}",
                kind=DeployableKind.MIG,
                parent=f"{slot_name}_{parent}" if parent else whole,
                num_accelerators=1,
                attributes=(resource_class("CUSTOM_MIG"),),
                handles=(AttachHandle(type=HandleType.MIG, info={"uuid": f"MIG-{card.number}-{name}"}),),
            )
            for name, parent in card.parts.items()
        ]
        self.chance.shuffle(parts)
        return (*parts, root)
