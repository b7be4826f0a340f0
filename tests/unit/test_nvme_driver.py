"""The nvme driver: what a drive is, what is offered of it, and what the host keeps for itself."""

from pathlib import Path

import pytest

from accel.drivers.nvme import NvmeDriver
from accel.model.device import Deployable, DeployableKind, Device, DeviceType, HandleType, Health, Presence
from accel.model.validate import problems
from accel.testing.driver_contract import options
from accel.testing.host_tree import HostTree, NvmeRow, PciRow

GIB = 1 << 30
ONE, TWO = "0000:81:00.0", "0000:82:00.0"


@pytest.fixture
def tree(tmp_path: Path) -> HostTree:
    """A host with two NVMe controllers that nothing drives yet."""
    tree = HostTree(tmp_path)
    for address in (ONE, TWO):
        tree.pci_function(nvme_function(address))
    return tree


def nvme_function(address: str) -> PciRow:
    return PciRow(address=address, vendor="144d", product="a80a", class_code=0x010802, numa_node=1)


def look(tree: HostTree) -> list[Device]:
    found = list(NvmeDriver(tree.host(), options(NvmeDriver)).discover())
    assert problems(found, node="node-1") == []
    return found


def first(tree: HostTree) -> Device:
    return look(tree)[0]


def facts(part: Deployable) -> dict[str, str]:
    return {attribute.key: attribute.value for attribute in part.attributes}


def test_a_drive_is_known_by_its_serial_number(tree: HostTree) -> None:
    tree.nvme_controller(
        NvmeRow(name="nvme3", address=ONE, subsystem="nvme-subsys3", serial="S123", model="PM9A3", namespaces={1: GIB})
    )
    device = first(tree)
    assert (device.identity, device.serial, device.model) == ("serial:S123", "S123", "PM9A3")
    assert (device.type, device.vendor, device.product) == (DeviceType.NVME, "144d", "a80a")
    assert (device.health, device.numa_node, device.std_board_info["firmware"]) == (Health.HEALTHY, 1, "1.0")
    assert facts(device.deployables[0])["rc"] == "CUSTOM_NVME"


def test_two_controllers_of_one_subsystem_are_one_drive_with_one_handle(tree: HostTree) -> None:
    tree.nvme_controller(NvmeRow(name="nvme0", address=TWO, subsystem="nvme-subsys0", namespaces={1: GIB}))
    tree.nvme_controller(NvmeRow(name="nvme1", address=ONE, subsystem="nvme-subsys0"))
    (device,) = look(tree)
    assert device.std_board_info["functions"] == f"{ONE}, {TWO}"
    assert [handle.info["bus"] for part in device.deployables for handle in part.handles] == ["81"]


def test_a_kernel_without_subsystems_shows_namespaces_below_the_controller(tree: HostTree) -> None:
    tree.nvme_controller(NvmeRow(name="nvme0", address=ONE, namespaces={1: GIB, 2: 2 * GIB}))
    card, *namespaces = first(tree).deployables
    assert [(part.kind, part.parent, part.num_accelerators) for part in namespaces] == [
        (DeployableKind.NAMESPACE, card.name, 0)
    ] * 2
    assert [facts(part) for part in namespaces] == [
        {"device_node": "/dev/nvme0n1", "capacity_bytes": str(GIB)},
        {"device_node": "/dev/nvme0n2", "capacity_bytes": str(2 * GIB)},
    ]
    assert facts(card)["capacity_bytes"] == str(3 * GIB)


def test_a_namespace_that_a_kernel_shows_once_for_each_controller_is_one(tree: HostTree) -> None:
    tree.nvme_controller(NvmeRow(name="nvme0", address=ONE, subsystem="nvme-subsys0"))
    tree.nvme_controller(NvmeRow(name="nvme1", address=TWO, subsystem="nvme-subsys0"))
    for number, address in enumerate((ONE, TWO)):
        disk = f"sys/devices/pci0000:8{number + 1}/{address}/nvme/nvme{number}/nvme{number}n1"
        tree.write(f"{disk}/nsid", "1\n")
        tree.write(f"{disk}/size", str(GIB // 512))
    card, *namespaces = first(tree).deployables
    assert [facts(part)["device_node"] for part in namespaces] == ["/dev/nvme0n1"]
    assert facts(card)["capacity_bytes"] == str(GIB)


def test_a_capacity_that_is_not_known_in_full_is_not_told(tree: HostTree) -> None:
    directory = tree.nvme_controller(NvmeRow(name="nvme0", address=ONE, namespaces={1: GIB, 2: GIB}))
    tree.unreadable(str((directory / "nvme0n2/size").relative_to(tree.root)))
    assert "capacity_bytes" not in facts(first(tree).deployables[0])


def test_drives_with_the_same_serial_number_are_told_apart_by_their_qualified_names(tree: HostTree) -> None:
    for number, address in enumerate((ONE, TWO)):
        row = NvmeRow(name=f"nvme{number}", address=address, serial="0123456789", qualified_name=f"nqn.{number}")
        tree.nvme_controller(row)
    assert [device.identity for device in look(tree)] == ["nqn:nqn.0", "nqn:nqn.1"]


def test_drives_that_nothing_tells_apart_are_known_by_where_they_sit(tree: HostTree) -> None:
    for number, address in enumerate((ONE, TWO)):
        tree.nvme_controller(NvmeRow(name=f"nvme{number}", address=address, serial="", qualified_name=""))
    assert [device.identity for device in look(tree)] == [f"pci:{ONE}", f"pci:{TWO}"]
    assert [device.serial for device in look(tree)] == [None, None]


@pytest.mark.parametrize(
    ("state", "health", "reason"),
    [
        ("live", Health.HEALTHY, ""),
        ("dead", Health.UNHEALTHY, "its controller nvme0 is dead"),
        ("resetting", Health.UNKNOWN, "its controller nvme0 is resetting"),
        ("connecting", Health.UNKNOWN, "its controller nvme0 is connecting"),
        ("", Health.UNKNOWN, "its controller nvme0 is in no known state"),
    ],
)
def test_health_follows_the_state_of_the_controller(tree: HostTree, state: str, health: Health, reason: str) -> None:
    tree.nvme_controller(NvmeRow(name="nvme0", address=ONE, state=state))
    assert (first(tree).health, first(tree).reason) == (health, reason)


def test_a_drive_is_as_fit_as_the_worst_of_its_controllers(tree: HostTree) -> None:
    tree.nvme_controller(NvmeRow(name="nvme0", address=ONE, subsystem="nvme-subsys0"))
    tree.nvme_controller(NvmeRow(name="nvme1", address=TWO, subsystem="nvme-subsys0", state="dead"))
    assert (first(tree).health, first(tree).reason) == (Health.UNHEALTHY, "its controller nvme1 is dead")


def test_a_drive_that_fell_off_the_bus_is_lost(tree: HostTree) -> None:
    tree.nvme_controller(NvmeRow(name="nvme0", address=ONE, state="dead"))
    (tree.root / f"sys/bus/pci/devices/{ONE}/config").write_bytes(b"\xff" * 64)
    assert (first(tree).identity, first(tree).presence) == ("serial:SERIAL1", Presence.LOST)


def test_a_controller_that_the_kernel_does_not_drive_is_reported_by_its_address(tree: HostTree) -> None:
    device = first(tree)
    assert (device.identity, device.type, device.model) == (f"pci:{ONE}", DeviceType.NVME, "144d:a80a")
    assert device.deployables[0].num_accelerators == 1


def test_handing_a_drive_to_a_virtual_machine_changes_neither_its_handle_nor_its_names(tree: HostTree) -> None:
    directory = tree.nvme_controller(NvmeRow(name="nvme0", address=ONE))
    at_home = first(tree)
    (tree.root / "sys/class/nvme/nvme0").unlink()
    directory.rename(tree.root / "gone")
    away = first(tree)
    assert (away.address, away.vendor, away.product) == (at_home.address, at_home.vendor, at_home.product)
    assert (away.deployables[0].name, away.deployables[0].handles) == (
        at_home.deployables[0].name,
        at_home.deployables[0].handles,
    )


def test_a_drive_that_is_not_on_pci_is_handed_out_by_its_device_node(tmp_path: Path) -> None:
    tree = HostTree(tmp_path)
    tree.nvme_controller(NvmeRow(name="nvme0", serial="APPLE1", namespaces={1: GIB}))
    device = first(tree)
    (handle,) = device.deployables[0].handles
    assert (handle.type, handle.info) == (HandleType.DEVICE_NODE, {"path": "/dev/nvme0"})
    assert (device.address, device.identity, device.deployables[0].name) == (None, "serial:APPLE1", "node-1_APPLE1")
    assert device.std_board_info["transport"] == "apple-nvme"


def test_a_controller_for_discovery_is_no_drive(tmp_path: Path) -> None:
    tree = HostTree(tmp_path)
    directory = tree.nvme_controller(NvmeRow(name="nvme0"))
    (directory / "cntrltype").write_text("discovery\n")
    assert look(tree) == []


def test_virtual_functions_are_handed_out_and_are_no_drives(tree: HostTree) -> None:
    for number in (1, 2):
        tree.virtual_function(nvme_function(f"0000:81:00.{number}"), of=ONE)
    tree.nvme_controller(NvmeRow(name="nvme0", address=ONE, subsystem="nvme-subsys0", namespaces={1: GIB}))
    tree.nvme_controller(NvmeRow(name="nvme1", address="0000:81:00.1", subsystem="nvme-subsys0"))
    tree.nvme_controller(NvmeRow(name="nvme2", address="0000:81:00.2", serial="OTHER"))
    drive, _ = look(tree)
    card, pool, _ = drive.deployables
    assert (card.num_accelerators, pool.kind, pool.num_accelerators) == (0, DeployableKind.VF_POOL, 2)
    assert [handle.info["function"] for handle in pool.handles] == ["1", "2"]


# --- drives that the host uses ---

MOUNTINFO = "25 1 259:2 / {where} rw,relatime shared:1 - ext4 {source} rw\n"


@pytest.fixture
def used(tree: HostTree) -> HostTree:
    """A host with one driven drive in a partition, of which the tests say what it is used for."""
    tree.nvme_controller(NvmeRow(name="nvme0", address=ONE, subsystem="nvme-subsys0", namespaces={1: GIB}))
    disk = "sys/devices/virtual/nvme-subsystem/nvme-subsys0/nvme0n1"
    tree.write(f"{disk}/nvme0n1p2/partition", "2\n")
    tree.link("sys/class/block/nvme0n1p2", f"{disk}/nvme0n1p2")
    tree.link("sys/dev/block/259:2", f"{disk}/nvme0n1p2")
    return tree


def in_use(tree: HostTree) -> str:
    """What the drive is kept for; it is offered if that is nothing."""
    (card, *_) = first(tree).deployables
    use = facts(card).get("in_use_by_host", "")
    assert card.num_accelerators == len(card.handles) == (0 if use else 1)
    return use


def test_a_drive_that_nobody_uses_is_offered(used: HostTree) -> None:
    used.write("proc/self/mountinfo", "22 1 0:20 / /proc rw - proc proc rw\n")
    assert in_use(used) == ""


def test_a_mounted_drive_is_not_offered(used: HostTree) -> None:
    used.write("proc/self/mountinfo", MOUNTINFO.format(where="/", source="/dev/nvme0n1p2"))
    assert in_use(used) == "/"


def test_a_root_file_system_without_the_name_of_its_device_is_found_by_number(used: HostTree) -> None:
    used.write("proc/self/mountinfo", MOUNTINFO.format(where="/", source="/dev/root"))
    assert in_use(used) == "/"


def test_all_that_a_drive_is_mounted_at_is_named_with_blanks_as_they_are(used: HostTree) -> None:
    mounts = [MOUNTINFO.format(where=where, source="/dev/nvme0n1p2") for where in ("/srv", r"/my\040data")]
    used.write("proc/1/mountinfo", "".join(mounts))
    assert in_use(used) == "/my data, /srv"


def test_a_file_system_over_several_devices_is_found_by_the_path_of_its_source(used: HostTree) -> None:
    used.write("proc/self/mountinfo", "30 1 0:40 / /data rw - btrfs /dev/nvme0n1 rw\n")
    assert in_use(used) == "/data"


def test_a_host_with_mounts_in_the_old_form_is_understood(used: HostTree) -> None:
    used.write("proc/mounts", "/dev/nvme0n1p2 /boot vfat rw 0 0\n")
    assert in_use(used) == "/boot"


def test_a_table_of_mounts_that_makes_no_sense_is_passed_over(used: HostTree) -> None:
    used.write("proc/self/mountinfo", "25 1 259:2\n26 1 0:1 / /x rw -\n\n- - - - - - - -\n")
    assert in_use(used) == ""


def test_a_swap_drive_is_not_offered(used: HostTree) -> None:
    used.write("proc/swaps", "Filename\tType\tSize\tUsed\tPriority\n/dev/nvme0n1p2 partition 8388604 0 -2\n")
    assert in_use(used) == "swap"


def test_a_drive_below_a_mounted_logical_volume_is_not_offered(used: HostTree) -> None:
    disk = "sys/devices/virtual/nvme-subsystem/nvme-subsys0/nvme0n1"
    volume = "sys/devices/virtual/block/dm-0"
    used.write(f"{volume}/size", "2048")
    used.link("sys/class/block/dm-0", volume)
    used.link(f"{disk}/nvme0n1p2/holders/dm-0", volume)
    used.link("dev/mapper/vg-home", "dev/dm-0")
    used.write("proc/self/mountinfo", "31 1 254:0 / /home rw - xfs /dev/mapper/vg-home rw\n")
    assert in_use(used) == "/dev/dm-0, /home"


def test_a_drive_that_another_block_device_holds_is_not_offered(used: HostTree) -> None:
    used.write("sys/devices/virtual/nvme-subsystem/nvme-subsys0/nvme0n1/holders/md0/size", "1")
    assert in_use(used) == "/dev/md0"


def test_the_virtual_functions_of_a_mounted_drive_are_not_offered(used: HostTree) -> None:
    used.virtual_function(nvme_function("0000:81:00.1"), of=ONE)
    used.write("proc/self/mountinfo", MOUNTINFO.format(where="/", source="/dev/nvme0n1p2"))
    assert [part.num_accelerators for part in first(used).deployables] == [0, 0, 0]
