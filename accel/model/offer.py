"""What a node offers to programs that run on it: its devices, and of each handle who has it and whether it may be had.

It is the agent's own knowledge and holds while no control plane is there.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from types import MappingProxyType

from accel.model.device import AttachHandle, Deployable, Device

_ID_DIGITS = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Who has something."""

    kind: str
    """``pod``, ``instance``, ``reservation`` or ``process``."""
    name: str
    """Of a pod ``namespace/name/container``."""

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class HandleState:
    """What is known of a handle beside what it is."""

    device_nodes: tuple[str, ...] = ()
    """The paths below ``/dev`` that its user opens, those that every user of such a device opens among them."""
    holders: tuple[Holder, ...] = ()
    """Several only where it is shared."""
    withdrawn: str = ""
    """Why nobody new is to get it, in words; empty: nothing speaks against it."""
    lent_as: tuple[str, ...] = ()
    """What it was called when it was lent: something of it is to be undone when whoever has it has gone. Empty: it was
    not lent."""


FREE = HandleState()
"""Nothing is known of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """Everything that a node has, at one moment."""

    node: str
    boot_id: str
    revision: int
    """Grows with every change; begins anew with the agent."""
    devices: tuple[Device, ...] = ()
    states: Mapping[str, HandleState] = field(default_factory=lambda: MappingProxyType({}))
    """By the handle's id; one that is missing is free."""

    def state(self, handle_id: str) -> HandleState:
        """That of one handle."""
        return self.states.get(handle_id, FREE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdrawal:
    """That nobody new on the node is to get a handle, by the word of the control plane."""

    handle: str
    """Its id on the node."""
    reason: str
    """Why, in words that name nobody."""


def handle_id(deployable: Deployable, handle: AttachHandle) -> str:
    """What a handle is called on its node: unique there, and the same as long as it is the same part of the card."""
    return id_on_node(deployable.name, handle.key)


def id_on_node(deployable: str, key: str) -> str:
    """The same, from the name of the deployable and the key of the handle."""
    return sha256(f"{deployable}\0{key}".encode()).hexdigest()[:_ID_DIGITS]


def handles_of(device: Device) -> Iterator[tuple[str, Deployable, AttachHandle]]:
    """All handles of a device, each with its id and what it is of."""
    for part in device.deployables:
        for handle in part.handles:
            yield handle_id(part, handle), part, handle
