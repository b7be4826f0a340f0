"""The amd_gpu driver: a GPU that is shown as a PCI function, as a display and by KFD is one device."""

from pathlib import Path

import pytest
from support.parts import facts, handed_out, trait_names

from accel.drivers.amd_gpu import AmdGpuDriver
from accel.errors import ActNotSupported, LayoutImpossible
from accel.model.device import DeployableKind, Device, Link, LinkKind
from accel.model.partition import Cut
from accel.model.partition_facts import read_facts
from accel.model.validate import problems
from accel.testing import HostTree, PciRow, options

CARD, OTHER = "0001:26:00.0", "0001:43:00.0"


@pytest.fixture
def tree(tmp_path: Path) -> HostTree:
    return HostTree(tmp_path)


def look(tree: HostTree) -> list[Device]:
    found = list(AmdGpuDriver(tree.host(), options(AmdGpuDriver)).discover())
    assert problems(found, node="node-1") == []
    return found


def gpu(tree: HostTree, address: str = CARD, **attributes: str) -> Path:
    row = PciRow(
        address=address, vendor="1002", product="74a1", class_code=0x120000, driver="amdgpu", attributes=attributes
    )
    return tree.pci_function(row)


def list_in_kfd(tree: HostTree, *gpus: tuple[int, int]) -> None:
    """Have KFD list a processor, then GPUs, each with its location and its unique id."""
    for number, (location, unique_id) in enumerate(gpus, start=1):
        lines = {
            "simd_count": 416,
            "vendor_id": 0x1002,
            "device_id": 0x74A1,
            "location_id": location,
            "domain": 1,
            "unique_id": unique_id,
            "drm_render_minor": 127 + number,
            "gfx_target_version": 90402,
        }
        text = "".join(f"{name} {value}\n" for name, value in lines.items())
        tree.write(f"sys/class/kfd/kfd/topology/nodes/{number}/properties", text)
    tree.write("sys/class/kfd/kfd/topology/nodes/0/properties", "cpu_cores_count 64\nsimd_count 0\n")


def connect(tree: HostTree, one: int, other: int, *, links: int) -> None:
    for number, (start, end) in enumerate(((one, other), (other, one))):
        text = f"type 11\nnode_from {start}\nnode_to {end}\nmin_bandwidth 50000\nmax_bandwidth {50000 * links}\n"
        tree.write(f"sys/class/kfd/kfd/topology/nodes/{start}/io_links/{number}/properties", text)


def test_a_gpu_is_known_by_its_unique_id_wherever_it_is(tree: HostTree) -> None:
    gpu(tree, unique_id="0x00000000000000ab")
    (device,) = look(tree)
    tree.remove(CARD)
    gpu(tree, OTHER, unique_id="ab")
    (moved,) = look(tree)
    assert device.identity == moved.identity == "serial:00000000000000ab"
    assert (str(device.address), str(moved.address)) == (CARD, OTHER)


def test_a_gpu_has_the_same_identity_whether_the_function_tells_it_or_kfd(tree: HostTree) -> None:
    directory = gpu(tree, unique_id="ab")
    (told,) = look(tree)
    (directory / "unique_id").unlink()
    list_in_kfd(tree, (0x2600, 0xAB))
    assert look(tree)[0].identity == told.identity


def test_what_the_kernel_driver_tells_is_reported(tree: HostTree) -> None:
    directory = gpu(tree, mem_info_vram_total="206141652992", product_name="AMD Instinct MI300X OAM")
    (directory / "drm/card1").mkdir(parents=True)
    (directory / "drm/renderD128").mkdir()
    list_in_kfd(tree, (0x2600, 0xAB))
    (device,) = look(tree)
    card = device.deployables[0]
    assert device.model == "AMD Instinct MI300X OAM"
    assert device.std_board_info["device_nodes"] == "/dev/dri/card1, /dev/dri/renderD128, /dev/kfd"
    assert facts(card)["memory_bytes"] == "206141652992"
    assert {"CUSTOM_GPU_AMD", "CUSTOM_GPU_PRODUCT_ID_74A1", "CUSTOM_GPU_AMD_GFX942"} == trait_names(card)


def test_a_gpu_in_partitions_offers_these_by_their_nodes_and_not_itself(tree: HostTree) -> None:
    gpu(tree, current_compute_partition="DPX", current_memory_partition="NPS1")
    list_in_kfd(tree, (0x2600, 7), (0x2601, 7))
    (device,) = look(tree)
    card, first, second = device.deployables
    assert (card.num_accelerators, device.std_board_info["compute_partition"]) == (0, "DPX")
    assert [part.kind for part in (first, second)] == [DeployableKind.PARTITION] * 2
    assert [handed_out(part) for part in (first, second)] == [["/dev/dri/renderD128"], ["/dev/dri/renderD129"]]
    assert second.handles[0].info["shared"] == "/dev/kfd"
    assert facts(second)["rc"] == "CUSTOM_GPU_AMD_PARTITION_DPX"
    assert [part.name.removeprefix(card.name) for part in (first, second)] == ["_partition0", "_partition1"]


def test_virtual_functions_are_offered_in_place_of_the_gpu(tree: HostTree) -> None:
    gpu(tree)
    tree.virtual_function(PciRow(address="0001:26:02.0", vendor="1002", product="74b5", class_code=0x038000), of=CARD)
    card, pool = look(tree)[0].deployables
    assert (handed_out(card), handed_out(pool), facts(pool)["rc"]) == ([], ["0001:26:02.0"], "VGPU")


def test_gpus_connected_over_xgmi_are_linked_with_the_number_of_links(tree: HostTree) -> None:
    gpu(tree)
    gpu(tree, OTHER)
    list_in_kfd(tree, (0x2600, 7), (0x4300, 8))
    connect(tree, 1, 2, links=2)
    first, second = look(tree)
    assert first.links == (Link(peer=second.identity, kind=LinkKind.XGMI, width=2),)
    assert second.links == (Link(peer=first.identity, kind=LinkKind.XGMI, width=2),)


def test_two_gpus_that_tell_the_same_unique_id_are_known_by_their_addresses(tree: HostTree) -> None:
    gpu(tree, unique_id="ab")
    gpu(tree, OTHER, unique_id="ab")
    assert [device.identity for device in look(tree)] == [f"pci:{CARD}", f"pci:{OTHER}"]


def test_the_console_is_not_offered(tree: HostTree) -> None:
    gpu(tree, boot_vga="1")
    card = look(tree)[0].deployables[0]
    assert (handed_out(card), facts(card)["in_use_by_host"]) == ([], "console")


def test_nonsense_in_the_list_of_kfd_is_left_out(tree: HostTree) -> None:
    gpu(tree)
    tree.write("sys/class/kfd/kfd/topology/nodes/1/properties", "simd_count 4\nlocation_id x\nunique_id -1\n\nabc\n")
    tree.write("sys/class/kfd/kfd/topology/nodes/readme/properties", "simd_count 4\n")
    assert [device.identity for device in look(tree)] == [f"pci:{CARD}"]


# Where the PCI bus is not to be seen.


def test_a_gpu_that_only_kfd_lists_is_known_by_its_unique_id(tree: HostTree) -> None:
    list_in_kfd(tree, (0x2600, 0xAB))
    (device,) = look(tree)
    assert (device.identity, device.serial, str(device.address)) == (
        "serial:00000000000000ab",
        "00000000000000ab",
        CARD,
    )


def test_partitions_of_a_gpu_that_only_kfd_lists_are_parts_of_one_device(tree: HostTree) -> None:
    list_in_kfd(tree, (0x2600, 7), (0x2601, 7), (0x4300, 8))
    first, second = look(tree)
    assert [len(first.deployables), len(second.deployables)] == [3, 1]
    assert [str(first.address), str(second.address)] == [CARD, OTHER]


def test_gpus_of_one_address_are_told_apart_however_kfd_numbers_them(tree: HostTree) -> None:
    list_in_kfd(tree, (0x4300, 8), (0x4300, 9))
    found = look(tree)
    list_in_kfd(tree, (0x4300, 9), (0x4300, 8))
    assert [device.identity for device in look(tree)] == [device.identity for device in found]
    assert [handed_out(device.deployables[0]) for device in found] == [[OTHER], []]
    assert [device.is_weakly_identified for device in found] == [False, False]


def test_gpus_of_one_address_without_a_unique_id_are_one_device_known_by_its_address(tree: HostTree) -> None:
    list_in_kfd(tree, (0x4300, 0), (0x4300, 0))
    assert [device.identity for device in look(tree)] == [f"pci:{OTHER}"]


# --- compute partitions ---


def silent(_message: str, _fraction: float | None = None) -> None:
    pass


def mi300(tree: HostTree, mode: str = "SPX", available: str = "SPX, DPX, QPX, CPX", dies: int = 8) -> Path:
    """A card of so many dies, with a node for each of its partitions."""
    directory = gpu(
        tree, unique_id="ab", current_compute_partition=f"{mode}\n", available_compute_partition=f"{available}\n"
    )
    count = {"SPX": 1, "DPX": 2, "QPX": 4, "CPX": dies}[mode]
    list_in_kfd(tree, *((0x2600 + number, 0xAB) for number in range(count)))
    for number in range(1, count + 1):
        path = tree.root / f"sys/class/kfd/kfd/topology/nodes/{number}/properties"
        path.write_text(f"{path.read_text()}num_xcc {dies // count}\n")
    return directory


def cut_of(device: Device) -> Cut:
    cut = read_facts(device.std_board_info)
    assert cut is not None
    return cut


def test_a_card_tells_which_compute_partitions_it_can_have(tree: HostTree) -> None:
    mi300(tree)
    (device,) = look(tree)
    assert device.std_board_info["partition_scheme"] == "compute_partition uniform"
    assert device.std_board_info["partition_profiles"] == "DPX 2x 0,4:4; QPX 4x 0,2,4,6:2; CPX 8x 0,1,2,3,4,5,6,7:1"
    assert cut_of(device).parts is None


def test_a_card_that_is_cut_tells_its_parts(tree: HostTree) -> None:
    mi300(tree, "DPX")
    (device,) = look(tree)
    assert device.std_board_info["partition_layout"] == "0=DPX@0; 1=DPX@4"


@pytest.mark.parametrize(("mode", "layout"), [("CPX", {"CPX": 8}), ("QPX", {"QPX": 4}), ("SPX", {})])
def test_the_switch_is_set_to_what_is_wanted(tree: HostTree, mode: str, layout: dict[str, int]) -> None:
    directory = mi300(tree, "DPX")
    (device,) = look(tree)
    AmdGpuDriver(tree.host(), options(AmdGpuDriver)).partition(device, layout, silent)
    assert (directory / "current_compute_partition").read_text().strip() == mode


def test_what_is_no_mode_of_the_card_is_refused_and_nothing_is_written(tree: HostTree) -> None:
    directory = mi300(tree, available="SPX, DPX")
    (device,) = look(tree)
    driver = AmdGpuDriver(tree.host(), options(AmdGpuDriver))
    for layout in ({"CPX": 8}, {"DPX": 1}, {"DPX": 2, "CPX": 4}):
        with pytest.raises(LayoutImpossible):
            driver.partition(device, layout, silent)
    assert (directory / "current_compute_partition").read_text().strip() == "SPX"


def test_a_card_without_partitions_is_not_cut(tree: HostTree) -> None:
    gpu(tree, unique_id="ab")
    (device,) = look(tree)
    with pytest.raises(ActNotSupported):
        AmdGpuDriver(tree.host(), options(AmdGpuDriver)).partition(device, {"CPX": 8}, silent)
