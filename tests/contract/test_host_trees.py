"""What the drivers make of hosts that were captured on real machines, or composed as such.

The expected results are the readings that come with the trees (``oracle.json``), or what is known of the machine.
"""

import json
from collections import Counter
from typing import Any

import pytest
from support.discovery import NODE, devices, discover
from support.host_trees import HOSTS, captured

from accel.drivers.base import Host
from accel.drivers.nvme import NvmeDriver
from accel.drivers.nvme.subsystems import drives
from accel.drivers.pci import PciDriver
from accel.drivers.sysfs import PciFunction, pci_functions
from accel.model.device import Deployable, DeployableKind, Device, Health, LinkKind
from accel.model.validate import problems
from accel.testing.driver_contract import options

GCD_BUSES = bytes.fromhex("0e111619 4e515659 8f92979a cfd2d7da")

FOUND: dict[str, dict[str, str]] = {
    "fpga-a10-dfl": {"0000:05:00.0": "intel_fpga FPGA 8086:09c4"},
    "fpga-a10-oldriver": {"0000:05:00.0": "intel_fpga FPGA 8086:09c4"},
    "fpga-d5005-dfl": {"0000:05:00.0": "intel_fpga FPGA 8086:0b2b"},
    "fpga-n3000-dfl": {"0000:05:00.0": "intel_fpga FPGA 8086:0b30"},
    "fpga-n6000-sku0": {"0000:01:00.0": "intel_fpga FPGA 8086:bcce"},
    "fpga-xilinx-alveo": {
        "0000:04:00.0": "xilinx_fpga FPGA 10ee:5000",
        "0000:81:00.0": "xilinx_fpga FPGA 10ee:5004",
        "0000:c1:00.0": "xilinx_fpga FPGA 10ee:d004",
    },
    "ghw-accel": {"0000:00:04.0": "pci PCI 1b36:0005"},
    "ghw-accel-nvidia": {"0000:06:00.0": "nvidia GPU 10de:15f8"},
    "hwloc-fakelocality": {},
    "intel-gpu-fake": {
        "0000:0f:00.0": "intel_gpu GPU 8086:56c0",
        "0000:af:00.0": "intel_gpu GPU 8086:0bd5",
        "0000:cf:00.0": "intel_gpu GPU 8086:e211",
        "0000:d1:00.0": "intel_gpu GPU 8086:56c1",
    },
    "kfd-mi210x8": {
        f"0000:{bus}:00.0": "amd_gpu GPU 1002:740f" for bus in ("03", "26", "43", "63", "83", "a3", "c3", "e3")
    },
    "kfd-mi25x2": {"0000:19:00.0": "amd_gpu GPU 1002:6860", "no address": "amd_gpu GPU 1002:6860"},
    "mi250x-16gcd": {f"0000:{bus:02x}:00.0": "amd_gpu GPU 1002:740c" for bus in GCD_BUSES},
    "nvme-power10-multipath": {
        "0214:90:00.0": "nvme NVME unknown:unknown",
        "052e:78:00.0": "nvme NVME unknown:unknown",
    },
    "qemu-2numa-boot": {"0000:24:00.0": "nvme NVME 1b36:0010", "0000:81:00.0": "nvme NVME 1b36:0010"},
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
    assert {path.name for path in HOSTS.iterdir() if path.is_dir()} == set(FOUND)


@pytest.mark.parametrize("tree", FOUND)
def test_devices_are_found_where_they_are_and_nothing_else_is(tree: str) -> None:
    by_driver = discover(captured(tree))

    told = [(driver, device) for driver, mine in by_driver.items() for device in mine]
    assert len(told) == len(FOUND[tree])
    assert {
        str(device.address or "no address"): f"{driver} {device.type} {device.vendor}:{device.product}"
        for driver, device in told
    } == FOUND[tree]


@pytest.mark.parametrize("tree", WITH_ORACLE)
def test_devices_are_told_as_an_independent_reader_read_their_functions(tree: str) -> None:
    """Each function belongs to one device at most, and the device says of its own what was read there."""
    read = {function["bdf"]: function for function in oracle(tree).get("accel", [])}
    found = devices(captured(tree))

    owners = Counter(str(address) for device in found for address in device.functions)
    assert [address for address, count in owners.items() if count > 1] == []
    for device in found:
        function = read.get(str(device.address))
        if function:
            assert as_read(device) == {key: function.get(key) for key in as_read(device)}


def as_read(device: Device) -> dict[str, str | None]:
    """A device in the words of the independent reading."""
    facts = device.std_board_info
    return {
        "vendor": f"0x{device.vendor}",
        "device": f"0x{device.product}",
        "cls": facts.get("class"),
        "driver": device.kernel_driver,
        "iommu": facts.get("iommu_group"),
        "totalvfs": facts.get("total_virtual_functions"),
        "sub": facts.get("subsystem_id"),
    }


@pytest.mark.parametrize("tree", [tree for tree in WITH_ORACLE if "fpga_boards" in oracle(tree)])
def test_boards_of_fpgas_are_told_as_an_independent_reader_read_them(tree: str) -> None:
    boards = [board_as_read(device) for device in discover(captured(tree))["intel_fpga"]]

    assert boards == [
        {
            "bdf": board["bdf"],
            "fme": {key: value for key, value in board["fme"].items() if key != "name"},
            "nodes": [board["fme"]["name"], *(port["name"] for port in board["ports"])],
            "afu_ids": [port["afu_id"] for port in board["ports"]],
            "totalvfs": board["pci"]["totalvfs"],
            "numa": None if board["pci"]["numa"] in (None, "-1") else int(board["pci"]["numa"]),
        }
        for board in oracle(tree)["fpga_boards"]
    ]


def board_as_read(device: Device) -> dict[str, Any]:
    info = device.std_board_info
    regions = [part for part in device.deployables if part.kind is DeployableKind.REGION]
    attributes = [{attribute.key: attribute.value for attribute in region.attributes} for region in regions]
    names = ("bitstream_id", "bitstream_metadata", "ports_num", "socket_id")
    return {
        "bdf": str(device.address),
        "fme": {**{name: info[name] for name in names}, "interface_id": attributes[0]["interface_id"]},
        "nodes": [node.removeprefix("/dev/") for node in info["device_nodes"].split(", ")],
        "afu_ids": [facts.get("afu_id") for facts in attributes],
        "totalvfs": info.get("total_virtual_functions"),
        "numa": device.numa_node,
    }


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
    found = devices(captured("mi250x-16gcd"))
    assert Counter(device.numa_node for device in found) == {0: 4, 1: 4, 2: 4, 3: 4}


def test_a_gpu_bound_to_vfio_is_reported_with_its_driver_and_group() -> None:
    *others, flex_140 = devices(captured("intel-gpu-fake"))
    assert flex_140.kernel_driver == "vfio-pci"
    assert flex_140.std_board_info["iommu_group"] == "42"
    assert "device_nodes" not in flex_140.std_board_info
    assert [device.kernel_driver for device in others] == ["i915", "i915", "xe"]
    assert others[2].std_board_info["device_nodes"] == "/dev/dri/card2, /dev/dri/renderD130"


def test_a_board_of_an_fpga_is_one_device_however_many_functions_it_has() -> None:
    (board,) = devices(captured("fpga-n6000-sku0"))
    assert board.model == "Open FPGA Stack board N6000"
    assert board.std_board_info["functions"] == "0000:01:00.0, 0000:01:00.1, 0000:01:00.2, 0000:01:00.4"
    assert [dict(handle.info)["function"] for handle in card(board).handles] == ["0"]


def test_an_alveo_board_is_offered_with_both_functions_to_one_workload() -> None:
    u200, u250, golden = devices(captured("fpga-xilinx-alveo"))
    assert [card(board).num_accelerators for board in (u200, u250, golden)] == [1, 1, 0]
    assert [[handle.info["function"] for handle in card(board).handles] for board in (u200, u250)] == [["0", "1"]] * 2
    assert [board.numa_node for board in (u200, u250, golden)] == [0, 1, None]
    assert [board.serial for board in (u200, u250, golden)] == ["2129048BF05B", "2130129CS00X", None]


def test_the_shell_and_the_image_of_an_alveo_board_are_told() -> None:
    u200, u250, _ = devices(captured("fpga-xilinx-alveo"))
    assert (u200.std_board_info["vbnv"], u200.std_board_info["timestamp"]) == (
        "xilinx_u200_xdma_201830_2",
        "1561465320",
    )
    assert u200.std_board_info["device_nodes"] == "/dev/xclmgmt1024, /dev/dri/card0, /dev/dri/renderD128"
    assert "xclbin_uuid" not in u200.std_board_info
    assert u250.std_board_info["xclbin_uuid"] == "54754387411c4c168265245b0241d0a2"
    assert u250.std_board_info["interface_uuid"] == "937ed70867cf3350bc063304053f4293"
    assert {"CUSTOM_FPGA_XILINX", "CUSTOM_FPGA_PRODUCT_ID_5004"} < set(facts(u250).values())


def test_an_alveo_board_with_the_image_of_the_factory_is_unhealthy_until_it_is_flashed() -> None:
    golden = devices(captured("fpga-xilinx-alveo"))[2]
    assert (golden.model, golden.health) == ("Alveo U250 with golden image", Health.UNHEALTHY)
    assert "flash a shell" in golden.reason


def test_without_their_own_driver_the_management_function_of_a_board_is_offered_to_nobody() -> None:
    offered = {str(device.address): card(device).num_accelerators for device in look(PciDriver, "fpga-xilinx-alveo")}
    assert offered == {"0000:04:00.0": 0, "0000:04:00.1": 1, "0000:81:00.0": 0, "0000:81:00.1": 1, "0000:c1:00.0": 0}


def test_gpus_that_are_connected_over_xgmi_are_four_and_four() -> None:
    found = devices(captured("kfd-mi210x8"))
    sets = {frozenset((device.identity, *(link.peer for link in device.links))) for device in found}
    assert sorted(map(len, sets)) == [4, 4]
    assert {link.kind for device in found for link in device.links} == {LinkKind.XGMI}


def test_two_gpus_at_one_address_are_two_devices_of_which_one_is_offered() -> None:
    first, second = devices(captured("kfd-mi25x2"))
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
    assert double.std_board_info["functions"] == "052e:78:00.0, 058e:78:00.0"
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
