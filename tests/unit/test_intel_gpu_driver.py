"""The intel_gpu driver: what i915 and xe tell of a GPU."""

from pathlib import Path

import pytest
from support.parts import facts, handed_out

from accel.drivers.intel_gpu import IntelGpuDriver
from accel.model.device import Device
from accel.model.validate import problems
from accel.testing import HostTree, PciRow, options

CARD = "0000:af:00.0"


@pytest.fixture
def tree(tmp_path: Path) -> HostTree:
    return HostTree(tmp_path)


def look(tree: HostTree) -> list[Device]:
    found = list(IntelGpuDriver(tree.host(), options(IntelGpuDriver)).discover())
    assert problems(found, node="node-1") == []
    return found


def gpu(tree: HostTree, driver: str, **files: str) -> None:
    row = PciRow(address=CARD, vendor="8086", product="0bd5", class_code=0x038000, driver=driver)
    directory = tree.pci_function(row).relative_to(tree.root).as_posix()
    for name, text in files.items():
        tree.write(f"{directory}/{name.replace('__', '/')}", text)


def test_tiles_and_their_memory_are_told_by_xe(tree: HostTree) -> None:
    gpu(tree, "xe", tile0__physical_vram_size_bytes="0x1000\n", tile1__physical_vram_size_bytes="0x1000\n")
    (device,) = look(tree)
    assert (device.std_board_info["tiles"], facts(device.deployables[0])["memory_bytes"]) == ("2", "8192")


def test_memory_is_told_by_i915(tree: HostTree) -> None:
    gpu(tree, "i915", drm__card1__lmem_total_bytes="0x2000\n", drm__card1__gt__gt0__id="0\n")
    (device,) = look(tree)
    assert facts(device.deployables[0])["memory_bytes"] == "8192"
    assert device.std_board_info["device_nodes"] == "/dev/dri/card1"


def test_virtual_functions_are_offered_in_place_of_the_gpu(tree: HostTree) -> None:
    gpu(tree, "i915")
    row = PciRow(address="0000:af:00.1", vendor="8086", product="0bd5", class_code=0x038000)
    tree.virtual_function(row, of=CARD)
    card, pool = look(tree)[0].deployables
    assert (handed_out(card), handed_out(pool)) == ([], ["0000:af:00.1"])


def test_the_display_of_the_console_is_not_offered(tree: HostTree) -> None:
    gpu(tree, "i915", boot_vga="1\n")
    card = look(tree)[0].deployables[0]
    assert (handed_out(card), facts(card)["in_use_by_host"]) == ([], "console")


def test_other_functions_of_intel_are_none_of_its_business(tree: HostTree) -> None:
    for bus, product, code in (("01", "37c8", 0x0B4000), ("02", "09c4", 0x120000), ("03", "1234", 0x060400)):
        tree.pci_function(PciRow(address=f"0000:{bus}:00.0", vendor="8086", product=product, class_code=code))
    assert look(tree) == []
