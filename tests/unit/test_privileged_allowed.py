"""What may be done with privilege, and what may not, whoever asks."""

from pathlib import Path

import pytest

from accel.errors import ActNotAllowed
from accel.privileged.allowed import check_admin, check_namespace, check_tool, check_vfio_node, context_of
from accel.privileged.base import Context
from accel.testing import HostTree, PciRow

CARD = "sys/bus/pci/devices/0000:81:00.0"
UUID = "83b8f4f2-509f-382f-3c1e-e6bfe0fa1001"


@pytest.fixture
def tree(tmp_path: Path) -> HostTree:
    tree = HostTree(tmp_path / "host")
    tree.pci_function(PciRow(address="0000:80:00.0", class_code=0x060400))
    tree.pci_function(PciRow(address="0000:81:00.0", above="0000:80:00.0", driver="nvidia"))
    return tree


@pytest.mark.parametrize(
    ("path", "text", "context"),
    [
        (f"{CARD}/driver_override", "vfio-pci\n", Context.VFIO),
        (f"{CARD}/driver_override", "\n", Context.VFIO),
        (f"{CARD}/driver/unbind", "0000:81:00.0", Context.VFIO),
        ("sys/bus/pci/drivers_probe", "0000:81:00.0", Context.VFIO),
        (f"{CARD}/sriov_numvfs", "16\n", Context.SYSFS),
        (f"{CARD}/sriov_drivers_autoprobe", "0", Context.SYSFS),
        (f"{CARD}/reset", "1", Context.SYSFS),
        (f"{CARD}/mdev_supported_types/nvidia-223/create", UUID, Context.SYSFS),
        (f"{CARD}/{UUID}/remove", "1", Context.SYSFS),
        ("sys/devices/virtual/mtty/mtty/mdev_supported_types/mtty-2/create", UUID, Context.SYSFS),
        (f"{CARD}/nvidia/current_vgpu_type", "557", Context.SYSFS),
    ],
)
def test_an_attribute_is_written_in_the_context_that_it_belongs_to(
    tree: HostTree, path: str, text: str, context: Context
) -> None:
    assert context_of(tree.root / "sys", tree.root / path, text) is context


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (f"{CARD}/config", "1"),
        (f"{CARD}/rom", "1"),
        (f"{CARD}/remove", "1"),
        (f"{CARD}/driver/bind", "0000:81:00.0"),
        ("sys/bus/pci/rescan", "1"),
        ("sys/bus/pci/drivers/vfio-pci/new_id", "10de 20b5"),
        ("sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages", "1"),
        ("etc/shadow", "1"),
        (f"{CARD}/../../../../../etc/driver_override", "x"),
        (f"{CARD}/driver_override", "vfio-pci; reboot"),
        (f"{CARD}/sriov_numvfs", "-1"),
        (f"{CARD}/reset", "2"),
        (f"{CARD}/mdev_supported_types/nvidia-223/create", "not-a-uuid"),
        (f"{CARD}/mdev_supported_types/../create", UUID),
    ],
)
def test_anything_else_is_refused(tree: HostTree, path: str, text: str) -> None:
    with pytest.raises(ActNotAllowed):
        context_of(tree.root / "sys", tree.root / path, text)


def test_a_link_that_leads_out_of_sysfs_leads_nowhere(tree: HostTree, tmp_path: Path) -> None:
    elsewhere = tmp_path / "devices/pci0000:82/0000:82:00.0"
    elsewhere.mkdir(parents=True)
    (tree.root / "sys/bus/pci/devices/0000:82:00.0").symlink_to(elsewhere)

    with pytest.raises(ActNotAllowed, match="not among the attributes"):
        context_of(tree.root / "sys", tree.root / "sys/bus/pci/devices/0000:82:00.0/reset", "1")


@pytest.mark.parametrize(
    "command", [("/usr/bin/xbmgmt", "program", "--device", "x"), ("/opt/x/xrt-smi", "program", "-d", "x")]
)
def test_a_tool_is_known_by_its_name_and_by_what_it_is_to_do(command: tuple[str, ...]) -> None:
    check_tool(command)


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (("xbmgmt", "program"), "absolute path"),
        (("/bin/sh", "-c", "reboot"), "only these may be run"),
        (("/usr/bin/nvidia-smi", "--lock-gpu-clocks=1"), "nvidia-smi may do these only: --gpu-reset"),
        (("/usr/bin/xbmgmt",), "xbmgmt may do these only"),
        ((), "only these may be run"),
    ],
)
def test_another_program_or_another_use_of_one_is_refused_with_what_is_allowed(
    command: tuple[str, ...], said: str
) -> None:
    with pytest.raises(ActNotAllowed, match=said):
        check_tool(command)


def test_an_nvme_controller_is_sent_what_does_not_change_its_firmware() -> None:
    check_admin(Path("/dev"), Path("/dev/nvme0"), 0x84)
    with pytest.raises(ActNotAllowed, match="command 0x10 is not among"):
        check_admin(Path("/dev"), Path("/dev/nvme0"), 0x10)


@pytest.mark.parametrize("node", ["/dev/sda", "/dev/nvme0n1", "/tmp/nvme0"])  # noqa: S108  # it is refused
def test_commands_go_to_nvme_controllers_only(node: str) -> None:
    with pytest.raises(ActNotAllowed, match="no NVMe controller"):
        check_admin(Path("/dev"), Path(node), 0x06)


@pytest.mark.parametrize("node", ["/dev/vfio/vfio", "/dev/sda", "/dev/vfio/../sda", "/dev/vfio/12/x"])
def test_the_node_of_a_vfio_group_is_all_that_is_given_to_others(node: str) -> None:
    check_vfio_node(Path("/dev"), Path("/dev/vfio/12"))
    with pytest.raises(ActNotAllowed, match="no node of a vfio group"):
        check_vfio_node(Path("/dev"), Path(node))


@pytest.mark.parametrize("node", ["nvme0", "nvme0n1p1", "nvme0c0n1", "sda", "disk/by-id/nvme0n1", "../nvme0n1"])
def test_zeros_are_written_to_whole_namespaces_only(node: str) -> None:
    check_namespace(Path("/dev"), Path("/dev/nvme0n1"))
    with pytest.raises(ActNotAllowed, match="is no NVMe namespace"):
        check_namespace(Path("/dev"), Path("/dev") / node)
