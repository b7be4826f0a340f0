"""The fleet at one moment, as far as placement looks at it: what there is, where it sits and what of it is free."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from accel.model.address import PciAddress
from accel.model.device import DeployableKind


class Obstacle(StrEnum):
    """Why a thing is not to be used now, the weightiest first. The empty one: nothing speaks against it."""

    NONE = ""
    LOST = "lost"
    DISABLED = "disabled"
    UNHEALTHY = "unhealthy"
    UNKNOWN_HEALTH = "health unknown"


class Handle(NamedTuple):
    """An attach handle."""

    uuid: str
    type: str
    others: tuple[str, ...] = ()
    """The UUIDs of those that whoever gets this one gets with it: the other functions of a board."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """A deployable: the whole card, or a part of it that can be had alone."""

    uuid: str
    provider: str
    """The UUID of its provider in OpenStack Placement."""
    name: str
    kind: str = DeployableKind.CARD
    """A ``DeployableKind``."""
    resource_class: str
    traits: frozenset[str] = frozenset()
    figures: Mapping[str, str] = field(default_factory=dict)
    """Its attributes beside class and traits: ``memory_bytes`` …"""
    free: tuple[Handle, ...] = ()
    """What nobody holds, not by another handle either. A claim may take it unless an obstacle speaks against the unit
    or its card."""
    held: int = 0
    """How many of its handles somebody has."""
    held_until: datetime | None = None
    """When the first of them is given back, where that is known."""
    obstacle: str = Obstacle.NONE
    """Why it is not to be used, beside what speaks against its card."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A device."""

    uuid: str
    type: str
    vendor: str
    model: str
    numa_node: int | None = None
    pci_path: tuple[str, ...] = ()
    """As ``Device.pci_path``."""
    address: PciAddress | None = None
    links: Mapping[str, int] = field(default_factory=dict)
    """How many direct links (NVLink, XGMI) are bonded, by the UUID of the card at the other end."""
    obstacle: str = Obstacle.NONE
    reason: str = ""
    """What is known of the obstacle, in words."""
    units: tuple[Unit, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """A node."""

    name: str
    rack: str = ""
    """Empty: not known."""
    labels: Mapping[str, str] = field(default_factory=dict)
    is_online: bool = True
    """Whether its agent is heard. Nothing is offered of a node that is not."""
    cards: tuple[Card, ...] = ()

    def has_labels(self, wanted: Mapping[str, str]) -> bool:
        """Whether it has all these labels; ``rack`` stands for the rack unless there is a label of that name."""
        return all(self.labels.get(key, self.rack if key == "rack" else None) == value for key, value in wanted.items())
