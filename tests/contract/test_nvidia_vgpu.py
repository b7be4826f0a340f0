"""NVIDIA vGPU types on virtual functions, as sysfs has them on newer kernels; memory is what NVML tells."""

from pathlib import Path

import pytest
from support.nvml import Nvml

from accel.errors import ActRefused, LayoutImpossible
from accel.model.device import DeployableKind, Device
from accel.model.partition_facts import read_facts
from accel.testing.host_tree import HostTree, PciRow

GPU = "GPU-6f1c5f1a-28b3-5d0b-b5ba-0c1a5a4a0001"
CONFIGURATION = (
    "system driver=550.54.15 nvml=12.550.54.15 cuda=12040\n"
    f'gpu uuid={GPU} name="NVIDIA L40S" pci=0000:07:00.0 devid=0x26B910DE mem=51527024640\n'
)
TYPES = "ID    : vGPU Name\n1155  : NVIDIA L40S-48C\n1157  : NVIDIA L40S-16C\n1161  : NVIDIA L40S-8C\n"
FUNCTIONS = 4


def host(tmp_path: Path, *current: int) -> HostTree:
    """A card with four virtual functions, the first ones with a type."""
    tree = HostTree(tmp_path / "root")
    tree.root.mkdir()
    card = PciRow(address="0000:07:00.0", vendor="10de", product="26b9", class_code=0x030200, driver="nvidia")
    tree.pci_function(card)
    for number in range(FUNCTIONS):
        row = PciRow(address=f"0000:07:00.{number + 4}", vendor="10de", product="26b9", class_code=0x030200)
        directory = tree.virtual_function(row, of="0000:07:00.0")
        (directory / "nvidia").mkdir()
        (directory / "nvidia/creatable_vgpu_types").write_text(TYPES)
        (directory / "nvidia/current_vgpu_type").write_text(f"{current[number] if number < len(current) else 0}\n")
    return tree


def current(tree: HostTree) -> list[str]:
    devices = tree.root / "sys/bus/pci/devices"
    return [
        (devices / f"0000:07:00.{number + 4}/nvidia/current_vgpu_type").read_text().strip()
        for number in range(FUNCTIONS)
    ]


def pools(device: Device) -> dict[str, int]:
    return {
        part.name.rpartition("_")[2]: part.num_accelerators
        for part in device.deployables
        if part.kind is DeployableKind.VF_POOL
    }


def test_functions_are_offered_by_their_types_and_those_without_one_are_not(host_nvml: Nvml, tmp_path: Path) -> None:
    (device,) = host_nvml.devices(host(tmp_path, 1157, 1157).root, CONFIGURATION)

    assert pools(device) == {"L40S-16C": 2}
    assert device.deployables[0].handles == ()
    cut = read_facts(device.std_board_info)
    assert cut is not None
    assert (cut.scheme.name, dict(cut.layout)) == ("vgpu", {"L40S-16C": 2})
    assert {profile.name: profile.most for profile in cut.scheme.profiles} == {
        "L40S-48C": 1,
        "L40S-16C": 3,
        "L40S-8C": 4,
    }


def test_types_are_given_and_taken_and_what_is_there_stays(host_nvml: Nvml, tmp_path: Path) -> None:
    tree = host(tmp_path, 1161, 1157)

    acted = host_nvml.act(tree.root, CONFIGURATION, ("partition", {"L40S-16C": 2}))

    assert acted.errors == (None,)
    assert current(tree)[1] == "1157"
    assert sorted(current(tree)) == ["0", "0", "1157", "1157"]
    again = host_nvml.act(tree.root, CONFIGURATION, ("partition", {}))
    assert (again.errors, current(tree)) == ((None,), ["0"] * 4)


def test_what_does_not_fit_the_memory_is_refused(host_nvml: Nvml, tmp_path: Path) -> None:
    tree = host(tmp_path)

    acted = host_nvml.act(
        tree.root, CONFIGURATION, ("partition", {"L40S-16C": 4}), ("partition", {"L40S-48C": 1, "L40S-8C": 1})
    )

    assert [type(error) for error in acted.errors] == [LayoutImpossible, LayoutImpossible]
    assert "56 gigabytes, and it has 48" in str(acted.errors[1])
    assert current(tree) == ["0"] * 4


def test_what_a_function_refuses_is_undone(host_nvml: Nvml, tmp_path: Path) -> None:
    """A file of the kernel that says 0 and takes nothing, not even of root, stands for a function that refuses."""
    refusing = Path("/proc/sys/fs/aio-nr")
    if refusing.read_text().strip() != "0":
        pytest.skip("this host uses asynchronous I/O, and has no file that says 0 and cannot be written")
    tree = host(tmp_path, 1161)
    last = tree.root / "sys/bus/pci/devices/0000:07:00.7/nvidia/current_vgpu_type"
    last.unlink()
    last.symlink_to(refusing)

    acted = host_nvml.act(tree.root, CONFIGURATION, ("partition", {"L40S-8C": 4}))

    (error,) = acted.errors
    assert isinstance(error, ActRefused)
    assert "0000:07:00.7/nvidia/current_vgpu_type: Permission denied" in str(error)
    assert "as they were" in str(error)
    assert current(tree) == ["1161", "0", "0", "0"]
