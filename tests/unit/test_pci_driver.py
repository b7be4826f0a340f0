"""The pci driver: which functions are devices, and what of them is offered."""

import json
from pathlib import Path

import pytest

from accel.drivers.pci import PciDriver
from accel.model.device import Deployable, DeployableKind, Device, Health, Presence
from accel.model.validate import problems
from accel.testing.driver_contract import options
from accel.testing.host_tree import HostTree, PciRow

CARD = "0000:81:00.0"


@pytest.fixture
def tree(tmp_path: Path) -> HostTree:
    return HostTree(tmp_path)


def look(tree: HostTree, *entries: object) -> list[Device]:
    whitelist = [json.dumps(entry) for entry in entries]
    found = list(PciDriver(tree.host(), options(PciDriver, passthrough_whitelist=whitelist)).discover())
    assert problems(found, node="node-1") == []
    return found


def only_device(tree: HostTree, *entries: object) -> Device:
    (device,) = look(tree, *entries)
    return device


def handed_out(part: Deployable) -> list[str]:
    return ["{domain}:{bus}:{device}.{function}".format(**handle.info) for handle in part.handles]


def facts(part: Deployable) -> dict[str, str]:
    return {attribute.key: attribute.value for attribute in part.attributes}


@pytest.mark.parametrize(
    ("row", "found"),
    [
        (PciRow(address=CARD, vendor="1002", product="0001", class_code=0x030000), "GPU PGPU CUSTOM_GPU_AMD"),
        (PciRow(address=CARD, vendor="1002", product="74a1", class_code=0x120000), "GPU PGPU CUSTOM_GPU_AMD"),
        (PciRow(address=CARD, vendor="10de", product="20b0", class_code=0x030200), "GPU PGPU CUSTOM_GPU_NVIDIA"),
        (PciRow(address=CARD, vendor="8086", product="0bd5", class_code=0x038000), "GPU PGPU CUSTOM_GPU_INTEL"),
        (PciRow(address=CARD, vendor="8086", product="09c4", class_code=None), "FPGA FPGA CUSTOM_FPGA_INTEL"),
        (PciRow(address=CARD, vendor="10ee", product="ffff", class_code=0x120000), "FPGA FPGA CUSTOM_FPGA_XILINX"),
        (PciRow(address=CARD, vendor="8086", product="37c8", class_code=0x0B4000), "QAT CUSTOM_QAT CUSTOM_QAT_INTEL"),
        (PciRow(address=CARD, vendor="8086", product="0b25", class_code=0x088000), "PCI CUSTOM_PCI CUSTOM_PCI_INTEL"),
        (PciRow(address=CARD, vendor="8086", product="7d1d"), "AICHIP CUSTOM_AICHIP CUSTOM_AICHIP_INTEL"),
        (PciRow(address=CARD, vendor="1da3", product="1020"), "AICHIP CUSTOM_AICHIP CUSTOM_AICHIP_HABANA"),
        (PciRow(address=CARD, vendor="19e5", product="d801"), "AICHIP CUSTOM_AICHIP CUSTOM_AICHIP_HUAWEI"),
        (PciRow(address=CARD, vendor="1ae0", product="0062"), "AICHIP CUSTOM_AICHIP CUSTOM_AICHIP_GOOGLE"),
        (PciRow(address=CARD, vendor="1d0f", product="7064"), "AICHIP CUSTOM_AICHIP CUSTOM_AICHIP_AMAZON"),
        (PciRow(address=CARD, vendor="1bcf", product="001c"), "AICHIP CUSTOM_AICHIP CUSTOM_AICHIP_NEC"),
        (PciRow(address=CARD, vendor="dead", product="0001"), "PCI CUSTOM_PCI CUSTOM_PCI_DEAD"),
    ],
    ids=lambda value: f"{value.vendor}-{value.product}" if isinstance(value, PciRow) else "",
)
def test_ids_and_class_tell_the_kind(tree: HostTree, row: PciRow, found: str) -> None:
    tree.pci_function(row)
    device = only_device(tree)
    card = facts(device.deployables[0])
    assert f"{device.type} {card['rc']} {card['traits1']}" == found


@pytest.mark.parametrize(
    ("vendor", "class_code", "what"),
    [
        ("1af4", 0x030000, "virtio VGA"),
        ("1af4", 0x120000, "virtio on a card of accelerators"),
        ("1b36", 0x030000, "QXL"),
        ("1234", 0x038000, "bochs"),
        ("15ad", 0x030000, "VMware SVGA"),
        ("1a03", 0x030000, "console of a management processor"),
        ("102b", 0x030000, "console of a management processor"),
        ("1022", 0x108000, "the security processor of every AMD host"),
        ("10de", 0x068000, "NVSwitch"),
        ("10de", 0x040300, "audio of a GPU"),
        ("8086", 0x088000, "a part of the chipset"),
        ("144d", 0x010802, "an NVMe drive"),
        ("8086", 0x060400, "a bridge"),
    ],
)
def test_what_looks_like_an_accelerator_and_is_none(tree: HostTree, vendor: str, class_code: int, what: str) -> None:
    tree.pci_function(PciRow(address=CARD, vendor=vendor, product="0fff", class_code=class_code))
    assert look(tree) == [], what


def test_virtual_functions_are_parts_of_their_physical_function(tree: HostTree) -> None:
    tree.pci_function(PciRow(address=CARD, vendor="8086", product="56c0", class_code=0x038000))
    for function in ("2", "4", "6"):
        row = PciRow(address=f"0000:81:00.{function}", vendor="8086", product="56c0", class_code=0x038000)
        tree.virtual_function(row, of=CARD)
    card, pool = only_device(tree).deployables
    assert (card.num_accelerators, handed_out(card)) == (0, [])
    assert (pool.kind, pool.parent, pool.num_accelerators) == (DeployableKind.VF_POOL, card.name, 3)
    assert handed_out(pool) == ["0000:81:00.2", "0000:81:00.4", "0000:81:00.6"]
    assert facts(pool)["rc"] == "VGPU"


def test_a_virtual_function_whose_physical_function_is_not_seen_is_a_device(tree: HostTree) -> None:
    directory = tree.pci_function(PciRow(address=CARD, vendor="8086", product="37c9", class_code=0x0B4000))
    (directory / "physfn").symlink_to("../0000:80:00.0")
    assert handed_out(only_device(tree).deployables[0]) == [CARD]


def test_admitting_only_virtual_functions_offers_those(tree: HostTree) -> None:
    tree.pci_function(PciRow(address=CARD, vendor="15b3", product="101d", class_code=0x020000))
    for function in ("1", "2", "3"):
        tree.virtual_function(PciRow(address=f"0000:81:00.{function}", vendor="15b3", product="101e"), of=CARD)
    device = only_device(tree, {"product_id": "101e", "address": "*:81:00.1"}, {"address": "81:00.3"})
    card, pool = device.deployables
    assert (str(device.address), device.product, card.num_accelerators) == (CARD, "101d", 0)
    assert handed_out(pool) == ["0000:81:00.1", "0000:81:00.3"]


def test_admitting_a_physical_function_offers_all_its_virtual_functions(tree: HostTree) -> None:
    tree.pci_function(PciRow(address=CARD, vendor="15b3", product="101d", class_code=0x020000))
    tree.virtual_function(PciRow(address="0000:81:00.1", vendor="15b3", product="101e"), of=CARD)
    assert handed_out(only_device(tree, {"product_id": "101d"}).deployables[1]) == ["0000:81:00.1"]


def test_with_a_whitelist_nothing_else_is_offered(tree: HostTree) -> None:
    tree.pci_function(PciRow(address=CARD, vendor="1002", product="740f", class_code=0x038000))
    tree.pci_function(PciRow(address="0000:82:00.0", vendor="15b3", product="101d", class_code=0x020000))
    device = only_device(tree, {"vendor_id": "15b3"})
    assert (device.type, facts(device.deployables[0])["rc"]) == ("PCI", "CUSTOM_PCI")
    assert facts(device.deployables[0])["traits2"] == "CUSTOM_PCI_PRODUCT_ID_101D"


def test_a_handle_is_padded_as_the_kernel_writes_addresses(tree: HostTree) -> None:
    tree.pci_function(PciRow(address="10000:01:00.0", vendor="1002", product="740f"))
    (handle,) = only_device(tree).deployables[0].handles
    assert handle.info == {"domain": "10000", "bus": "01", "device": "00", "function": "0"}


def test_a_card_that_fell_off_the_bus_is_lost(tree: HostTree) -> None:
    directory = tree.pci_function(PciRow(address=CARD, vendor="1002", product="740f", class_code=0x038000))
    (directory / "config").write_bytes(b"\xff" * 64)
    device = only_device(tree)
    assert (device.presence, device.health) == (Presence.LOST, Health.UNKNOWN)
    assert device.reason == "it does not answer on the PCI bus any more"


def test_a_function_whose_ids_all_read_as_ones_is_lost(tree: HostTree) -> None:
    tree.pci_function(PciRow(address=CARD, vendor="ffff", product="ffff", class_code=0x120000))
    assert only_device(tree).presence is Presence.LOST


def test_a_card_with_unreadable_ids_is_reported_in_part(tree: HostTree) -> None:
    directory = tree.pci_function(PciRow(address=CARD, vendor=None, product=None, numa_node=1))
    tree.unreadable(str((directory / "vendor").relative_to(tree.root)))
    device = only_device(tree)
    assert (device.vendor, device.product, device.numa_node) == ("unknown", "unknown", 1)
    assert (device.health, device.reason) == (Health.UNKNOWN, "sysfs cannot be read: vendor: Is a directory")


def test_a_card_with_nothing_but_ids_and_class_is_a_device(tree: HostTree) -> None:
    directory = tree.pci_function(PciRow(address=CARD, vendor="dead", product="beef"))
    for name in ("numa_node", "current_link_width", "max_link_speed", "subsystem_vendor"):
        tree.unreadable(str((directory / name).relative_to(tree.root)))
    device = only_device(tree)
    assert (device.model, device.numa_node, device.kernel_driver) == ("dead:beef", None, None)
    assert device.std_board_info == {"product_id": "0xbeef", "class": "0x120000"}


def test_the_console_is_not_offered_unless_the_operator_says_so(tree: HostTree) -> None:
    row = PciRow(address=CARD, vendor="1002", product="740f", class_code=0x030000, attributes={"boot_vga": "1"})
    tree.pci_function(row)
    (card,) = only_device(tree).deployables
    assert (handed_out(card), facts(card)["in_use_by_host"]) == ([], "console")
    assert handed_out(only_device(tree, {"vendor_id": "1002"}).deployables[0]) == [CARD]


def test_a_controller_with_a_mounted_disk_is_never_offered(tree: HostTree) -> None:
    tree.pci_function(PciRow(address=CARD, vendor="1000", product="0097", class_code=0x010700))
    tree.write(f"sys/devices/pci0000:81/{CARD}/host0/block/sda/sda1/partition", "1")
    tree.link("sys/class/block/sda", f"sys/devices/pci0000:81/{CARD}/host0/block/sda")
    tree.link("sys/class/block/sda1", f"sys/devices/pci0000:81/{CARD}/host0/block/sda/sda1")
    tree.write("proc/self/mounts", "/dev/sda1 / ext4 rw 0 0\n")
    (card,) = only_device(tree, {"vendor_id": "1000"}).deployables
    assert (handed_out(card), facts(card)["in_use_by_host"]) == ([], "/")


@pytest.mark.parametrize("place", ["usr/share/misc/pci.ids", "usr/share/hwdata/pci.ids"])
def test_the_model_is_named_by_the_hosts_list_of_ids(tree: HostTree, place: str) -> None:
    tree.pci_function(PciRow(address=CARD, vendor="10de", product="20b0", class_code=0x030200))
    text = "# list\n1002  AMD\n\t20b0  Another\n10de  NVIDIA\n\t20b0  GA100 [A100]\n\t\t10de 134f  A board\n"
    tree.write(place, text)
    assert only_device(tree).model == "GA100 [A100]"


def test_memory_is_reported_where_the_kernel_says_it(tree: HostTree) -> None:
    attributes = {"mem_info_vram_total": "68702699520"}
    tree.pci_function(PciRow(address=CARD, vendor="1002", product="740f", attributes=attributes))
    assert facts(only_device(tree).deployables[0])["memory_bytes"] == "68702699520"


def test_an_idle_link_changes_nothing_in_the_report(tree: HostTree) -> None:
    busy = {"current_link_speed": "16.0 GT/s PCIe", "current_link_width": "16", "max_link_speed": "16.0 GT/s PCIe"}
    directory = tree.pci_function(PciRow(address=CARD, vendor="1002", product="740f", attributes=busy))
    before = look(tree)
    (directory / "current_link_speed").write_text("2.5 GT/s PCIe\n")
    assert look(tree) == before


# --- what hosts tell beside PCI ---


def queues(tree: HostTree, product: str, **told: str) -> None:
    """An accelerator with work queues: their type and state by their number."""
    directory = tree.pci_function(PciRow(address=CARD, vendor="8086", product=product, class_code=0x088000))
    engine = f"{directory.relative_to(tree.root)}/{'dsa' if product == '0b25' else 'iax'}0"
    for number, text in told.items():
        kind, state = text.split()
        tree.write(f"{engine}/wq0.{number.removeprefix('wq')}/type", f"{kind}\n")
        tree.write(f"{engine}/wq0.{number.removeprefix('wq')}/state", f"{state}\n")
    tree.write(f"{engine}/engine0.0/group_id", "0\n")


@pytest.mark.parametrize("product", ["0b25", "0cfe"])
def test_work_queues_are_told_with_who_has_them(tree: HostTree, product: str) -> None:
    queues(tree, product, wq0="user enabled", wq1="kernel disabled", wq2="none disabled")
    device = only_device(tree)
    assert device.std_board_info["work_queues"] == "wq0.0 user enabled, wq0.1 kernel disabled, wq0.2 none disabled"
    assert device.deployables[0].num_accelerators == 1


@pytest.mark.parametrize("entries", [(), ({"vendor_id": "8086"},)])
def test_an_accelerator_that_the_kernel_works_with_is_never_offered(
    tree: HostTree, entries: tuple[object, ...]
) -> None:
    queues(tree, "0b25", wq0="user enabled", wq1="kernel enabled")
    (card,) = only_device(tree, *entries).deployables
    assert (card.num_accelerators, facts(card)["in_use_by_host"]) == (0, "work queue wq0.1")


@pytest.mark.parametrize(("vendor", "product", "node"), [("1d0f", "7064", "neuron0"), ("1bcf", "001c", "veslot0")])
def test_the_node_of_a_card_is_told_where_there_is_one_only(
    tree: HostTree, vendor: str, product: str, node: str
) -> None:
    tree.pci_function(PciRow(address=CARD, vendor=vendor, product=product, class_code=0x088000, driver="its_own"))
    for name in (node, "null", "neuron0p1"):
        tree.write(f"dev/{name}", "")
    assert only_device(tree).std_board_info["device_nodes"] == f"/dev/{node}"
    tree.write(f"dev/{node[:-1]}1", "")
    assert "device_nodes" not in only_device(tree).std_board_info
