"""Cards that are known by name: what a fleet file need not say.

The ids are those of the PCI ID repository, memory and links those of the vendors' data sheets.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from accel.model.device import DeviceType, LinkKind
from accel.model.mig import mig_scheme
from accel.model.partition import Scheme

_GIB = 2**30
_GB = 10**9


@dataclass(frozen=True, slots=True, kw_only=True)
class CardModel:
    """A kind of card."""

    name: str
    """The name that its driver or the PCI ID repository gives it."""
    type: DeviceType
    vendor: str
    """Four hex digits, as ``product``."""
    product: str
    pci_class: str
    """Six hex digits: class, subclass, programming interface."""
    kernel_driver: str | None = None
    memory_bytes: int = 0
    """The memory on the card; 0 where that says nothing about it."""
    capacity_bytes: int = 0
    """What a drive stores; 0 for what is no drive."""
    link: LinkKind | None = None
    """How cards of this kind are connected directly, if they can be."""
    link_width: int = 0
    """How many links connect two neighbours."""
    is_linked_to_all: bool = False
    """Whether the board it sits on connects every card with every other one."""
    handed_function: int = 0
    """The PCI function that is handed to a workload."""

    @property
    def scheme(self) -> Scheme | None:
        """What it can be cut into; None where it cannot be cut."""
        return mig_scheme(self.name, self.memory_bytes)


def _nvidia(product: str, name: str, memory_gib: int, **more: object) -> CardModel:
    return CardModel(
        name=name,
        type=DeviceType.GPU,
        vendor="10de",
        product=product,
        pci_class="030200",
        kernel_driver="nvidia",
        memory_bytes=memory_gib * _GIB,
        **more,  # type: ignore[arg-type]  # the fields of CardModel, checked by its constructor
    )


def _nvlink(width: int, *, to_all: bool) -> Mapping[str, object]:
    return {"link": LinkKind.NVLINK, "link_width": width, "is_linked_to_all": to_all}


def _amd(product: str, name: str, memory_gib: int, **more: object) -> CardModel:
    return CardModel(
        name=name,
        type=DeviceType.GPU,
        vendor="1002",
        product=product,
        kernel_driver="amdgpu",
        memory_bytes=memory_gib * _GIB,
        link=LinkKind.XGMI,
        link_width=1,
        **more,  # type: ignore[arg-type]  # the fields of CardModel, checked by its constructor
    )


def _alveo(product: str, name: str, memory_gib: int) -> CardModel:
    """A board with a management function and, as function 1, the user function that a workload gets."""
    return CardModel(
        name=name,
        type=DeviceType.FPGA,
        vendor="10ee",
        product=product,
        pci_class="120000",
        kernel_driver="xclmgmt",
        memory_bytes=memory_gib * _GIB,
        handed_function=1,
    )


def _gaudi(product: str, name: str, memory_gib: int) -> CardModel:
    return CardModel(
        name=name,
        type=DeviceType.AICHIP,
        vendor="1da3",
        product=product,
        pci_class="120000",
        kernel_driver="habanalabs",
        memory_bytes=memory_gib * _GIB,
    )


def _nvme(vendor: str, product: str, name: str, capacity_gb: int) -> CardModel:
    return CardModel(
        name=name,
        type=DeviceType.NVME,
        vendor=vendor,
        product=product,
        pci_class="010802",
        kernel_driver="nvme",
        capacity_bytes=capacity_gb * _GB,
    )


MODELS: Mapping[str, CardModel] = {
    "T4": _nvidia("1eb8", "Tesla T4", 16),
    "L4": _nvidia("27b8", "NVIDIA L4", 24),
    "L40S": _nvidia("26b9", "NVIDIA L40S", 48),
    "A100-PCIE-40GB": _nvidia("20f1", "NVIDIA A100-PCIE-40GB", 40, **_nvlink(12, to_all=False)),
    "A100-SXM4-40GB": _nvidia("20b0", "NVIDIA A100-SXM4-40GB", 40, **_nvlink(12, to_all=True)),
    "A100-SXM4-80GB": _nvidia("20b2", "NVIDIA A100-SXM4-80GB", 80, **_nvlink(12, to_all=True)),
    "H100-PCIE-80GB": _nvidia("2331", "NVIDIA H100 PCIe", 80, **_nvlink(12, to_all=False)),
    "H100-SXM5-80GB": _nvidia("2330", "NVIDIA H100 80GB HBM3", 80, **_nvlink(18, to_all=True)),
    "H200-SXM5-141GB": _nvidia("2335", "NVIDIA H200", 141, **_nvlink(18, to_all=True)),
    "B200-SXM6-180GB": _nvidia("2901", "NVIDIA B200", 180, **_nvlink(18, to_all=True)),
    # The two dies of an MI250X are two PCI functions, each with half of the memory: this is one of them.
    "MI250X": _amd("7408", "AMD Instinct MI250X", 64, pci_class="038000", is_linked_to_all=False),
    "MI210": _amd("740f", "AMD Instinct MI210", 64, pci_class="038000", is_linked_to_all=False),
    "MI300X": _amd("74a1", "AMD Instinct MI300X", 192, pci_class="120000", is_linked_to_all=True),
    "MI325X": _amd("74a5", "AMD Instinct MI325X", 256, pci_class="120000", is_linked_to_all=True),
    "Flex-170": CardModel(
        name="Intel Data Center GPU Flex 170",
        type=DeviceType.GPU,
        vendor="8086",
        product="56c0",
        pci_class="038000",
        kernel_driver="i915",
        memory_bytes=16 * _GIB,
    ),
    "Alveo-U50": _alveo("5020", "Alveo U50", 8),
    "Alveo-U200": _alveo("5000", "Alveo U200", 64),
    "Alveo-U250": _alveo("5004", "Alveo U250", 64),
    "Alveo-U280": _alveo("500c", "Alveo U280", 40),
    "PAC-D5005": CardModel(
        name="Intel FPGA PAC D5005",
        type=DeviceType.FPGA,
        vendor="8086",
        product="0b2b",
        pci_class="120000",
        kernel_driver="dfl-pci",
        memory_bytes=32 * _GIB,
    ),
    "Gaudi2": _gaudi("1020", "Gaudi2", 96),
    "Gaudi3": _gaudi("1060", "Gaudi3", 128),
    "Ascend-910B": CardModel(
        name="Ascend 910B",
        type=DeviceType.AICHIP,
        vendor="19e5",
        product="d802",
        pci_class="120000",
        kernel_driver="devdrv_device_driver",
        memory_bytes=64 * _GIB,
    ),
    "NVMe-3.84TB": _nvme("144d", "a824", "SAMSUNG PM1733 3.84TB", 3_840),
    "NVMe-7.68TB": _nvme("1344", "51c3", "Micron 7450 PRO 7.68TB", 7_680),
    "QAT-4xxx": CardModel(
        name="Intel QuickAssist 4xxx",
        type=DeviceType.QAT,
        vendor="8086",
        product="4940",
        pci_class="0b4000",
        kernel_driver="4xxx",
    ),
}
"""The built-in models, by the name that a fleet file uses."""
