"""Commands to NVMe controllers, and what their answers mean. Pure: nothing is sent here.

Facts are from the NVM Express base specification (Get Log Page, Identify, Format NVM, Sanitize, Virtualization
Management) and the NVM command set specification (Identify Namespace).
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum, StrEnum

from accel.drivers.nvme.smart import LOG_BYTES
from accel.privileged.base import AdminCommand

_GET_LOG_PAGE, _IDENTIFY, _VIRTUALIZATION, _FORMAT, _SANITIZE = 0x02, 0x06, 0x1C, 0x80, 0x84
_ASSIGN, _ONLINE = 8, 9
_ALL_NAMESPACES = 0xFFFFFFFF
_SMART_LOG, _SANITIZE_LOG = 0x02, 0x81
_SANITIZE_LOG_BYTES = 512
_IDENTIFY_BYTES = 4096
_PROGRESS_WHOLE = 0x10000

SUCCESS = 0
SANITIZE_RUNS = 0x01D
"""The status of a command that the controller refuses while it sanitizes."""

_STATUSES: Mapping[int, str] = {
    0x001: "it does not know the command",
    0x002: "it does not know what it was given with the command",
    0x006: "an error of its own",
    0x00B: "there is no such namespace, or its format is not right",
    0x00C: "the commands came in a wrong order",
    0x015: "the operation is denied",
    0x01C: "an earlier sanitize has failed, and it does nothing else until one succeeds",
    SANITIZE_RUNS: "it sanitizes already",
    0x020: "the namespace is write protected",
    0x10A: "it does not know the format",
    0x10B: "new firmware waits for a reset of the controller",
    0x11F: "there is no such controller",
    0x120: "the controller is in another state",
    0x121: "there are not so many resources",
    0x122: "there is no such resource",
    0x123: "it does not sanitize while its persistent memory is enabled",
}
"""What codes mean, by status code type (the upper digit) and status code (the lower two)."""


class Method(StrEnum):
    """The ways in which what users leave is taken out; the best first."""

    CRYPTO_ERASE = "crypto-erase"
    """Sanitize: the key is exchanged that all data was encrypted with."""
    BLOCK_ERASE = "block-erase"
    """Sanitize: the media are erased."""
    FORMAT_CRYPTO = "format-crypto"
    """Format with the key exchanged."""
    FORMAT_ERASE = "format-erase"
    """Format with the user data erased."""
    OVERWRITE = "overwrite"
    """Sanitize: everything is written over with zeros by the drive itself."""
    ZERO = "zero"
    """Zeros are written by the host."""


SANITIZES: Mapping[Method, int] = {Method.BLOCK_ERASE: 2, Method.OVERWRITE: 3, Method.CRYPTO_ERASE: 4}
"""The sanitize actions."""
FORMATS: Mapping[Method, int] = {Method.FORMAT_ERASE: 1, Method.FORMAT_CRYPTO: 2}
"""The secure erase settings of a format."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What a controller says that it can do."""

    methods: frozenset[Method]
    """Zeroing by the host is always among them."""
    formats_all: bool
    """Whether a format, or the erasing with it, is of all namespaces at once."""
    has_namespace_lists: bool
    """Whether it tells of namespaces that this host does not see."""
    has_secondaries: bool
    """Whether it says that it has secondary controllers; some have, and do not say so."""
    has_company: bool
    """Whether the drive may have other controllers beside it."""


class Resource(IntEnum):
    """What a controller can give to its secondaries."""

    QUEUES = 0
    INTERRUPTS = 1


@dataclass(frozen=True, slots=True)
class Flexible:
    """How much of a resource there is to be given."""

    free: int
    most_each: int
    """How much a secondary may have."""
    step: int
    """What a share should be a multiple of."""


@dataclass(frozen=True, slots=True)
class Secondary:
    """A secondary controller."""

    number: int
    function: int
    """Its virtual function, from 1 on; 0: of none."""
    is_online: bool
    has: Mapping[Resource, int]
    """What it has been given of each resource."""


class SanitizeState(IntEnum):
    """How the newest sanitize went."""

    NEVER = 0
    DONE = 1
    RUNNING = 2
    FAILED = 3
    DONE_WITHOUT_DEALLOCATION = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class SanitizeStatus:
    """The sanitize status log."""

    state: SanitizeState
    action: int
    """The sanitize action of the newest sanitize."""
    fraction: float
    """How much is done while it is running."""

    @property
    def is_done(self) -> bool:
        """Whether the newest sanitize has succeeded."""
        return self.state in {SanitizeState.DONE, SanitizeState.DONE_WITHOUT_DEALLOCATION}


def refusal(status: int) -> str:
    """What a status of a completion means, in words."""
    code = status & 0x7FF
    return _STATUSES.get(code) or f"it answers with status {code:#05x}"


# --- Get Log Page ---


def smart_log() -> AdminCommand:
    """Read the SMART / health log of the whole drive; see ``smart``."""
    return _log_page(_SMART_LOG, LOG_BYTES)


def sanitize_log() -> AdminCommand:
    """Read the sanitize status log."""
    return _log_page(_SANITIZE_LOG, _SANITIZE_LOG_BYTES)


def _log_page(page: int, length: int) -> AdminCommand:
    dwords = length // 4 - 1
    return AdminCommand(
        opcode=_GET_LOG_PAGE,
        namespace=_ALL_NAMESPACES,
        dwords=(page | (dwords & 0xFFFF) << 16, dwords >> 16, 0, 0, 0, 0),
        answer_bytes=length,
    )


def sanitize_status(page: bytes) -> SanitizeStatus:
    """What the sanitize status log says.

    :raises ValueError: it is none
    """
    progress, status, dword10 = struct.unpack_from("<HHI", page)
    return SanitizeStatus(
        state=SanitizeState(status & 0b111), action=dword10 & 0b111, fraction=progress / _PROGRESS_WHOLE
    )


# --- Identify ---


def identify_controller() -> AdminCommand:
    """What the controller is."""
    return _identify(1)


def identify_namespace(number: int) -> AdminCommand:
    """How a namespace is formatted."""
    return _identify(0, namespace=number)


def list_namespaces() -> AdminCommand:
    """The namespaces that the drive has, whoever they are attached to."""
    return _identify(0x10)


def list_controllers() -> AdminCommand:
    """The controllers of the drive."""
    return _identify(0x13)


def list_secondaries() -> AdminCommand:
    """The secondary controllers, of virtual functions, that this primary one has."""
    return _identify(0x15)


def flexible_resources() -> AdminCommand:
    """What a primary controller has to give."""
    return _identify(0x14)


def _identify(what: int, namespace: int = 0) -> AdminCommand:
    return AdminCommand(
        opcode=_IDENTIFY, namespace=namespace, dwords=(what, 0, 0, 0, 0, 0), answer_bytes=_IDENTIFY_BYTES
    )


def capabilities(data: bytes) -> Capabilities:
    """What Identify Controller says.

    :raises ValueError: it is too short
    """
    _whole(data)
    (oacs,) = struct.unpack_from("<H", data, 256)
    (sanicap,) = struct.unpack_from("<I", data, 328)
    fna = data[524]
    supported = {
        Method.CRYPTO_ERASE: sanicap & 1,
        Method.BLOCK_ERASE: sanicap & 2,
        Method.OVERWRITE: sanicap & 4,
        Method.FORMAT_ERASE: oacs & 2,
        Method.FORMAT_CRYPTO: oacs & 2 and fna & 4,
        Method.ZERO: True,
    }
    return Capabilities(
        methods=frozenset(method for method, is_there in supported.items() if is_there),
        formats_all=bool(fna & 0b11),
        has_namespace_lists=bool(oacs & 1 << 3),
        has_secondaries=bool(oacs & 1 << 7),
        has_company=bool(data[76] & 1 << 1),
    )


def format_dword(data: bytes) -> int:
    """The lower bits of Format NVM's dword 10 that keep a namespace's format as Identify Namespace says it is.

    :raises ValueError: it is too short
    """
    _whole(data)
    flbas, dps = data[26], data[29]
    lower, upper, is_extended = flbas & 0xF, flbas >> 5 & 0b11, flbas >> 4 & 1
    return lower | is_extended << 4 | (dps & 0b111) << 5 | (dps >> 3 & 1) << 8 | upper << 12


def numbers(data: bytes) -> list[int]:
    """A list of namespaces.

    :raises ValueError: it is too short
    """
    _whole(data)
    return [number for (number,) in struct.iter_unpack("<I", data) if number]


def controller_ids(data: bytes) -> list[int]:
    """A list of controllers.

    :raises ValueError: it is too short
    """
    _whole(data)
    (count,) = struct.unpack_from("<H", data)
    return list(struct.unpack_from(f"<{min(count, 2047)}H", data, 2))


def secondaries(data: bytes) -> list[Secondary]:
    """The secondary controllers in a list: entries of 32 bytes behind one that holds their number.

    :raises ValueError: it is too short
    """
    _whole(data)
    entries = (struct.unpack_from("<H2xB3xHHH", data, 32 * (1 + index)) for index in range(min(data[0], 127)))
    return [
        Secondary(number, function, bool(state & 1), {Resource.QUEUES: queues, Resource.INTERRUPTS: interrupts})
        for number, state, function, queues, interrupts in entries
    ]


def flexible(data: bytes) -> dict[Resource, Flexible]:
    """What the capabilities of a primary controller say of the resources that are flexible.

    :raises ValueError: it is too short
    """
    _whole(data)
    found: dict[Resource, Flexible] = {}
    for resource in Resource:
        if data[4] >> resource & 1:
            total, assigned, primary, _, most, step = struct.unpack_from("<IIHHHH", data, 32 + 32 * resource)
            found[resource] = Flexible(free=max(total - assigned - primary, 0), most_each=most, step=step)
    return found


def _whole(data: bytes) -> None:
    if len(data) < _IDENTIFY_BYTES:
        raise ValueError(f"Identify gave {len(data)} bytes, not {_IDENTIFY_BYTES}")


# --- what makes secondary controllers usable ---


def assign(controller: int, resource: Resource, count: int) -> AdminCommand:
    """Give a secondary controller, which is offline, so much of a resource."""
    return AdminCommand(opcode=_VIRTUALIZATION, dwords=(_ASSIGN | resource << 8 | controller << 16, count, 0, 0, 0, 0))


def online(controller: int) -> AdminCommand:
    """Bring a secondary controller online."""
    return AdminCommand(opcode=_VIRTUALIZATION, dwords=(_ONLINE | controller << 16, 0, 0, 0, 0, 0))


# --- what takes out data ---


def sanitize(method: Method) -> AdminCommand:
    """Begin a sanitize, with one pass of zeros where it overwrites. A failed one may be left again: bit 3."""
    passes = 1 if method is Method.OVERWRITE else 0
    dword = SANITIZES[method] | 1 << 3 | passes << 4
    return AdminCommand(opcode=_SANITIZE, dwords=(dword, 0, 0, 0, 0, 0))


def format_namespace(method: Method, number: int, kept: int) -> AdminCommand:
    """Format a namespace with secure erase.

    :param kept: the format that it is to keep; see ``format_dword``
    """
    return AdminCommand(opcode=_FORMAT, namespace=number, dwords=(kept | FORMATS[method] << 9, 0, 0, 0, 0, 0))
