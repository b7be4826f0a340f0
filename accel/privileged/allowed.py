"""What may be done with privilege: everything else is refused, whoever asks.

Attributes are known by where they are after all links have been followed, so no link leads out of sysfs. Tools are
known by their names, and by nobody but root being able to exchange them: see ``tools``.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from accel.errors import ActNotAllowed
from accel.privileged.base import Context

_UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_ADDRESS = r"[0-9a-f]{4,8}:[0-9a-f]{2}:[01][0-9a-f]\.[0-7]"
_DEVICE = r"devices/(?:[^/]+/)*"
_FUNCTION = rf"{_DEVICE}{_ADDRESS}"
_DRIVER = r"bus/pci/drivers/[\w.-]+"
_ONE = "1"


@dataclass(frozen=True, slots=True)
class _Rule:
    """One attribute, and what may be written into it."""

    context: Context
    path: str
    """A regular expression for the whole path below sysfs."""
    text: str
    """A regular expression for the whole text, without the newline at its end."""


_RULES: tuple[_Rule, ...] = (
    _Rule(Context.VFIO, rf"{_FUNCTION}/driver_override", r"[\w-]*"),
    _Rule(Context.VFIO, rf"{_DRIVER}/unbind", _ADDRESS),
    _Rule(Context.VFIO, "bus/pci/drivers_probe", _ADDRESS),
    _Rule(Context.SYSFS, rf"{_FUNCTION}/sriov_numvfs", r"\d{1,5}"),
    _Rule(Context.SYSFS, rf"{_FUNCTION}/sriov_drivers_autoprobe", "[01]"),
    _Rule(Context.SYSFS, rf"{_FUNCTION}/reset", _ONE),
    _Rule(Context.SYSFS, rf"{_DEVICE}mdev_supported_types/[\w.-]+/create", _UUID),
    _Rule(Context.SYSFS, rf"{_DEVICE}{_UUID}/remove", _ONE),
    _Rule(Context.SYSFS, rf"{_FUNCTION}/nvidia/current_vgpu_type", r"\d{1,10}"),
    _Rule(Context.SYSFS, rf"{_FUNCTION}/current_compute_partition", r"[A-Z0-9]{1,8}"),
)

TOOLS: Mapping[str, frozenset[str] | None] = {
    "fpgaconf": None,
    "fpgasupdate": None,
    "xbmgmt": frozenset({"program"}),
    "xrt-smi": frozenset({"program", "reset"}),
    "xbutil": frozenset({"program", "reset"}),
    "nvidia-smi": frozenset({"--gpu-reset"}),
}
"""The programs that may be run, by name, with the first arguments that they may be given; None: any."""

ADMIN_OPCODES: frozenset[int] = frozenset(
    {
        0x02,  # get log page
        0x06,  # identify
        0x1C,  # virtualization management
        0x80,  # format NVM
        0x84,  # sanitize
    }
)
"""The commands that an NVMe controller may be sent; loading firmware or vendors' own commands are not among them."""

_NVME_NODE = re.compile(r"nvme\d+")
_NAMESPACE_NODE = re.compile(r"nvme\d+n\d+")
_VFIO_NODE = re.compile(r"vfio/\d+")


def context_of(sysfs: Path, path: Path, text: str) -> Context:
    """Which context writes an attribute.

    :param sysfs: where sysfs is
    :raises ActNotAllowed: none does
    """
    where = path.parent.resolve() / path.name
    top = sysfs.resolve()
    if where.is_relative_to(top):
        below = where.relative_to(top).as_posix()
        for rule in _RULES:
            if re.fullmatch(rule.path, below):
                return _checked(rule, path, text)
    raise ActNotAllowed(f"{path} is not among the attributes that may be written")


def _checked(rule: _Rule, path: Path, text: str) -> Context:
    if not re.fullmatch(rule.text, text.removesuffix("\n")):
        raise ActNotAllowed(f"{text!r} is not among what may be written into {path}: {rule.text}")
    return rule.context


def check_tool(command: tuple[str, ...]) -> None:
    """Whether a command may be run.

    :raises ActNotAllowed: it may not
    """
    program = Path(command[0]) if command else Path()
    if not program.is_absolute() or program.name not in TOOLS:
        raise ActNotAllowed(f"{program}: only these may be run, by absolute path: {', '.join(sorted(TOOLS))}")
    first = TOOLS[program.name]
    if first is not None and (len(command) < 2 or command[1] not in first):
        raise ActNotAllowed(f"{' '.join(command[:2])}: {program.name} may do these only: {', '.join(sorted(first))}")


def check_admin(dev: Path, node: Path, opcode: int) -> None:
    """Whether a command may be sent to a controller.

    :param dev: where ``/dev`` is
    :raises ActNotAllowed: it may not
    """
    if node.parent != dev or not _NVME_NODE.fullmatch(node.name):
        raise ActNotAllowed(f"{node} is no NVMe controller, such as {dev}/nvme0")
    if opcode not in ADMIN_OPCODES:
        known = ", ".join(f"{one:#04x}" for one in sorted(ADMIN_OPCODES))
        raise ActNotAllowed(f"NVMe command {opcode:#04x} is not among those that may be sent: {known}")


def check_namespace(dev: Path, node: Path) -> None:
    """Whether a node may be read and written: the whole of a namespace, no partition and no other disk.

    :param dev: where ``/dev`` is
    :raises ActNotAllowed: it may not
    """
    if node.parent != dev or not _NAMESPACE_NODE.fullmatch(node.name):
        raise ActNotAllowed(f"{node} is no NVMe namespace, such as {dev}/nvme0n1")


def check_vfio_node(dev: Path, node: Path) -> None:
    """Whether a node may be given to others.

    :param dev: where ``/dev`` is
    :raises ActNotAllowed: it may not
    """
    if not node.is_relative_to(dev) or not _VFIO_NODE.fullmatch(node.relative_to(dev).as_posix()):
        raise ActNotAllowed(f"{node} is no node of a vfio group, such as {dev}/vfio/12")
