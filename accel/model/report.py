"""What an agent says about its node.

A report says everything about one node, so losing or repeating one is harmless. Each driver answers for itself: a
driver that could not look is a failure, which is something else than having seen nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from accel.model.device import Device


class FailureKind(StrEnum):
    """Why a driver has no answer."""

    UNAVAILABLE = "unavailable"
    """The library or kernel interface it reads is not on this host."""
    CRASHED = "crashed"
    """It raised, or its process died."""
    TIMEOUT = "timeout"
    """It did not answer within the time limit."""
    INVALID = "invalid"
    """It answered something that is no list of devices, or contradicts itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why a driver has no answer, and what a person can do about it."""

    kind: FailureKind
    message: str
    hint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DriverReport:
    """The answer of one driver: its devices, or a failure and no devices."""

    driver: str
    """The driver's entry point name."""
    devices: tuple[Device, ...] = ()
    failure: Failure | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NumaNode:
    """One memory node of a host. Ids may have gaps, and a node need not have processors."""

    id: int
    cpus: str
    """The kernel's list form, ``0-15,32-47``; empty for a node of memory alone."""
    memory_bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeInfo:
    """The host itself."""

    name: str
    """The name that Nova and OpenStack Placement know the compute node by."""
    agent_version: str
    kernel: str = ""
    rack: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    numa: tuple[NumaNode, ...] = ()
    agent: str = ""
    """By which name its agent listens, where that is not its own: as one does that plays many nodes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """That a container of a pod has an attach handle, as its kubelet says."""

    handle: str
    """The id of the handle on its node: ``accel.model.offer.id_on_node``."""
    name: str
    """``namespace/name/container``"""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeReport:
    """Everything an agent knows about its node at one moment.

    Reports of one boot are ordered by ``sequence``. A boot that has been followed by another never comes back, so
    what still arrives from it is stale.
    """

    node: NodeInfo
    boot_id: str
    """The kernel's id of this boot, ``/proc/sys/kernel/random/boot_id``."""
    sequence: int
    """Grows by at least one with every report and heartbeat of a boot."""
    drivers: tuple[DriverReport, ...] = ()
    uses: tuple[Use, ...] | None = None
    """All that containers have; None: no kubelet has said anything since the agent has started."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat:
    """A sign of life that stands for "as in the report with this hash"."""

    node: str
    boot_id: str
    sequence: int
    content_hash: str


class Verdict(StrEnum):
    """What the conductor did with a message."""

    ACCEPTED = "accepted"
    STALE = "stale"
    """Something newer is known already; ``sequence`` in the answer says how new."""
    REPORT_WANTED = "report_wanted"
    """A heartbeat named a content that is not the recorded one: send the whole report."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledgement:
    """The conductor's answer to a report or a heartbeat."""

    verdict: Verdict
    sequence: int
    """The newest sequence the conductor knows of the boot that it takes for the current one."""
