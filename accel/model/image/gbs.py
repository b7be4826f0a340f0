"""Intel's green bitstreams: what is loaded into a region of a board.

A magic text of 16 bytes, the length of the metadata in four (little endian), the metadata in JSON, the bitstream.
Intel's signing tool puts two blocks of together 1,024 bytes in front of that. Read in the Open Programmable
Acceleration Engine (OPAE SDK): ``fpgaconf``, ``fpgasupdate`` and ``packager``, which write and read the format.
"""

import json
from collections.abc import Mapping
from struct import Struct

from accel.errors import InvalidImage
from accel.model.image.header import ImageFormat, ImageHeader, ImagePurpose, normal_id
from accel.model.image.pieces import Pieces

MAGIC = b"XeonFPGA\xb7GBSv001"
INTEL = "8086"

SIGNED_MAGIC = b"\x19\xfd\xea\xb6"
"""What the first block of a signed file begins with."""
SIGNED_BLOCK_BYTES = 1024
_SIGNED_START = Struct("<4xII")
"""After the magic: how many bytes are signed, and what they are."""
_SIGNED_GBS = 2
_SIGNED_KIND = 0xFF

_LENGTH = Struct("<I")
_METADATA_LIMIT = 1 << 20


def read(pieces: Pieces) -> ImageHeader | None:
    """What a green bitstream says of itself; None for a file that does not begin as one.

    :raises InvalidImage: it begins as one, and is not
    """
    is_signed = pieces.starts_with(SIGNED_MAGIC)
    start = SIGNED_BLOCK_BYTES if is_signed else 0
    if is_signed and not _is_signed_gbs(pieces):
        return None
    if not pieces.starts_with(MAGIC, at=start):
        if is_signed:
            raise InvalidImage("it is signed as a green bitstream, and none follows the signature")
        return None
    return _header(_metadata(pieces, start + len(MAGIC)), is_signed=is_signed)


def _is_signed_gbs(pieces: Pieces) -> bool:
    """Intel's tools sign firmware for the board in the same way, which is no image for a region."""
    length, kind = pieces.numbers("the block of the signature", _SIGNED_START, at=0)
    if kind & _SIGNED_KIND != _SIGNED_GBS:
        return False
    if SIGNED_BLOCK_BYTES + length > pieces.size:
        raise InvalidImage(
            f"{length} bytes of it are signed, and {pieces.size - SIGNED_BLOCK_BYTES} are there: it is cut short"
        )
    return True


def _metadata(pieces: Pieces, at: int) -> object:
    (length,) = pieces.numbers("the length of its metadata", _LENGTH, at=at)
    if not 0 < length <= _METADATA_LIMIT:
        raise InvalidImage(f"its metadata have a length of {length} bytes: 1 to {_METADATA_LIMIT} would be right")
    start = at + _LENGTH.size
    text = pieces.read("its metadata", at=start, length=length)
    if start + length == pieces.size:
        raise InvalidImage("it ends behind its metadata: there is no bitstream in it")
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidImage(f"its metadata are not JSON: {error}") from error


def _header(metadata: object, *, is_signed: bool) -> ImageHeader:
    if not isinstance(metadata, dict):
        raise InvalidImage("its metadata are not an object")
    root: Mapping[str, object] = metadata
    image = _object(root.get("afu-image"), "afu-image")
    interface = _id(image.get("interface-uuid"), "afu-image.interface-uuid")
    clusters = image.get("accelerator-clusters")
    if not isinstance(clusters, list) or not clusters:
        raise InvalidImage("afu-image.accelerator-clusters in its metadata is not a list with a function")
    functions = [_object(cluster, f"afu-image.accelerator-clusters[{i}]") for i, cluster in enumerate(clusters)]
    ids = [
        _id(cluster.get("accelerator-type-uuid"), f"afu-image.accelerator-clusters[{i}].accelerator-type-uuid")
        for i, cluster in enumerate(functions)
    ]
    return ImageHeader(
        format=ImageFormat.GBS,
        purpose=ImagePurpose.REGION,
        vendor=INTEL,
        interface_ids=(interface,),
        function_ids=tuple(dict.fromkeys(ids)),
        platform=_text(root.get("platform-name")),
        name=", ".join(filter(None, (_text(cluster.get("name")) for cluster in functions))),
        version=_text(root.get("version")),
        is_signed=is_signed,
    )


def _object(value: object, field: str) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise InvalidImage(f"{field} in its metadata is not an object")
    return value


def _id(value: object, field: str) -> str:
    digits = normal_id(value) if isinstance(value, str) else ""
    if not digits:
        raise InvalidImage(f"{field} in its metadata is not an id of 32 hex digits")
    return digits


def _text(value: object) -> str:
    """A name or a version, which some tools write as a number; printable, and no longer than a person reads."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return ""
    return "".join(filter(str.isprintable, str(value)))[:255]
