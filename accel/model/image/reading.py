"""Which format a file has."""

from typing import BinaryIO

from accel.errors import InvalidImage
from accel.model.image import gbs, xclbin
from accel.model.image.header import ImageFormat, ImageHeader
from accel.model.image.pieces import Pieces


def read_header(file: BinaryIO) -> ImageHeader:
    """What a file with an image says of itself.

    Little of the file is read, wherever in it that is. A file of a format that is not known has a header that says so.

    :param file: it must be possible to seek in it; it is left anywhere
    :raises InvalidImage: it begins as one of a format that is known, and is not one; the text says why
    """
    pieces = Pieces(file)
    if not pieces.size:
        raise InvalidImage("the file is empty")
    known = gbs.read(pieces) or xclbin.read(pieces)
    return known or ImageHeader(format=ImageFormat.UNKNOWN)
