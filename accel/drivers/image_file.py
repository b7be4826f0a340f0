"""The file with an image that a driver is to load."""

from pathlib import Path

from accel.errors import ActRefused, ImageMismatch
from accel.model.image import ImageFormat, ImageHeader, read_header

_FORMATS = {
    ImageFormat.GBS: "a green bitstream (GBS)",
    ImageFormat.XCLBIN: "an xclbin",
    ImageFormat.UNKNOWN: "of a format that is not known",
}


def header_of(image: Path, expected: ImageFormat) -> ImageHeader:
    """What an image says of itself.

    :param expected: the format that cards of this kind load
    :raises InvalidImage: it is damaged
    :raises ImageMismatch: it is of another format
    :raises ActRefused: it cannot be read
    """
    try:
        with image.open("rb") as file:
            header = read_header(file)
    except OSError as error:
        raise ActRefused(f"the image {image} cannot be read: {error.strerror}") from error
    if header.format is not expected:
        raise ImageMismatch(f"the image is {_FORMATS[header.format]}, and the card loads only {_FORMATS[expected]}")
    return header
