"""What is known of an image without loading it."""

import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

_ID = re.compile(r"[0-9a-f]{32}")


class ImageFormat(StrEnum):
    """How a file with an image is laid out."""

    GBS = "gbs"
    """Intel's green bitstream, with or without the signature of Intel's tools in front."""
    XCLBIN = "xclbin"
    """Xilinx' (AMD's) container, also under the name of xsabin."""
    UNKNOWN = "unknown"
    """Another one: nothing is known of what it is for, and no driver here loads it."""


class ImagePurpose(StrEnum):
    """What of a card an image is for."""

    REGION = "region"
    """The part that users program: lost when the card loses power."""
    SHELL = "shell"
    """What the card starts with, in its flash memory: it has regions."""
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageHeader:
    """What an image says of itself. Ids are 32 hex digits in lower case; a text is empty where it does not say."""

    format: ImageFormat
    purpose: ImagePurpose = ImagePurpose.UNKNOWN
    vendor: str = ""
    """The PCI vendor id of the cards that it is for."""
    interface_ids: tuple[str, ...] = ()
    """For which regions it was built: one of these is the region's."""
    function_ids: tuple[str, ...] = ()
    """What is loaded when it is: the ids of the functions, or of the image as a whole."""
    platform: str = ""
    """The board or shell that it was built for, by name."""
    platform_built_at: datetime | None = None
    """When that shell was built: what tells the first generation of Xilinx' shells from others of their names."""
    name: str = ""
    version: str = ""
    is_signed: bool = False
    """Whether it has a signature of its maker inside, which nobody here checks: the card does."""


def normal_id(text: str) -> str:
    """An id of a region or function as it is compared: 32 hex digits in lower case, without dashes.

    :return: empty for what is no such id, and for the id of nothing, which is all zeros
    """
    digits = text.strip().replace("-", "").lower()
    return digits if _ID.fullmatch(digits) and digits.strip("0") else ""
