"""Jobs: what is done to a device on its node, and how it goes.

An order says everything that the node needs to know, once; the agent there keeps it on disk, does it, and answers with
its status however often it is asked. Giving an order twice is joining the job that it is.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class JobKind(StrEnum):
    """What is to be done; ``accel.drivers.acts`` has the method of a driver that does it."""

    PROGRAM = "program"
    """Load an image into a region of an FPGA."""
    BLANK = "blank"
    """Take out what is loaded in a region of an FPGA."""
    PARTITION = "partition"
    """Cut a device into parts; the arguments are the whole layout that is wanted, the count of each kind of part."""
    SET_VFS = "set_vfs"
    """Have as many SR-IOV virtual functions as the argument ``count`` says."""
    RESET = "reset"
    """Bring a device back to the state after power-on, as far as it can."""
    SCRUB = "scrub"
    """Take out what its last user has left, by the argument ``method``."""
    PREPARE = "prepare"
    """Make an attach handle ready for a guest."""
    RELEASE = "release"
    """Give an attach handle back to the host."""


class JobState(StrEnum):
    """How far a job is."""

    QUEUED = "queued"
    """Ordered; nothing is done yet."""
    RUNNING = "running"
    """It is under way; where it may be stopped, whoever may cancel it can."""
    DONE = "done"
    """It is done, and the node has verified that it is."""
    FAILED = "failed"
    CANCELLED = "cancelled"
    """Somebody has ended it: before it began, or while it was under way, which leaves it half done."""


TOLD_BY_A_LOOK = frozenset({JobKind.PARTITION, JobKind.SET_VFS, JobKind.RESET, JobKind.PREPARE})
"""The kinds after which a look tells what the device is like, however they ended: not what is left on it or in it."""

ENDED = frozenset({JobState.DONE, JobState.FAILED, JobState.CANCELLED})
"""The states that a job never leaves."""

ARGUMENT_METHOD = "method"
"""The argument of a scrub that names how."""
ARGUMENT_COUNT = "count"
"""The argument that says how many virtual functions there shall be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HandleOrder:
    """The attach handle that a job is about."""

    uuid: str
    """The key of all that is made for it on the node."""
    type: str
    """See ``accel.model.device.HandleType``."""
    info: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageOrder:
    """The image that a job needs: where the node gets it is the node's own business, this is what it must be."""

    digest: str
    """``sha256:`` and 64 hex digits, of the whole content."""
    size: int
    """Bytes."""
    name: str
    """What people call it; the node names no file by it."""
    signature: str = ""
    """Detached Ed25519 signature, base64; empty: none is required."""
    public_key: str = ""
    """The raw Ed25519 key that the signature is checked with, base64."""
    metadata: Mapping[str, str] = field(default_factory=dict)
    """What is known of the content: region or platform id, function id, version …"""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobOrder:
    """One act on one device, with all that it takes."""

    uuid: str
    """Who orders the same again gives the same UUID."""
    kind: JobKind
    node: str
    driver: str
    """The entry point name of the driver that knows the device."""
    device: str
    """The identity of the device; see ``accel.model.device.Device.identity``."""
    deployable: str | None = None
    """The name of the part that it is about; None: the whole device."""
    handle: HandleOrder | None = None
    arguments: Mapping[str, str] = field(default_factory=dict)
    image: ImageOrder | None = None
    time_limit_seconds: float
    """How long the act may take on the node once it has begun; then it is ended by force and counts as failed."""
    deadline: datetime | None = None
    """It is not begun any more from then on; None: whenever its turn comes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewJob:
    """What somebody wants to be done; what else the node has to know is in the record of the device."""

    kind: JobKind
    device_uuid: str
    deployable_uuid: str | None = None
    """The part that it is about; None: the whole device."""
    handle: HandleOrder | None = None
    arguments: Mapping[str, str] = field(default_factory=dict)
    image: ImageOrder | None = None
    time_limit_seconds: float = 600
    """How long the act may take on the node once it has begun."""
    begins_within_seconds: float = 3600
    """How long it may wait for its node and for its turn; then it counts as failed."""
    project_id: str | None = None
    """The project whose affair it is; None: the operators'."""
    request_uuid: str | None = None
    """The accelerator request that it serves. What that holds is not held by somebody else."""
    fences: bool = True
    """Whether nobody gets anything of the part, or of the device, from now on until it has ended well."""
    is_wanted_of_lost: bool = False
    """Whether it is ordered of a device that is lost, too: then it fails, and what it was to mend stays in doubt."""
    key: str = ""
    """What it is a part of, as whoever orders it calls that: ``<holder>:<step>:do`` or ``:undo``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobStatus:
    """How it goes with a job."""

    uuid: str
    state: JobState
    message: str = ""
    """What it is at, for people."""
    fraction: float | None = None
    """How much of it is done, from 0 to 1; None: unknown."""
    error_code: str = ""
    """The code of the error it has failed with; see ``accel.errors``."""
    error_text: str = ""
    """What has gone wrong, and what a person can do about it."""
    is_state_unknown: bool = False
    """Whether nobody knows what the device is like now: it is used for nothing until that is found out."""
    must_go_on: str = ""
    """Why it cannot be cancelled now; empty: it can."""
    started_at: datetime | None = None
    finished_at: datetime | None = None

    @property
    def is_ended(self) -> bool:
        """Whether it stays as it is from now on."""
        return self.state in ENDED
