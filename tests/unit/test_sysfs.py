"""Reading sysfs: whatever an attribute is like, a discovery goes on."""

import os
from pathlib import Path

import pytest

from accel.drivers.base import Host
from accel.drivers.sysfs import PciFunction, Reading, link_name, names_in, pci_functions, read, read_numa_node
from accel.model.address import PciAddress
from accel.testing.host_tree import HostTree, PciRow

CARD = "0000:81:00.0"
BUS = "sys/bus/pci/devices"


@pytest.fixture
def tree(tmp_path: Path) -> HostTree:
    return HostTree(tmp_path)


def only_function(tree: HostTree) -> PciFunction:
    (function,) = pci_functions(tree.host())
    return function


def test_a_missing_attribute_says_nothing(tmp_path: Path) -> None:
    assert read(tmp_path / "numa_node") == Reading()


def test_an_attribute_below_a_file_says_nothing(tree: HostTree) -> None:
    assert read(tree.write("vendor", "0x8086") / "name") == Reading()


def test_a_dangling_link_says_nothing(tree: HostTree) -> None:
    assert read(tree.link("vendor", "nowhere")) == Reading()


def test_a_loop_of_links_says_nothing(tree: HostTree) -> None:
    assert read(tree.link("loop", "loop")) == Reading()


def test_an_empty_attribute_says_nothing(tree: HostTree) -> None:
    assert read(tree.write("label", "\n")) == Reading()


def test_an_attribute_that_fails_says_why(tree: HostTree) -> None:
    assert read(tree.unreadable("vendor")).problem == "Is a directory"


def test_an_attribute_that_opens_and_fails_in_reading_says_why() -> None:
    assert read(Path("/proc/self/mem")).problem == "Input/output error"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_attribute_without_permission_says_why(tree: HostTree) -> None:
    file = tree.write("unique_id", "1")
    file.chmod(0)
    assert read(file).problem == "Permission denied"


def test_bytes_that_are_no_text_are_read(tree: HostTree) -> None:
    file = tree.write("serial", "")
    file.write_bytes(b"S\xff1 \0\n")
    assert read(file).text == "S\N{REPLACEMENT CHARACTER}1"


@pytest.mark.parametrize(
    ("text", "number"),
    [("7", 7), ("0x1f", 31), ("-1", -1), ("", None), ("(null)", None), ("0b", None)],
)
def test_a_number_is_decimal_or_has_a_prefix(text: str, number: int | None) -> None:
    assert Reading(text).number == number


@pytest.mark.parametrize(
    ("text", "node"), [("0", 0), ("250", 250), ("-1", None), ("18446744073709551615", None), ("", None), ("x", None)]
)
def test_an_unknown_numa_node_is_never_zero(tree: HostTree, text: str, node: int | None) -> None:
    assert read_numa_node(tree.write("numa_node", text)) == node


def test_no_numa_file_is_an_unknown_node(tmp_path: Path) -> None:
    assert read_numa_node(tmp_path / "numa_node") is None


def test_what_is_no_link_has_no_name(tree: HostTree) -> None:
    assert link_name(tree.write("driver", "")) is None


def test_a_directory_that_is_missing_is_empty(tmp_path: Path) -> None:
    assert names_in(tmp_path / "virtual") == []


def test_functions_come_in_the_order_of_their_addresses(tree: HostTree) -> None:
    for address in ("10000:01:00.0", "0000:81:00.0", "0000:81:00.2", "0000:05:00.0"):
        tree.pci_function(PciRow(address=address))
    found = [str(function.address) for function in pci_functions(tree.host())]
    assert found == ["0000:05:00.0", "0000:81:00.0", "0000:81:00.2", "10000:01:00.0"]


def test_without_a_listed_bus_functions_are_found_below_their_host_bridges(tree: HostTree) -> None:
    tree.pci_function(PciRow(address="0000:80:00.0", class_code=0x060400))
    tree.pci_function(PciRow(address=CARD, above="0000:80:00.0"))
    listed = pci_functions(tree.host())
    for link in (tree.root / BUS).iterdir():
        link.unlink()
    (tree.root / BUS).rmdir()
    assert pci_functions(tree.host()) == listed


def test_a_host_without_pci_has_no_functions(tmp_path: Path) -> None:
    assert pci_functions(Host(name="node-1", root=tmp_path)) == []


def test_absolute_links_of_a_captured_bus_stay_in_its_tree(tree: HostTree) -> None:
    tree.pci_function(PciRow(address=CARD, vendor="1002"))
    link = tree.root / BUS / CARD
    link.unlink()
    link.symlink_to(f"/sys/devices/pci0000:81/{CARD}")
    assert only_function(tree).vendor == "1002"


def test_names_on_the_bus_that_are_no_addresses_are_passed_over(tree: HostTree) -> None:
    tree.write(f"{BUS}/README", "")
    assert pci_functions(tree.host()) == []


def test_ids_that_cannot_be_read_are_named(tree: HostTree) -> None:
    directory = tree.pci_function(PciRow(address=CARD, vendor=None))
    tree.unreadable(str((directory / "vendor").relative_to(tree.root)))
    function = only_function(tree)
    assert (function.vendor, function.product) == ("", "0001")
    assert function.problems == ("vendor: Is a directory",)


def test_the_path_names_the_host_bridge_and_the_bridges_down_to_the_function(tree: HostTree) -> None:
    tree.pci_function(PciRow(address="0000:80:00.0", class_code=0x060400))
    tree.pci_function(PciRow(address=CARD, above="0000:80:00.0"))
    assert pci_functions(tree.host())[1].pci_path == ("pci0000:80", "0000:80:00.0")


def test_virtual_functions_are_counted_as_numbers_and_found_by_their_links(tree: HostTree) -> None:
    tree.pci_function(PciRow(address="0000:84:00.0"))
    addresses = [f"0000:84:{0x10 + number // 4:02x}.{number % 4 * 2}" for number in range(12)]
    for address in addresses:
        tree.virtual_function(PciRow(address=address), of="0000:84:00.0")
    physical, first, *_ = pci_functions(tree.host())
    assert [str(address) for address in physical.virtual_functions] == addresses
    assert first.physical_function == physical.address
    assert physical.physical_function is None


@pytest.mark.parametrize("width", ["0", "63", "255", ""])
def test_a_link_that_is_down_has_no_width_and_no_speed(tree: HostTree, width: str) -> None:
    down = {"current_link_width": width, "current_link_speed": "Unknown"}
    tree.pci_function(PciRow(address=CARD, attributes=down))
    assert (only_function(tree).link_width, only_function(tree).link_speed) == (None, "")


def test_a_function_whose_ids_are_all_ones_is_gone(tree: HostTree) -> None:
    tree.pci_function(PciRow(address=CARD, vendor="ffff", product="ffff"))
    assert only_function(tree).is_gone


def test_a_function_that_answers_all_ones_is_gone_although_the_kernel_remembers_its_ids(tree: HostTree) -> None:
    directory = tree.pci_function(PciRow(address=CARD))
    (directory / "config").write_bytes(b"\xff" * 64)
    assert only_function(tree).is_gone
    (directory / "config").write_bytes(b"\x86\x80" + b"\0" * 62)
    assert not only_function(tree).is_gone


def test_a_virtual_function_is_not_gone_though_its_vendor_reads_all_ones(tree: HostTree) -> None:
    tree.pci_function(PciRow(address=CARD))
    directory = tree.virtual_function(PciRow(address="0000:81:00.1"), of=CARD)
    (directory / "config").write_bytes(b"\xff" * 64)
    assert [function.is_gone for function in pci_functions(tree.host())] == [False, False]


def test_a_sleeping_function_is_not_woken_to_see_whether_it_is_gone(tree: HostTree) -> None:
    directory = tree.pci_function(PciRow(address=CARD, attributes={"power/runtime_status": "suspended"}))
    (directory / "config").write_bytes(b"\xff" * 64)
    assert not only_function(tree).is_gone


def test_an_iommu_group_is_a_number_or_unknown(tree: HostTree) -> None:
    tree.pci_function(PciRow(address=CARD, iommu_group=42))
    tree.pci_function(PciRow(address="0000:82:00.0"))
    assert [function.iommu_group for function in pci_functions(tree.host())] == [42, None]


def test_removing_a_bridge_removes_what_hangs_on_it(tree: HostTree) -> None:
    tree.pci_function(PciRow(address="0000:80:00.0", class_code=0x060400))
    tree.pci_function(PciRow(address=CARD, above="0000:80:00.0"))
    tree.pci_function(PciRow(address="0000:90:00.0"))
    tree.remove("0000:80:00.0")
    assert [function.address for function in pci_functions(tree.host())] == [PciAddress(0, 0x90, 0, 0)]
