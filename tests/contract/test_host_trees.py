"""What the drivers make of hosts that were captured on real machines, or composed as such.

The expected results are the readings that come with the trees (``oracle.json``), or what is known of the machine.
"""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from support.host_trees import HOSTS, captured

from accel.drivers.base import Driver, Host
from accel.drivers.fake import FakeDriver
from accel.drivers.nvme import NvmeDriver
from accel.drivers.nvme.subsystems import drives
from accel.drivers.pci import PciDriver
from accel.drivers.sysfs import PciFunction, pci_functions
from accel.model.device import Deployable, DeployableKind, Device, Health
from accel.model.validate import problems
from accel.testing.driver_contract import DriverContract, options

NODE = "node-1"

GCD_BUSES = bytes.fromhex("0e111619 4e515659 8f92979a cfd2d7da")

ACCELERATORS = {
    "fpga-a10-dfl": {"0000:05:00.0": "FPGA 8086:09c4"},
    "fpga-a10-oldriver": {"0000:05:00.0": "FPGA 8086:09c4"},
    "fpga-d5005-dfl": {"0000:05:00.0": "FPGA 8086:0b2b"},
    "fpga-n3000-dfl": {"0000:05:00.0": "FPGA 8086:0b30"},
    "fpga-n6000-sku0": {f"0000:01:00.{number}": "FPGA 8086:bcce" for number in (0, 1, 2, 4)},
    "fpga-xilinx-alveo": {
        "0000:04:00.0": "FPGA 10ee:5000",
        "0000:04:00.1": "FPGA 10ee:5001",
        "0000:81:00.0": "FPGA 10ee:5004",
        "0000:81:00.1": "FPGA 10ee:5005",
        "0000:c1:00.0": "FPGA 10ee:d004",
    },
    "ghw-accel": {"0000:00:04.0": "PCI 1b36:0005"},
    "ghw-accel-nvidia": {"0000:06:00.0": "GPU 10de:15f8"},
    "hwloc-fakelocality": {},
    "intel-gpu-fake": {
        "0000:0f:00.0": "GPU 8086:56c0",
        "0000:af:00.0": "GPU 8086:0bd5",
        "0000:cf:00.0": "GPU 8086:e211",
        "0000:d1:00.0": "GPU 8086:56c1",
    },
    "kfd-mi210x8": {f"0000:{bus}:00.0": "GPU 1002:740f" for bus in ("03", "26", "43", "63", "83", "a3", "c3", "e3")},
    "kfd-mi25x2": {"0000:19:00.0": "GPU 1002:6860", "no address": "GPU 1002:6860"},
    "mi250x-16gcd": {f"0000:{bus:02x}:00.0": "GPU 1002:740c" for bus in GCD_BUSES},
    "nvme-power10-multipath": {},
    "qemu-2numa-boot": {},
}
"""What is at which address, by host. Displays of virtual machines and consoles of servers are no accelerators."""

WITH_ORACLE = sorted(path.parent.name for path in HOSTS.glob("*/oracle.json"))


def look(driver: type[PciDriver | NvmeDriver], tree: str) -> list[Device]:
    found = list(driver(Host(name=NODE, root=captured(tree)), options(driver)).discover())
    assert problems(found, node=NODE) == []
    return found


def oracle(tree: str) -> dict[str, Any]:
    reading: dict[str, Any] = json.loads((HOSTS / tree / "oracle.json").read_text())
    return reading


def card(device: Device) -> Deployable:
    return device.deployables[0]


def facts(device: Device) -> dict[str, str]:
    return {attribute.key: attribute.value for attribute in card(device).attributes}


def test_every_captured_host_has_an_expected_result() -> None:
    assert {path.name for path in HOSTS.iterdir() if path.is_dir()} == set(ACCELERATORS)


@pytest.mark.parametrize("tree", ACCELERATORS)
def test_accelerators_are_found_where_they_are_and_nothing_else_is(tree: str) -> None:
    found = look(PciDriver, tree)
    assert len(found) == len(ACCELERATORS[tree])
    assert {str(d.address or "no address"): f"{d.type} {d.vendor}:{d.product}" for d in found} == ACCELERATORS[tree]
    assert all(device.health is Health.HEALTHY for device in found if device.address)


def as_oracle(function: PciFunction) -> dict[str, Any]:
    """A function in the words of the independent reading, which has the raw text of sysfs."""
    raw = {name: (function.path / name) for name in ("numa_node", "class")}
    return {
        "bdf": str(function.address),
        "vendor": f"0x{function.vendor}",
        "device": f"0x{function.product}",
        "cls": f"0x{function.class_code:06x}" if raw["class"].exists() else None,
        "numa": str(-1 if function.numa_node is None else function.numa_node) if raw["numa_node"].exists() else None,
        "sub": f"0x{function.subsystem_vendor}:0x{function.subsystem_product}" if function.subsystem_vendor else None,
        "driver": function.kernel_driver,
        "iommu": None if function.iommu_group is None else str(function.iommu_group),
        "speed": function.link_speed or None,
        "width": None if function.link_width is None else str(function.link_width),
        "totalvfs": str(function.total_virtual_functions) if function.total_virtual_functions else None,
        "pci_path": "/".join(function.pci_path),
    }


@pytest.mark.parametrize("tree", WITH_ORACLE)
def test_pci_functions_read_as_an_independent_reader_reads_them(tree: str) -> None:
    functions = {str(function.address): function for function in pci_functions(Host(name=NODE, root=captured(tree)))}
    for expected in oracle(tree).get("accel", []):
        read = as_oracle(functions[expected["bdf"]])
        bridges = expected["path"].removeprefix("sys/devices/").rpartition("/")[0]
        assert read == {**dict.fromkeys(read), **{k: v for k, v in expected.items() if k in read}, "pci_path": bridges}


@pytest.mark.parametrize("tree", [tree for tree in WITH_ORACLE if oracle(tree)["pci_total"]])
def test_all_pci_functions_are_counted_by_class(tree: str) -> None:
    functions = pci_functions(Host(name=NODE, root=captured(tree)))
    classes = Counter("?" if f.base_class is None else f"0x{f.base_class:04x}" for f in functions)
    assert classes == oracle(tree)["by_class"]


def test_numa_nodes_are_those_that_the_host_says() -> None:
    functions = pci_functions(Host(name=NODE, root=captured("hwloc-fakelocality")))
    of_buses = {(function.address.bus & 0xC0, function.numa_node) for function in functions}
    assert of_buses == {(0x00, 0), (0x40, 1), (0x80, 2), (0xC0, 3)}


@pytest.mark.parametrize("tree", [tree for tree in WITH_ORACLE if "nvme" in oracle(tree)])
def test_nvme_controllers_read_as_an_independent_reader_reads_them(tree: str) -> None:
    read = {
        controller.name: {
            "name": controller.name,
            "serial": drive.serial,
            "model": drive.model,
            "fw": drive.firmware,
            "transport": controller.transport,
            "address": str(controller.address),
            "state": controller.state,
            "numa": str(controller.numa_node),
        }
        for drive in drives(Host(name=NODE, root=captured(tree)))
        for controller in drive.controllers
    }
    expected = {one["name"]: {key: one[key] for key in read[one["name"]]} for one in oracle(tree)["nvme"]}
    assert read == expected


def test_sixteen_gcds_are_four_on_each_numa_node() -> None:
    found = look(PciDriver, "mi250x-16gcd")
    assert Counter(device.numa_node for device in found) == {0: 4, 1: 4, 2: 4, 3: 4}


def test_a_gpu_bound_to_vfio_is_reported_with_its_driver_and_group() -> None:
    flex_140 = look(PciDriver, "intel-gpu-fake")[3]
    assert flex_140.kernel_driver == "vfio-pci"
    assert flex_140.std_board_info["iommu_group"] == "42"
    assert [device.kernel_driver for device in look(PciDriver, "intel-gpu-fake")[:3]] == ["i915", "i915", "xe"]


def test_the_management_function_of_a_board_is_offered_to_nobody() -> None:
    offered = {str(device.address): card(device).num_accelerators for device in look(PciDriver, "fpga-xilinx-alveo")}
    assert offered == {"0000:04:00.0": 0, "0000:04:00.1": 1, "0000:81:00.0": 0, "0000:81:00.1": 1, "0000:c1:00.0": 0}


def test_two_gpus_at_one_address_are_two_devices_of_which_one_is_offered() -> None:
    first, second = look(PciDriver, "kfd-mi25x2")
    assert (first.identity, str(first.address)) == ("serial:c34ec50444dd0a6c", "0000:19:00.0")
    assert (first.health, card(first).num_accelerators) == (Health.HEALTHY, 1)
    assert (second.identity, second.address) == ("serial:c34ec50444dd0a6d", None)
    assert (second.health, card(second).num_accelerators) == (Health.UNKNOWN, 0)
    assert second.reason.startswith("KFD names a second GPU at the same PCI address 0000:19:00.0")
    assert card(second).name == "node-1_c34ec50444dd0a6d"
    assert facts(second) == facts(first)


def test_a_drive_with_two_controllers_is_one_device() -> None:
    single, double = look(NvmeDriver, "nvme-power10-multipath")
    assert (single.identity, str(single.address), single.numa_node) == ("serial:S7DFNG0W700063", "0214:90:00.0", 1)
    assert (double.identity, str(double.address), double.numa_node) == ("serial:S6RTNE0R900057", "052e:78:00.0", 0)
    assert double.std_board_info["controllers"] == "052e:78:00.0, 058e:78:00.0"
    assert [single.model, double.model] == ["3.2TB NVMe Gen4 U.2 SSD V", "3.2TB NVMe Gen4 U.2 SSD III"]
    assert [handle.info["domain"] for handle in card(double).handles] == ["052e"]


def test_ways_to_a_namespace_are_no_namespaces() -> None:
    single, double = drives(Host(name=NODE, root=captured("nvme-power10-multipath")))
    assert [namespace.name for namespace in single.namespaces] == ["nvme0n1"]
    assert [namespace.name for namespace in double.namespaces] == ["nvme1n1"]


def test_drives_are_known_by_serial_whatever_the_kernel_numbers_them() -> None:
    first, second = look(NvmeDriver, "qemu-2numa-boot")
    assert (first.serial, str(first.address), first.numa_node) == ("QEMUNVME0001", "0000:24:00.0", 0)
    assert (second.serial, str(second.address), second.numa_node) == ("QEMUNVME0002", "0000:81:00.0", 1)
    assert second.std_board_info["total_virtual_functions"] == "4"
    assert [part.name for part in second.deployables if part.kind is DeployableKind.NAMESPACE] == [
        "node-1_0000:81:00.0_ns1",
        "node-1_0000:81:00.0_ns3",
    ]
    assert facts(second)["capacity_bytes"] == str(320 << 20)


class TestPciDriver(DriverContract):
    trees = tuple(captured(tree) for tree in ("intel-gpu-fake", "fpga-xilinx-alveo", "kfd-mi210x8", "kfd-mi25x2"))

    def make_driver(self, host: Host) -> Driver:
        return PciDriver(host, options(PciDriver))


class TestNvmeDriver(DriverContract):
    trees = (captured("nvme-power10-multipath"),)

    def make_driver(self, host: Host) -> Driver:
        return NvmeDriver(host, options(NvmeDriver))


class TestFakeDriver(DriverContract):
    trees: tuple[Path, ...] = ()

    def make_driver(self, host: Host) -> Driver:
        return FakeDriver(host, options(FakeDriver))
