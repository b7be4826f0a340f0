"""Xilinx' (AMD's) containers of images: what is loaded into the user's region, and what is flashed as a shell.

A magic text, a signature, a header, a table of sections, the sections; integers are little endian. Layout and meaning
were read in ``xclbin.h`` of Xilinx' runtime (XRT). For which partition a file was built says a section with a flattened
device tree.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from struct import Struct

from accel.errors import InvalidImage
from accel.model.image.device_tree import properties
from accel.model.image.header import ImageFormat, ImageHeader, ImagePurpose, normal_id
from accel.model.image.pieces import Pieces

XILINX = "10ee"
MAGIC = b"xclbin2\0"
_OLD_MAGICS = (b"xclbin0\0", b"xclbin1\0")

_SIGNATURE_LENGTH = Struct("<8xi")
_LENGTHS = Struct("<QQQ")
_LENGTHS_AT = 304
"""How long the file is, when it was made, when its shell was, in seconds since 1970."""
_VERSION = Struct("<HBB")
_VERSION_AT = 328
_INTERFACE_AT = 336
_PLATFORM_AT, _PLATFORM_BYTES = 352, 64
_ID_AT = 416
_ID_BYTES = 16
_COUNT = Struct("<I")
_COUNT_AT = 448
_SECTIONS_AT = 456
_SECTION = Struct("<I20xQQ")
_MOST_SECTIONS = 0x10000

_PARTITION_METADATA = 20
_FOR_FLASH = frozenset({12, 24})
"""The kinds of sections with what goes into the flash memory (MCS, ASK_FLASH)."""
_METADATA_LIMIT = 1 << 20
_INTERFACES = "/interfaces/"


@dataclass(frozen=True, slots=True)
class _Section:
    kind: int
    offset: int
    size: int


def read(pieces: Pieces) -> ImageHeader | None:
    """What a container says of itself; None for a file that does not begin as one.

    :raises InvalidImage: it begins as one, and is not
    """
    if any(map(pieces.starts_with, _OLD_MAGICS)):
        raise InvalidImage("it is an xclbin of a format that is not loaded any more: only xclbin2 is")
    if not pieces.starts_with(MAGIC):
        return None
    sections = _sections(pieces)
    is_shell = any(section.kind in _FOR_FLASH for section in sections)
    (signature,) = pieces.numbers("its header", _SIGNATURE_LENGTH, at=0)
    _, _, shell_time = pieces.numbers("its header", _LENGTHS, at=_LENGTHS_AT)
    patch, major, minor = pieces.numbers("its header", _VERSION, at=_VERSION_AT)
    image_id = _id_at(pieces, _ID_AT)
    return ImageHeader(
        format=ImageFormat.XCLBIN,
        purpose=ImagePurpose.SHELL if is_shell else ImagePurpose.REGION,
        vendor=XILINX,
        interface_ids=_interfaces(pieces, sections),
        function_ids=(image_id,) if image_id else (),
        platform=_platform(pieces),
        platform_built_at=_time(shell_time),
        version=f"{major}.{minor}.{patch}",
        is_signed=signature > 0,
    )


def _sections(pieces: Pieces) -> Sequence[_Section]:
    length, *_ = pieces.numbers("its header", _LENGTHS, at=_LENGTHS_AT)
    (count,) = pieces.numbers("its header", _COUNT, at=_COUNT_AT)
    if length > pieces.size:
        raise InvalidImage(f"it says that it has {length} bytes, and {pieces.size} are there: it is cut short")
    if not 0 < count <= _MOST_SECTIONS:
        raise InvalidImage(f"it says that it has {count} sections: 1 to {_MOST_SECTIONS} would be right")
    table = pieces.read("the table of its sections", at=_SECTIONS_AT, length=count * _SECTION.size)
    start = _SECTIONS_AT + len(table)
    if length < start:
        raise InvalidImage(f"it says that it has {length} bytes, and its header alone has {start}")
    sections = [_Section(*fields) for fields in _SECTION.iter_unpack(table)]
    for number, section in enumerate(sections):
        if section.size and not start <= section.offset <= section.offset + section.size <= length:
            raise InvalidImage(
                f"section {number} is at byte {section.offset} with {section.size} bytes, outside of the {length}"
            )
    return sections


def _interfaces(pieces: Pieces, sections: Sequence[_Section]) -> tuple[str, ...]:
    """What it was built for: the metadata of its partition say it, in older files the header."""
    named = (
        interface
        for section in sections
        if section.kind == _PARTITION_METADATA and section.size
        for interface in _partition_interfaces(pieces, section)
    )
    return tuple(dict.fromkeys(filter(None, (*named, _id_at(pieces, _INTERFACE_AT)))))


def _partition_interfaces(pieces: Pieces, section: _Section) -> Iterator[str]:
    if section.size > _METADATA_LIMIT:
        raise InvalidImage(
            f"the metadata of its partition have {section.size} bytes: at most {_METADATA_LIMIT} would be right"
        )
    tree = pieces.read("the metadata of its partition", at=section.offset, length=section.size)
    for path, name, value in properties(tree):
        if name == "interface_uuid" and path.startswith(_INTERFACES):
            yield normal_id(value.rstrip(b"\0").decode("ascii", errors="replace"))


def _id_at(pieces: Pieces, at: int) -> str:
    return normal_id(pieces.read("its header", at=at, length=_ID_BYTES).hex())


def _platform(pieces: Pieces) -> str:
    name, _, _ = pieces.read("its header", at=_PLATFORM_AT, length=_PLATFORM_BYTES).partition(b"\0")
    return "".join(filter(str.isprintable, name.decode("ascii", errors="replace")))


def _time(seconds: int) -> datetime | None:
    """None for 0, which shells of the second generation have, and for what is no time."""
    try:
        return datetime.fromtimestamp(seconds, UTC) if seconds else None
    except (ValueError, OverflowError, OSError):
        return None
