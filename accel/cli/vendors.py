"""Vendors by the name a person knows them by. The API knows a vendor by its PCI id.

The ids are those of the PCI ID Repository, https://pci-ids.ucw.cz.
"""

from collections.abc import Mapping

NAMES: Mapping[str, str] = {
    "1002": "AMD",
    "10b5": "PLX",
    "10de": "NVIDIA",
    "10ee": "Xilinx",
    "1172": "Altera",
    "1344": "Micron",
    "144d": "Samsung",
    "15b3": "Mellanox",
    "15b7": "SanDisk",
    "19e5": "Huawei",
    "1c5c": "SK hynix",
    "1d0f": "Amazon",
    "1da3": "Habana",
    "1e0f": "KIOXIA",
    "8086": "Intel",
}

_IDS = {name.lower(): vendor for vendor, name in NAMES.items()}


def name(vendor: str) -> str:
    """What to call a vendor: its name, or its id where no name is known."""
    return NAMES.get(vendor.lower().removeprefix("0x"), vendor)


def vendor_id(text: str) -> str:
    """The id that a person means by a name (``nvidia``) or an id; what is not known is left as it is."""
    return _IDS.get(text.lower(), text)
