"""Which PCI functions are accelerators, and of what kind: a table of ids, then of classes.

The class alone misleads. A GPU may be a VGA controller (0300), a 3D controller (0302), a display controller (0380)
or a processing accelerator (1200), and so may be the console of a server or of a virtual machine; the class of system
peripherals (0880) holds accelerators among parts of every chipset. So ids are asked first, and a class of displays
counts only together with a maker of GPUs.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from accel.drivers.sysfs import PciFunction
from accel.model.device import DeviceType

VENDOR_WORDS: Mapping[str, str] = {
    "1002": "AMD",
    "10de": "NVIDIA",
    "10ee": "XILINX",
    "19e5": "HUAWEI",
    "1ae0": "GOOGLE",
    "1bcf": "NEC",
    "1bd4": "INSPUR",
    "1d0f": "AMAZON",
    "1da3": "HABANA",
    "8086": "INTEL",
}
"""How makers are called in traits; the others go by their id."""

RESOURCE_CLASSES: Mapping[DeviceType, str] = {
    DeviceType.GPU: "PGPU",
    DeviceType.FPGA: "FPGA",
    DeviceType.AICHIP: "CUSTOM_AICHIP",
    DeviceType.QAT: "CUSTOM_QAT",
    DeviceType.PCI: "CUSTOM_PCI",
    DeviceType.MDEV: "CUSTOM_MDEV",
}
"""What OpenStack Placement counts a whole device of a kind as."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What is known of a PCI function by its ids and class."""

    type: DeviceType
    model: str = ""
    """The name of the product, for hosts without a list of PCI ids; empty where only the ids are known."""


UNKNOWN = Kind(DeviceType.PCI)
"""An accelerator, or whatever the operator admits, of which no more is known."""

_GPU, _FPGA, _AICHIP, _QAT, _PCI = DeviceType.GPU, DeviceType.FPGA, DeviceType.AICHIP, DeviceType.QAT, DeviceType.PCI

_ALVEO: Mapping[int, str] = {
    0x5000: "U200",
    0x5004: "U250",
    0x500C: "U280",
    0x5020: "U50",
    0x5028: "VCK5000",
    0x503C: "U30",
    0x5044: "VCK5000",
    0x5048: "VCK5000",
    0x5050: "U25",
    0x505C: "U55C",
    0x506C: "U50C",
    0x5094: "V70",
    0x50B0: "V70",
    0x50B4: "V80",
}
"""Alveo cards by the device id of their management function; the user function has the next one."""

_GOLDEN: Mapping[int, str] = {
    0xD000: "U200",
    0xD004: "U250",
    0xD00C: "U280",
    0xD020: "U50",
    0xD03C: "U30",
    0xD04C: "card",
}
"""Those that still run the image of the factory, the golden one."""

_PRODUCTS: Mapping[str, Kind] = {
    **{f"10ee:{product:04x}": Kind(_FPGA, f"Alveo {name} management function") for product, name in _ALVEO.items()},
    **{f"10ee:{product + 1:04x}": Kind(_FPGA, f"Alveo {name}") for product, name in _ALVEO.items()},
    **{f"10ee:{product:04x}": Kind(_FPGA, f"Alveo {name} with golden image") for product, name in _GOLDEN.items()},
    "1002:6860": Kind(_GPU, "Radeon Instinct MI25"),
    "1002:740c": Kind(_GPU, "Instinct MI250X/MI250"),
    "1002:740f": Kind(_GPU, "Instinct MI210"),
    "8086:56c0": Kind(_GPU, "Data Center GPU Flex 170"),
    "8086:56c1": Kind(_GPU, "Data Center GPU Flex 140"),
    "8086:0bd5": Kind(_GPU, "Data Center GPU Max 1550"),
    "8086:0bda": Kind(_GPU, "Data Center GPU Max 1100"),
    "8086:e20b": Kind(_GPU, "Arc B580"),
    "8086:e211": Kind(_GPU, "Arc Pro B60"),
    "8086:09c4": Kind(_FPGA, "PAC Arria 10 GX"),
    "8086:09c5": Kind(_FPGA, "PAC Arria 10 GX virtual function"),
    "8086:0b2b": Kind(_FPGA, "PAC D5005"),
    "8086:0b2c": Kind(_FPGA, "PAC D5005 virtual function"),
    "8086:0b30": Kind(_FPGA, "PAC N3000"),
    "8086:0b31": Kind(_FPGA, "PAC N3000 virtual function"),
    "8086:bcc0": Kind(_FPGA, "Integrated FPGA"),
    "8086:bcc1": Kind(_FPGA, "Integrated FPGA virtual function"),
    "8086:bcce": Kind(_FPGA, "Open FPGA Stack board"),
    "8086:bccf": Kind(_FPGA, "Open FPGA Stack virtual function"),
    "8086:af00": Kind(_FPGA, "FPGA development kit"),
    "8086:0435": Kind(_QAT, "QuickAssist DH895xCC"),
    "8086:0443": Kind(_QAT, "QuickAssist DH895xCC virtual function"),
    "8086:19e2": Kind(_QAT, "QuickAssist C3xxx"),
    "8086:19e3": Kind(_QAT, "QuickAssist C3xxx virtual function"),
    "8086:37c8": Kind(_QAT, "QuickAssist C62x"),
    "8086:37c9": Kind(_QAT, "QuickAssist C62x virtual function"),
    "8086:4940": Kind(_QAT, "QuickAssist 4xxx"),
    "8086:4941": Kind(_QAT, "QuickAssist 4xxx virtual function"),
    "8086:4942": Kind(_QAT, "QuickAssist 401xx"),
    "8086:4943": Kind(_QAT, "QuickAssist 401xx virtual function"),
    "8086:4944": Kind(_QAT, "QuickAssist 402xx"),
    "8086:4945": Kind(_QAT, "QuickAssist 402xx virtual function"),
    "8086:4946": Kind(_QAT, "QuickAssist 420xx"),
    "8086:4947": Kind(_QAT, "QuickAssist 420xx virtual function"),
    "8086:0b25": Kind(_PCI, "Data Streaming Accelerator"),
    "8086:0cfe": Kind(_PCI, "In-Memory Analytics Accelerator"),
    "8086:7d1d": Kind(_AICHIP, "NPU"),
    "8086:643e": Kind(_AICHIP, "NPU"),
    "8086:ad1d": Kind(_AICHIP, "NPU"),
    "8086:b03e": Kind(_AICHIP, "NPU"),
    "1da3:1000": Kind(_AICHIP, "Gaudi"),
    "1da3:1010": Kind(_AICHIP, "Gaudi"),
    "1da3:1020": Kind(_AICHIP, "Gaudi2"),
    "1da3:1060": Kind(_AICHIP, "Gaudi3"),
    "1da3:1061": Kind(_AICHIP, "Gaudi3"),
    "1da3:1062": Kind(_AICHIP, "Gaudi3"),
    "1da3:1063": Kind(_AICHIP, "Gaudi3"),
    "19e5:d100": Kind(_AICHIP, "Ascend 310"),
    "19e5:d500": Kind(_AICHIP, "Ascend 310P"),
    "19e5:d801": Kind(_AICHIP, "Ascend 910"),
    "19e5:d802": Kind(_AICHIP, "Ascend 910B"),
    "19e5:d803": Kind(_AICHIP, "Ascend"),
    "1ae0:0027": Kind(_AICHIP, "TPU"),
    "1ae0:005e": Kind(_AICHIP, "TPU"),
    "1ae0:0062": Kind(_AICHIP, "TPU"),
    "1ae0:0063": Kind(_AICHIP, "TPU"),
    "1ae0:006f": Kind(_AICHIP, "TPU"),
    "1ae0:0076": Kind(_AICHIP, "TPU"),
    "1d0f:7064": Kind(_AICHIP, "Inferentia"),
    "1d0f:7164": Kind(_AICHIP, "Trainium"),
    "1d0f:7264": Kind(_AICHIP, "Inferentia2"),
    "1bcf:001c": Kind(_AICHIP, "Vector Engine"),
}
"""By vendor and device id; what is here counts whatever its class says, or if it has none."""

_VIRTUAL_VENDORS = frozenset({"1af4", "1234", "15ad", "1414", "80ee"})
"""Makers of displays, disks and networks of virtual machines, and of cards that emulate them: whatever the class."""

_VENDOR_CLASSES: Mapping[tuple[str, int], Kind] = {
    **{(vendor, display): Kind(_GPU) for vendor in ("1002", "10de", "8086") for display in (0x0300, 0x0302, 0x0380)},
    ("1002", 0x1200): Kind(_GPU),
    ("10ee", 0x1200): Kind(_FPGA),
    ("1bd4", 0x1200): Kind(_FPGA),
    ("1da3", 0x1200): Kind(_AICHIP),
    ("19e5", 0x1200): Kind(_AICHIP),
    ("1ae0", 0x1200): Kind(_AICHIP),
    ("1d0f", 0x1200): Kind(_AICHIP),
}
"""What a maker means by a class."""

_ACCELERATOR_CLASSES = frozenset({0x0302, 0x0B40, 0x1200})
"""3D controllers, co-processors and processing accelerators: accelerators whoever makes them."""


def kind_of(function: PciFunction) -> Kind | None:
    """The kind of an accelerator; None for a function that is none as far as its ids and class tell."""
    known = _PRODUCTS.get(f"{function.vendor}:{function.product}")
    if known is not None or function.vendor in _VIRTUAL_VENDORS or function.base_class is None:
        return known
    meant = _VENDOR_CLASSES.get((function.vendor, function.base_class))
    return meant or (UNKNOWN if function.base_class in _ACCELERATOR_CLASSES else None)
