"""Hosts with devices of which no host was captured, made as the kernel's documentation describes them."""

from collections.abc import Callable, Mapping
from pathlib import Path

from accel.drivers.base import Host
from accel.testing.host_tree import HostTree, PciRow

GAUDI, NPU = "0000:4d:00.0", "0000:00:0b.0"
QAT, UNDRIVEN_QAT = "0000:6b:00.0", "0000:3d:00.0"
ASCEND = "0000:c1:00.0"
GPU, UNKNOWN_PARENT = "0000:00:02.0", "0000:86:00.0"


def two_qats(root: Path, node: str) -> Host:
    """One with two virtual functions, one that no kernel driver is bound to."""
    tree = HostTree(root)
    tree.pci_function(PciRow(address=UNDRIVEN_QAT, vendor="8086", product="37c8", class_code=0x0B4000))
    row = PciRow(address=QAT, vendor="8086", product="4940", class_code=0x0B4000, driver="4xxx", numa_node=1)
    directory = tree.pci_function(row)
    write(tree, directory, {"qat/state": "up", "qat/cfg_services": "sym;dc"})
    for function in ("0000:6b:00.1", "0000:6b:00.2"):
        row = PciRow(address=function, vendor="8086", product="4941", class_code=0x0B4000)
        tree.virtual_function(row, of=QAT)
    return tree.host(node)


def large_host(root: Path, node: str) -> Host:
    """Twenty cards below bridges of their own, each with 26 virtual functions: 560 functions."""
    tree = HostTree(root)
    for bus in range(0x10, 0x10 + 2 * 20, 2):
        bridge, card = f"0000:{bus:02x}:00.0", f"0000:{bus + 1:02x}:00.0"
        tree.pci_function(PciRow(address=bridge, class_code=0x060400))
        tree.pci_function(PciRow(address=card, vendor="8086", product="4940", class_code=0x0B4000, above=bridge))
        for number in range(1, 27):
            address = f"0000:{bus + 1:02x}:{number // 8:02x}.{number % 8}"
            virtual = PciRow(address=address, vendor="8086", product="4941", class_code=0x0B4000, above=bridge)
            tree.virtual_function(virtual, of=card)
    return tree.host(node)


def ascend(root: Path, node: str) -> Host:
    """One processor with its nodes."""
    tree = HostTree(root)
    tree.pci_function(PciRow(address=ASCEND, vendor="19e5", product="d802", driver="devdrv_device_driver", numa_node=0))
    for name in ("davinci0", "davinci_manager", "devmm_svm", "hisi_hdc", "null"):
        tree.write(f"dev/{name}", "")
    return tree.host(node)


def accel_class(root: Path, node: str) -> Host:
    """A Gaudi 2, an NPU in the processor, one on a system on a chip, and a Gaudi 3 without a kernel driver."""
    tree = HostTree(root)
    tree.pci_function(PciRow(address="0000:4e:00.0", vendor="1da3", product="1060"))
    gaudi = tree.pci_function(PciRow(address=GAUDI, vendor="1da3", product="1020", driver="habanalabs", numa_node=1))
    write(tree, gaudi, {"status": "Operational", "device_type": "GAUDI2", "module_id": "3"})
    npu = tree.pci_function(PciRow(address=NPU, vendor="8086", product="7d1d", driver="intel_vpu"))
    chip = tree.root / "sys/devices/platform/fdab0000.npu"
    write(tree, chip, {"modalias": "of:Nnpu"})
    tree.link("sys/devices/platform/fdab0000.npu/driver", "sys/bus/platform/drivers/rocket")
    for directory, name in ((gaudi, "accel0"), (gaudi, "accel_controlD0"), (npu, "accel1"), (chip, "accel2")):
        write(tree, directory, {f"accel/{name}/dev": "261:0"})
        place = directory.relative_to(tree.root).as_posix()
        tree.link(f"{place}/accel/{name}/device", place)
        tree.link(f"sys/class/accel/{name}", f"{place}/accel/{name}")
    return tree.host(node)


def mdev_parents(root: Path, node: str) -> Host:
    """A GPU with a mediated device of the larger of its types, a serial adapter that is none, a card we do not know."""
    tree = HostTree(root)
    gpu = tree.pci_function(PciRow(address=GPU, vendor="8086", product="1912", class_code=0x030000, driver="i915"))
    mdev_type(tree, gpu, "i915-GVTg_V5_4", available=1, made=("83b8f4f2-509f-382f-3c1e-e6bfe0fa1001",))
    mdev_type(tree, gpu, "i915-GVTg_V5_8", available=2)
    card = tree.pci_function(PciRow(address=UNKNOWN_PARENT, vendor="abcd", product="0001", class_code=0x020000))
    mdev_type(tree, card, "abcd-1", available=4)
    mtty = tree.root / "sys/devices/virtual/mtty/mtty"
    mdev_type(tree, mtty, "mtty-1", available=24, name="Single port serial")
    mdev_type(tree, mtty, "mtty-2", available=12, name="Dual port serial")
    for directory in (gpu, card, mtty):
        tree.link(f"sys/class/mdev_bus/{directory.name}", directory.relative_to(tree.root).as_posix())
    return tree.host(node)


def mdev_type(
    tree: HostTree, parent: Path, kind: str, *, available: int, name: str = "", made: tuple[str, ...] = ()
) -> None:
    """A type that a parent can make mediated devices of."""
    write(
        tree,
        parent / "mdev_supported_types" / kind,
        {
            "available_instances": str(available),
            "device_api": "vfio-pci",
            **({"name": name} if name else {}),
            **{f"devices/{uuid}/remove": "" for uuid in made},
        },
    )


def write(tree: HostTree, directory: Path, attributes: Mapping[str, str]) -> None:
    """Attributes of a directory that a tree has made."""
    for name, value in attributes.items():
        tree.write(f"{directory.relative_to(tree.root).as_posix()}/{name}", f"{value}\n")


BUILDERS: Mapping[str, Callable[[Path, str], Host]] = {
    "accel-class": accel_class,
    "ascend": ascend,
    "mdev-parents": mdev_parents,
    "two-qats": two_qats,
}
