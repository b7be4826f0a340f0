"""The mdev driver: of what mediated devices are offered, and how many."""

from pathlib import Path

import pytest
from support import built_hosts
from support.discovery import discover
from support.parts import facts, handed_out, trait_names

from accel.drivers.base import Host
from accel.drivers.mdev import MdevDriver
from accel.errors import AccelError
from accel.model.device import DeployableKind, Device, DeviceType, HandleType, Health
from accel.model.validate import problems
from accel.testing import HostTree, PciRow, options

NODE = "node-1"
LARGE, SMALL = "i915-GVTg_V5_4", "i915-GVTg_V5_8"


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return built_hosts.mdev_parents(tmp_path, NODE)


def look(host: Host, *types: str) -> dict[str, Device]:
    found = list(MdevDriver(host, options(MdevDriver, types=list(types))).discover())
    assert problems(found, node=NODE) == []
    return {str(device.address or device.identity): device for device in found}


def test_as_many_are_offered_as_are_there_and_could_be_made(host: Host) -> None:
    card, offer = look(host, LARGE)[built_hosts.GPU].deployables
    assert (card.num_accelerators, offer.kind, offer.num_accelerators) == (0, DeployableKind.MDEV_TYPE, 2)
    assert handed_out(offer) == [f"{LARGE}_0", f"{LARGE}_1"]
    assert (facts(offer)["rc"], offer.parent) == ("VGPU", card.name)
    assert {"CUSTOM_GPU_INTEL", "CUSTOM_MDEV_I915_GVTG_V5_4"} < trait_names(offer)


def test_a_handle_says_what_nova_reads(host: Host) -> None:
    handle = look(host, LARGE)[built_hosts.GPU].deployables[1].handles[0]
    place = {"domain": "0000", "bus": "00", "device": "02", "function": "0"}
    assert handle.type is HandleType.MDEV
    assert handle.info == {**place, "asked_type": LARGE, "vgpu_mark": f"{LARGE}_0"}


def test_one_type_of_a_parent_is_offered_and_the_first_that_fits_counts(host: Host) -> None:
    found = look(host, "nvidia-223", SMALL, LARGE)[built_hosts.GPU]
    assert [part.name for part in found.deployables[1:]] == [f"{NODE}_{built_hosts.GPU}_{SMALL}"]


def test_a_choice_for_one_parent_counts_before_one_for_all(host: Host) -> None:
    found = look(host, SMALL, f"{built_hosts.GPU}={LARGE}")[built_hosts.GPU]
    assert found.deployables[1].name.endswith(LARGE)


def test_a_parent_with_devices_of_no_chosen_type_is_offered_to_nobody(host: Host) -> None:
    (card,) = look(host)[built_hosts.GPU].deployables
    assert (card.num_accelerators, facts(card)["in_use_by_host"]) == (
        0,
        "mediated devices of a type that is not offered",
    )


def test_a_parent_that_is_not_on_pci_is_told_with_its_types(host: Host) -> None:
    device = look(host, "mtty-2")["mdev:mtty"]
    offer = device.deployables[1]
    assert device.std_board_info["mdev_types"] == "mtty-1 (Single port serial), mtty-2 (Dual port serial)"
    assert (device.type, facts(offer)["rc"], offer.num_accelerators) == (DeviceType.MDEV, "CUSTOM_MDEV", 12)
    assert offer.handles[0].info == {"parent": "mtty", "asked_type": "mtty-2", "vgpu_mark": "mtty-2_0"}


def test_without_a_choice_nothing_is_offered_and_the_types_are_told(host: Host) -> None:
    found = look(host)
    assert {part.num_accelerators for device in found.values() for part in device.deployables} == {0}
    assert found[built_hosts.UNKNOWN_PARENT].std_board_info["mdev_types"] == "abcd-1"


def test_a_parent_that_another_driver_knows_is_that_one_s_until_a_type_is_chosen(tmp_path: Path) -> None:
    tree = HostTree(tmp_path)
    row = PciRow(address=built_hosts.GPU, vendor="8086", product="1912", class_code=0x030000)
    built_hosts.mdev_type(tree, tree.pci_function(row), SMALL, available=2)
    tree.link(f"sys/class/mdev_bus/{built_hosts.GPU}", f"sys/devices/pci0000:00/{built_hosts.GPU}")
    assert list(discover(tmp_path)) == ["intel_gpu"]
    assert list(look(tree.host(NODE), SMALL)) == [built_hosts.GPU]


def test_a_parent_that_does_not_say_how_many_is_of_unknown_health(host: Host) -> None:
    (host.sysfs / f"class/mdev_bus/{built_hosts.GPU}/mdev_supported_types/{LARGE}/available_instances").write_text("")
    device = look(host, LARGE)[built_hosts.GPU]
    assert (device.health, "available_instances" in device.reason) == (Health.UNKNOWN, True)
    assert device.deployables[1].num_accelerators == 1


def test_a_virtual_gpu_of_nvidia_has_the_trait_that_openstack_has_for_it(tmp_path: Path) -> None:
    tree = HostTree(tmp_path)
    row = PciRow(address="0000:3b:00.0", vendor="10de", product="1eb8", class_code=0x030200)
    built_hosts.mdev_type(tree, tree.pci_function(row), "nvidia-222", available=16, name="GRID T4-1B")
    tree.link("sys/class/mdev_bus/0000:3b:00.0", "sys/devices/pci0000:3b/0000:3b:00.0")
    offer = look(tree.host(NODE), "nvidia-222")["0000:3b:00.0"].deployables[1]
    assert "CUSTOM_NVIDIA_1EB8_T4_1B" in trait_names(offer)


@pytest.mark.parametrize("text", ["=nvidia-223", "0000:3b:00.0=", " "])
def test_a_choice_that_cannot_be_right_is_refused(host: Host, text: str) -> None:
    with pytest.raises((AccelError, ValueError), match="nvidia-223"):
        look(host, text)
