"""Every failure that accel names, in one small tree.

::

    AccelError
    ├── InvalidValue            a value somebody gave us cannot be right (also a ValueError)
    │   ├── InvalidAddress      not a PCI address
    │   ├── InvalidFleet        a fleet file with a mistake in it
    │   ├── InvalidTrace        a file of nodes or tasks to simulate, with a mistake in it
    │   ├── InvalidImage        a file with an image for an FPGA that is damaged
    │   ├── ImageTooLarge       an image of more bytes than the service takes
    │   └── ReferenceFault      … which the first versions of the API answer as a fault of the server
    ├── ConfigurationError      the service cannot start as it is configured
    │   └── UnknownDriver       an enabled driver that is not installed
    ├── NotFound                the thing that was asked for is not there
    ├── Conflict                the thing is there, in a state that does not allow the act
    │   ├── UuidInUse           a new thing cannot have the UUID of another one
    │   ├── StaleVersion        it has been changed since it was read
    │   ├── LayoutImpossible    a device cannot be cut into the parts that are wanted
    │   ├── NoPlacement         what is wanted fits nowhere now
    │   ├── Overtaken           others have taken what was chosen
    │   └── ImageRefused        an image may not be loaded, or its bytes are others than announced
    │       ├── ImageNotReady
    │       ├── DigestMismatch
    │       ├── SignatureMissing
    │       ├── SignatureInvalid
    │       ├── KeyRevoked      it is signed with a key that is good no more
    │       └── KeyNotTrusted   … or with one that the node does not trust
    ├── Unavailable             a part we depend on is away: try again later
    │   ├── TooManyWait         as many requests as may wait for jobs are waiting
    │   ├── ImageSourceUnavailable
    │   ├── DatabaseUnavailable
    │   ├── ConductorUnavailable
    │   ├── AgentUnavailable
    │   ├── NovaUnavailable
    │   ├── PlacementUnavailable
    │   └── SocketUnavailable   nobody listens at a Unix socket, or we cannot
    ├── CallFailed              the other end of a socket answers with an error
    ├── ConductorRefused        the conductor takes a message for wrong
    │   └── Superseded          … because the node has been restarted since
    ├── AgentRefused            the agent of a node takes a message for wrong
    ├── IncompatibleVersion     two services have no version of the messages in common
    ├── ActFailed               something was to be done to a device, and nobody knows what the device is like now
    │   ├── ActTimedOut         … it took too long and was ended
    │   ├── ActDied             … its process died
    │   ├── ActInterrupted      … the agent was stopped meanwhile
    │   ├── ActCancelled        … somebody has cancelled it
    │   ├── ToolFailed          … a vendor's program ended with an error
    │   ├── NotVerified         … what is read back is not what was to be done
    │   └── ActRefused          … and the device is as it was
    │       ├── ActNotAllowed       it is not among what may be done with privilege
    │       ├── PermissionMissing   the agent has not the privilege that it takes
    │       ├── ActNotSupported     its driver cannot do that
    │       ├── DeviceGone          no driver sees the device, or the part of it
    │       ├── DeviceInUse         a process on the host has it open
    │       ├── UsedByHost          the host runs from it, or draws its console with it
    │       ├── NoIommu             the host keeps no device from another one's memory
    │       ├── GroupNotViable      its IOMMU group has members that belong to others
    │       ├── VirtualFunctionsInUse       virtual functions would be taken away from somebody
    │       ├── VirtualFunctionsImpossible  it cannot have them, or not so many
    │       ├── MdevTypeGone        its parent makes no such mediated devices any more
    │       ├── MdevsUsedUp         its parent has made all that it can make
    │       ├── ImageMismatch       an image was not made for that region
    │       └── ToolMissing         a vendor's program is not installed
    ├── ImageSourceRefused      an image is not to be had from where it was told
    ├── JobFailed               a job that somebody has waited for has failed
    └── DriverFailure           a driver could not say what is there
        └── DriverUnavailable   its library or interface is not on this host

``code`` never changes once it is released: clients and documentation refer to it. What HTTP makes of an error
is known in ``accel.api.faults`` only.
"""

from collections.abc import Iterator, Mapping

from accel.errors.acts import (
    ActCancelled,
    ActDied,
    ActFailed,
    ActInterrupted,
    ActNotAllowed,
    ActNotSupported,
    ActRefused,
    ActTimedOut,
    DeviceGone,
    DeviceInUse,
    GroupNotViable,
    ImageMismatch,
    JobFailed,
    MdevsUsedUp,
    MdevTypeGone,
    NoIommu,
    NotVerified,
    PermissionMissing,
    ToolFailed,
    ToolMissing,
    UsedByHost,
    VirtualFunctionsImpossible,
    VirtualFunctionsInUse,
)
from accel.errors.base import (
    AccelError,
    AgentRefused,
    AgentUnavailable,
    ConductorRefused,
    ConductorUnavailable,
    ConfigurationError,
    Conflict,
    DatabaseUnavailable,
    DriverFailure,
    DriverUnavailable,
    IncompatibleVersion,
    InvalidAddress,
    InvalidFleet,
    InvalidImage,
    InvalidTrace,
    InvalidValue,
    LayoutImpossible,
    NoPlacement,
    NotFound,
    NovaUnavailable,
    Overtaken,
    PlacementUnavailable,
    ReferenceFault,
    StaleVersion,
    Superseded,
    TooManyWait,
    Unavailable,
    UnknownDriver,
    UuidInUse,
)
from accel.errors.images import (
    DigestMismatch,
    ImageNotReady,
    ImageRefused,
    ImageSourceRefused,
    ImageSourceUnavailable,
    ImageTooLarge,
    KeyNotTrusted,
    KeyRevoked,
    SignatureInvalid,
    SignatureMissing,
)
from accel.errors.sockets import CallFailed, SocketUnavailable

__all__ = [
    "BY_CODE",
    "AccelError",
    "ActCancelled",
    "ActDied",
    "ActFailed",
    "ActInterrupted",
    "ActNotAllowed",
    "ActNotSupported",
    "ActRefused",
    "ActTimedOut",
    "AgentRefused",
    "AgentUnavailable",
    "CallFailed",
    "ConductorRefused",
    "ConductorUnavailable",
    "ConfigurationError",
    "Conflict",
    "DatabaseUnavailable",
    "DeviceGone",
    "DeviceInUse",
    "DigestMismatch",
    "DriverFailure",
    "DriverUnavailable",
    "GroupNotViable",
    "ImageMismatch",
    "ImageNotReady",
    "ImageRefused",
    "ImageSourceRefused",
    "ImageSourceUnavailable",
    "ImageTooLarge",
    "IncompatibleVersion",
    "InvalidAddress",
    "InvalidFleet",
    "InvalidImage",
    "InvalidTrace",
    "InvalidValue",
    "JobFailed",
    "KeyNotTrusted",
    "KeyRevoked",
    "LayoutImpossible",
    "MdevTypeGone",
    "MdevsUsedUp",
    "NoIommu",
    "NoPlacement",
    "NotFound",
    "NotVerified",
    "NovaUnavailable",
    "Overtaken",
    "PermissionMissing",
    "PlacementUnavailable",
    "ReferenceFault",
    "SignatureInvalid",
    "SignatureMissing",
    "SocketUnavailable",
    "StaleVersion",
    "Superseded",
    "TooManyWait",
    "ToolFailed",
    "ToolMissing",
    "Unavailable",
    "UnknownDriver",
    "UsedByHost",
    "UuidInUse",
    "VirtualFunctionsImpossible",
    "VirtualFunctionsInUse",
]


def _below(kind: type[AccelError]) -> Iterator[type[AccelError]]:
    yield kind
    for child in kind.__subclasses__():
        yield from _below(child)


BY_CODE: Mapping[str, type[AccelError]] = {kind.code: kind for kind in _below(AccelError)}
"""The errors of this module by their codes, for whoever is told a code by another process."""
