"""PCI functions go to guests with all that belongs to them, and come back as they were."""

import errno
import grp
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.guests import (
    BRIDGE,
    CARD,
    KEY,
    OTHER,
    SOUND,
    bound,
    cards,
    device_at,
    driver_of,
    prepare,
    release,
    text,
)

from accel.drivers.base import Guests, Host
from accel.drivers.guest import pass_through
from accel.drivers.guest.acts import PciActs
from accel.errors import (
    ActFailed,
    ActRefused,
    DeviceInUse,
    GroupNotViable,
    NoIommu,
    NotVerified,
    UsedByHost,
    VirtualFunctionsInUse,
)
from accel.model.address import PciAddress
from accel.testing import HostTree, PciRow, SimulatedKernel

OWN = {CARD: "amdgpu", SOUND: "snd_hda_intel", BRIDGE: "pcieport"}


@pytest.fixture
def tree(tmp_path: Path) -> HostTree:
    return cards(tmp_path)


def drivers(tree: HostTree) -> dict[str, str | None]:
    return {address: bound(tree, address) for address in OWN}


def kept(tree: HostTree) -> list[Path]:
    return list(tree.host().memory.rglob("*.json"))


def test_a_card_goes_with_its_group_bridges_aside(tree: HostTree) -> None:
    prepare(driver_of(SimulatedKernel.of(tree)), CARD)

    assert drivers(tree) == {CARD: "vfio-pci", SOUND: "vfio-pci", BRIDGE: "pcieport"}
    assert text(tree, CARD, "driver_override") == "vfio-pci"


def test_it_comes_back_as_it_was_and_reset(tree: HostTree) -> None:
    kernel = SimulatedKernel.of(tree)
    prepare(driver_of(kernel), CARD)
    release(driver_of(kernel), CARD)

    assert drivers(tree) == OWN
    assert (text(tree, CARD, "driver_override"), kernel.resets, kept(tree)) == ("(null)", [CARD], [])


def test_what_was_bound_to_no_driver_is_bound_to_none_again(tree: HostTree) -> None:
    kernel = SimulatedKernel.of(tree)
    kernel.write(tree.root / f"sys/bus/pci/devices/{SOUND}/driver/unbind", SOUND)
    prepare(driver_of(kernel), CARD)
    release(driver_of(kernel), CARD)

    assert drivers(tree) == {**OWN, SOUND: None}


def test_doing_it_twice_is_doing_it_once(tree: HostTree) -> None:
    kernel = SimulatedKernel.of(tree)
    for act in (prepare, prepare, release, release):
        act(driver_of(kernel), CARD)

    assert (drivers(tree), kernel.resets) == (OWN, [CARD])


def test_what_the_operator_has_bound_to_the_driver_for_guests_stays_so(tree: HostTree) -> None:
    kernel = SimulatedKernel.of(tree)
    prepare(driver_of(kernel), CARD, key="the-operator")
    prepare(driver_of(kernel), CARD)
    release(driver_of(kernel), CARD)

    assert drivers(tree) == {**OWN, CARD: "vfio-pci", SOUND: "vfio-pci"}
    assert kernel.resets == [CARD]


def test_after_a_restart_of_the_host_nothing_is_reset_that_no_guest_has(tree: HostTree) -> None:
    kernel = SimulatedKernel.of(tree)
    prepare(driver_of(kernel), CARD)
    memory = kept(tree)[0].read_text()
    release(driver_of(kernel), CARD)
    tree.write(f"var/lib/accel/acts/bindings/{KEY}.json", memory)
    before = kernel.resets

    release(driver_of(kernel), CARD)

    assert (drivers(tree), kernel.resets, kept(tree)) == (OWN, before, [])


def test_without_a_group_the_iommu_is_off_and_nothing_is_touched(tree: HostTree) -> None:
    for address in (CARD, SOUND):
        (tree.root / f"sys/bus/pci/devices/{address}/iommu_group").unlink()

    with pytest.raises(NoIommu, match=f"{CARD} is in no IOMMU group: switch the IOMMU on"):
        prepare(driver_of(SimulatedKernel.of(tree)), CARD)

    assert drivers(tree) == OWN


def test_a_group_with_something_of_somebody_else_in_it_is_refused_with_its_address(tree: HostTree) -> None:
    tree.pci_function(PciRow(address="0000:83:00.0", class_code=0x020000, iommu_group=12))

    with pytest.raises(GroupNotViable, match=r"IOMMU group 12 of 0000:81:00.0 has 0000:83:00.0 in it, too"):
        prepare(driver_of(SimulatedKernel.of(tree)), CARD)

    assert (drivers(tree), kept(tree)) == (OWN, [])


def test_the_second_card_of_a_slot_is_somebody_else_s(tree: HostTree) -> None:
    row = PciRow(address="0000:81:00.2", vendor="1002", product="740f", class_code=0x038000, above=BRIDGE)
    tree.pci_function(replace(row, iommu_group=12))

    with pytest.raises(GroupNotViable, match=r"0000:81:00\.2"):
        prepare(driver_of(SimulatedKernel.of(tree)), CARD)


def test_the_display_of_the_console_stays(tree: HostTree) -> None:
    tree.write(f"sys/bus/pci/devices/{CARD}/boot_vga", "1\n")

    with pytest.raises(UsedByHost, match=f"the host uses {CARD}: console"):
        prepare(driver_of(SimulatedKernel.of(tree)), CARD)


def test_a_card_with_virtual_functions_stays(tree: HostTree) -> None:
    driver = driver_of(SimulatedKernel.of(tree))
    driver.set_vfs(device_at(driver, OTHER), 2, lambda *_: None)

    with pytest.raises(VirtualFunctionsInUse, match=f"{OTHER} has 2 virtual functions"):
        prepare(driver, OTHER)


def test_the_controller_of_a_mounted_disk_stays(tmp_path: Path) -> None:
    tree = HostTree(tmp_path)
    tree.pci_function(PciRow(address=CARD, class_code=0x010802, driver="nvme", iommu_group=1))
    tree.write(f"sys/devices/pci0000:81/{CARD}/nvme/nvme0/nvme0n1/size", "1\n")
    tree.link("sys/class/block/nvme0n1", f"sys/devices/pci0000:81/{CARD}/nvme/nvme0/nvme0n1")
    tree.link("sys/dev/block/259:0", f"sys/devices/pci0000:81/{CARD}/nvme/nvme0/nvme0n1")
    tree.write("proc/1/mountinfo", "24 1 259:0 / / rw,relatime - ext4 /dev/nvme0n1 rw\n")
    host = SimulatedKernel.of(tree).host()

    with pytest.raises(UsedByHost, match=f"the host uses {CARD}: /"):
        pass_through.prepare(host, PciAddress.parse(CARD), (), KEY)


def test_without_the_driver_for_guests_it_is_said_how_to_load_it(tree: HostTree) -> None:
    with pytest.raises(ActRefused, match="vfio-pci is not loaded: modprobe vfio-pci"):
        prepare(driver_of(SimulatedKernel.of(tree, drivers=())), CARD)


@pytest.mark.parametrize("attribute", [f"{SOUND}/driver_override", "snd_hda_intel/unbind"])
def test_when_the_kernel_refuses_a_step_all_is_as_it_was(tree: HostTree, attribute: str) -> None:
    kernel = SimulatedKernel.of(tree)
    kernel.refuse(attribute, errno.EIO)

    with pytest.raises(ActRefused, match="Input/output error; all is as it was"):
        prepare(driver_of(kernel), CARD)

    assert (drivers(tree), kept(tree)) == (OWN, [])


def test_when_what_was_done_cannot_be_undone_it_is_said_and_can_be_undone_later(tree: HostTree) -> None:
    kernel = SimulatedKernel.of(tree)
    kernel.refuse("drivers_probe", errno.EIO)

    with pytest.raises(ActFailed, match=f"no driver could be found for {CARD}: .*; {CARD} could not be given back"):
        prepare(driver_of(kernel), CARD)

    kernel.refuse("drivers_probe", 0)
    release(driver_of(kernel), CARD)
    assert (drivers(tree), kept(tree)) == (OWN, [])


def test_a_driver_that_is_gone_when_the_card_comes_back_is_named(tree: HostTree) -> None:
    kernel = SimulatedKernel.of(tree)
    prepare(driver_of(kernel), CARD)
    module = tree.root / "sys/bus/pci/drivers/amdgpu"
    for file in module.iterdir():
        file.unlink()
    module.rmdir()

    with pytest.raises(NotVerified, match="bound to no driver, and was to amdgpu before: load the module of amdgpu"):
        release(driver_of(kernel), CARD)

    module.mkdir()
    release(driver_of(kernel), CARD)
    assert drivers(tree) == OWN


def test_what_a_process_has_open_is_not_taken_from_it(tree: HostTree) -> None:
    kernel = SimulatedKernel.of(tree)
    prepare(driver_of(kernel), CARD)
    tree.write("proc/4711/comm", "qemu-system-x86\n")
    (tree.root / "proc/4711/fd").mkdir()
    (tree.root / "proc/4711/fd/7").symlink_to("/dev/vfio/12")

    with pytest.raises(DeviceInUse, match=r"process 4711 \(qemu-system-x86\) has /dev/vfio/12 open"):
        release(driver_of(kernel), CARD)

    assert bound(tree, CARD) == "vfio-pci"


def test_what_a_process_has_open_that_we_may_not_see_is_not_taken_from_it_either(tree: HostTree) -> None:
    kernel = SimulatedKernel.of(tree)
    prepare(driver_of(kernel), CARD)
    kernel.open_nodes("vfio/12")

    with pytest.raises(DeviceInUse, match="a process has /dev/vfio/12 open: stop the guest first"):
        release(driver_of(kernel), CARD)

    kernel.open_nodes()
    release(driver_of(kernel), CARD)
    assert drivers(tree) == OWN


def test_a_virtual_function_goes_by_itself(tree: HostTree) -> None:
    driver = driver_of(SimulatedKernel.of(tree))
    driver.set_vfs(device_at(driver, OTHER), 2, lambda *_: None)
    first, second = (str(one) for one in _virtual_functions(tree))

    prepare(driver, OTHER, first)

    assert [bound(tree, one) for one in (OTHER, first, second)] == ["4xxx", "vfio-pci", "4xxx"]


def _virtual_functions(tree: HostTree) -> tuple[PciAddress, ...]:
    links = sorted((tree.root / f"sys/bus/pci/devices/{OTHER}").glob("virtfn*"))
    return tuple(PciAddress.parse(link.readlink().name) for link in links)


def test_whoever_runs_guests_may_open_the_node_of_the_group(tree: HostTree) -> None:
    ours = Guests(node_group=grp.getgrgid(os.getgid()).gr_name)
    prepare(driver_of(SimulatedKernel.of(tree), ours), CARD)

    assert (tree.root / "dev/vfio/12").stat().st_mode & 0o777 == 0o660


def test_a_group_of_users_that_is_not_there_is_named(tree: HostTree) -> None:
    ours = Guests(node_group="no-such-group")
    with pytest.raises(ActRefused, match=r"there is no group no-such-group: mend \[guest\] node_group"):
        prepare(driver_of(SimulatedKernel.of(tree), ours), CARD)


class Killed(BaseException):
    """The process of the act was ended by force."""


class Mortal(SimulatedKernel):
    """A kernel whose asker dies at the write that the tree says."""

    __slots__ = ()

    def write(self, path: Path, text: str, *, timeout_seconds: float = 30) -> None:
        lives = self.root / "lives"
        left = int(lives.read_text())
        if left == 0:
            raise Killed
        lives.write_text(str(left - 1))
        SimulatedKernel.write(self, path, text, timeout_seconds=timeout_seconds)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.sampled_from([prepare, release]), st.integers(0, 12)), max_size=4))
def test_wherever_acts_were_cut_off_a_release_brings_everything_back(
    tmp_path_factory: pytest.TempPathFactory, acts: list[tuple[Callable[[PciActs, str], None], int]]
) -> None:
    tree = cards(tmp_path_factory.mktemp("host"))
    kernel = Mortal.of(tree)
    for act, lives in acts:
        tree.write("lives", str(lives))
        with suppress(Killed):
            act(driver_of(kernel), CARD)
    tree.write("lives", "100")

    release(driver_of(kernel), CARD)

    assert (drivers(tree), kept(tree)) == (OWN, [])
    assert {text(tree, address, "driver_override") for address in OWN} == {"(null)"}


def test_a_handle_that_has_no_key_is_refused(tree: HostTree) -> None:
    host = Host(name="node-1", root=tree.root, hands=SimulatedKernel.of(tree))
    with pytest.raises(ActRefused, match="is no key"):
        pass_through.prepare(host, PciAddress.parse(CARD), {PciAddress.parse(SOUND)}, "../../etc/passwd")
