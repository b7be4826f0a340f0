"""Mediated devices are made when somebody gets one, with his handle's UUID, and removed afterwards."""

import errno
import grp
import os
from pathlib import Path

import pytest
from support import built_hosts

from accel.drivers.base import Guests
from accel.drivers.guest import mediated
from accel.drivers.mdev import MdevDriver
from accel.errors import ActFailed, ActRefused, DeviceInUse, MdevsUsedUp, MdevTypeGone
from accel.model.device import DeployableKind, Device
from accel.testing import HostTree, SimulatedKernel, options

TYPE = "i915-GVTg_V5_8"
KEY, OTHER_KEY = "5f0c3a52-4e5b-4a4b-9a53-2a8a53cf11d1", "5f0c3a52-4e5b-4a4b-9a53-2a8a53cf11d2"


@pytest.fixture
def kernel(tmp_path: Path) -> SimulatedKernel:
    built_hosts.mdev_parents(tmp_path, "node-1")
    kernel = SimulatedKernel.of(HostTree(tmp_path))
    for kind in (tmp_path / "sys/devices/virtual/mtty/mtty/mdev_supported_types").iterdir():
        (kind / "create").touch()
    return kernel


def act(kernel: SimulatedKernel, verb: str, *, key: str = KEY, parent: str = built_hosts.GPU, kind: str = TYPE) -> None:
    driver = MdevDriver(kernel.host(), options(MdevDriver, types=[kind]))
    device = next(one for one in driver.discover() if parent in (str(one.address), one.model))
    offer = next(part for part in device.deployables if part.kind is DeployableKind.MDEV_TYPE)
    getattr(driver, verb)(device, offer, offer.handles[0], key)


def made(kernel: SimulatedKernel) -> list[str]:
    directory = kernel.root / "sys/bus/mdev/devices"
    return sorted(link.name for link in directory.iterdir()) if directory.exists() else []


def offered(kernel: SimulatedKernel) -> int:
    driver = MdevDriver(kernel.host(), options(MdevDriver, types=[TYPE]))
    device: Device = next(one for one in driver.discover() if str(one.address) == built_hosts.GPU)
    return device.deployables[1].num_accelerators


@pytest.mark.parametrize(("parent", "kind"), [(built_hosts.GPU, TYPE), ("mtty", "mtty-2")])
def test_a_device_is_made_with_the_uuid_of_the_handle_and_removed(
    kernel: SimulatedKernel, parent: str, kind: str
) -> None:
    act(kernel, "prepare", parent=parent, kind=kind)
    assert made(kernel) == [KEY]
    act(kernel, "release", parent=parent, kind=kind)
    assert made(kernel) == []


def test_whoever_runs_guests_may_open_the_node_of_the_device(kernel: SimulatedKernel) -> None:
    host = kernel.host(guests=Guests(node_group=grp.getgrgid(os.getgid()).gr_name))
    mediated.make(host, built_hosts.GPU, TYPE, KEY)

    (node,) = (kernel.root / "dev/vfio").iterdir()
    assert node.stat().st_mode & 0o777 == 0o660


def test_doing_it_twice_is_doing_it_once_and_the_offer_stays(kernel: SimulatedKernel) -> None:
    before = offered(kernel)
    for verb in ("prepare", "prepare"):
        act(kernel, verb)
        assert (made(kernel), offered(kernel)) == ([KEY], before)
    for verb in ("release", "release"):
        act(kernel, verb)
        assert (made(kernel), offered(kernel)) == ([], before)


def test_when_all_are_made_the_next_is_refused(kernel: SimulatedKernel) -> None:
    act(kernel, "prepare")
    act(kernel, "prepare", key=OTHER_KEY)
    with pytest.raises(MdevsUsedUp, match=f"{built_hosts.GPU} cannot make any more devices of type {TYPE}"):
        act(kernel, "prepare", key=KEY.replace("5f", "6f"))


def test_when_somebody_takes_the_last_at_the_same_moment_it_is_the_same_error(kernel: SimulatedKernel) -> None:
    kernel.refuse("create", errno.EUSERS)
    with pytest.raises(MdevsUsedUp):
        act(kernel, "prepare")


def test_a_type_that_is_gone_is_named_with_those_that_are_left(kernel: SimulatedKernel) -> None:
    driver = MdevDriver(kernel.host(), options(MdevDriver, types=[TYPE]))
    device = next(one for one in driver.discover() if str(one.address) == built_hosts.GPU)
    kind = kernel.root / f"sys/devices/pci0000:00/{built_hosts.GPU}/mdev_supported_types/{TYPE}"
    kind.rename(kind.with_name("i915-GVTg_V6_1"))

    with pytest.raises(MdevTypeGone, match=rf"no mediated devices of type {TYPE}; it has: i915-GVTg_V5_4, i915"):
        driver.prepare(device, device.deployables[1], device.deployables[1].handles[0], KEY)


def test_a_uuid_that_another_device_has_is_refused_and_that_one_is_left_alone(kernel: SimulatedKernel) -> None:
    act(kernel, "prepare", parent="mtty", kind="mtty-1")
    with pytest.raises(ActRefused, match=rf"of type mtty-1 on mtty, not {TYPE} on {built_hosts.GPU}"):
        act(kernel, "prepare")
    assert made(kernel) == [KEY]


def test_a_device_that_a_guest_has_is_not_taken_from_it(kernel: SimulatedKernel) -> None:
    act(kernel, "prepare")
    kernel.refuse("remove", errno.EBUSY)
    with pytest.raises(DeviceInUse, match=f"a guest has the mediated device {KEY}"):
        act(kernel, "release")


@pytest.mark.parametrize("verb", ["prepare", "release"])
def test_any_other_refusal_is_told_in_the_kernel_s_words(kernel: SimulatedKernel, verb: str) -> None:
    if verb == "release":
        act(kernel, "prepare")
    kernel.refuse("create", errno.EIO)
    kernel.refuse("remove", errno.EIO)
    with pytest.raises(ActFailed, match="Input/output error: see dmesg"):
        act(kernel, verb)
