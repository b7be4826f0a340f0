"""What the kernel drivers of Xilinx' runtime (XRT) show of the functions of an Alveo card.

Which function manages the card and which one uses it says an empty file beside the function, never its number. Most of
what is told is in directories of sub-devices, named ``rom.u.1025``: the part, its function's role, its instance.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from accel.drivers.pci_card import is_of
from accel.drivers.sysfs import PciFunction, names_in, read_number, read_text
from accel.model.device import DeviceType
from accel.model.image import normal_id

VENDOR = "10ee"
_OTHER_VENDORS = frozenset({"13fe", "1d0f", "3475"})
"""Who else sells cards that these kernel drivers drive; theirs are known by the marker files alone."""

_SUB_DEVICE = re.compile(r"(rom|xmc)\.[mu]\.\d+")
_is_xilinx = is_of(DeviceType.FPGA, {VENDOR})


class Role(StrEnum):
    """What a function is for; the values are the names of the files that say it."""

    MANAGEMENT = "mgmt_pf"
    USER = "user_pf"


@dataclass(frozen=True, slots=True, kw_only=True)
class AlveoFunction:
    """One function of a card. A text is empty when the function does not say it."""

    function: PciFunction
    role: Role | None
    """None when no kernel driver of the runtime is bound to it."""
    shell: str
    """The platform that is flashed, ``xilinx_u250_gen3x16_xdma_shell_4_1``: vendor, board, name, version (VBNV)."""
    shell_time: str
    """When a platform of the first generation was built: what tells it from others of its name."""
    chip: str
    logic_ids: tuple[str, ...]
    """The identities of a platform of the second generation, in 32 hex digits of lower case."""
    interface_ids: tuple[str, ...]
    """What an image must have been built for to fit, likewise."""
    image_id: str
    """What is loaded into the user's region, likewise; empty when nothing is."""
    says_what_is_loaded: bool
    """Whether it says what is loaded, be it nothing."""
    serial: str
    is_ready: bool | None
    """None when it does not say."""
    is_golden: bool
    """Whether the card runs the image of the factory, which can be flashed and nothing else."""


def is_alveo(function: PciFunction) -> bool:
    """Whether a function is one of a card's."""
    if function.vendor == VENDOR:
        return _is_xilinx(function)
    return function.vendor in _OTHER_VENDORS and _role(function) is not None


def read_function(function: PciFunction) -> AlveoFunction:
    """What is to be seen of a function."""
    directory = function.path
    parts = _sub_devices(directory)
    ready = read_number(directory / "ready")
    built = _first(parts, "rom", "timestamp")
    return AlveoFunction(
        function=function,
        role=_role(function),
        shell=_first(parts, "rom", "VBNV"),
        shell_time="" if built == "0" else built,
        chip=_first(parts, "rom", "FPGA"),
        logic_ids=_ids(directory / "logic_uuids"),
        interface_ids=_ids(directory / "interface_uuids"),
        image_id=next(iter(_ids(directory / "xclbinuuid")), ""),
        says_what_is_loaded=bool(read_text(directory / "xclbinuuid")),
        serial=_first(parts, "xmc", "serial_num"),
        is_ready=None if ready is None else ready > 0,
        is_golden=read_number(directory / "mfg") == 1,
    )


def _role(function: PciFunction) -> Role | None:
    return next((role for role in Role if (function.path / role).exists()), None)


def _sub_devices(directory: Path) -> Sequence[Path]:
    return [directory / name for name in names_in(directory) if _SUB_DEVICE.fullmatch(name)]


def _first(parts: Sequence[Path], kind: str, attribute: str) -> str:
    return next((text for part in parts if part.name.startswith(kind) and (text := read_text(part / attribute))), "")


def _ids(file: Path) -> tuple[str, ...]:
    """The ids in a file, one on each line, some with dashes; those of nothing are left out."""
    return tuple(filter(None, map(normal_id, read_text(file).splitlines())))
