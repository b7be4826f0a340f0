"""Virtual functions are made and taken away as many as are wanted, and never from somebody who has one."""

import errno
from pathlib import Path

import pytest
from support.guests import CARD, KEY, OTHER, bound, cards, device_at, driver_of, prepare, release, text

from accel.drivers.base import Guests
from accel.drivers.sysfs import pci_functions
from accel.errors import ActFailed, ActNotSupported, ActRefused, VirtualFunctionsImpossible, VirtualFunctionsInUse
from accel.model.device import DeployableKind
from accel.testing import HostTree, SimulatedKernel

FOR_GUESTS = Guests(has_virtual_functions=True)


@pytest.fixture
def tree(tmp_path: Path) -> HostTree:
    return cards(tmp_path)


def set_vfs(kernel: SimulatedKernel, count: int, guests: Guests | None = None, address: str = OTHER) -> list[str]:
    """What was said meanwhile."""
    said: list[str] = []
    driver = driver_of(kernel, guests)
    driver.set_vfs(device_at(driver, address), count, lambda message, _=None: said.append(message))
    return said


def offered(kernel: SimulatedKernel) -> int:
    """How many virtual functions the driver offers."""
    parts = device_at(driver_of(kernel), OTHER).deployables
    return sum(part.num_accelerators for part in parts if part.kind is DeployableKind.VF_POOL)


@pytest.mark.parametrize("numbers", [(3,), (3, 0), (2, 5), (5, 2), (4, 4)])
def test_there_are_as_many_as_were_wanted_last(tree: HostTree, numbers: tuple[int, ...]) -> None:
    kernel = SimulatedKernel.of(tree)
    for number in numbers:
        set_vfs(kernel, number)
        assert offered(kernel) == number


def test_the_kernel_takes_a_number_only_while_there_are_none(tree: HostTree) -> None:
    kernel = SimulatedKernel.of(tree)
    assert set_vfs(kernel, 2) == ["making 2 virtual functions"]
    assert set_vfs(kernel, 5) == ["taking away 2 virtual functions", "making 5 virtual functions"]
    assert set_vfs(kernel, 5) == []


@pytest.mark.parametrize(("guests", "driver"), [(None, "4xxx"), (FOR_GUESTS, None)])
def test_what_is_made_for_guests_no_driver_of_the_kernel_gets(
    tree: HostTree, guests: Guests | None, driver: str | None
) -> None:
    set_vfs(SimulatedKernel.of(tree), 2, guests)

    made = [one.address for one in pci_functions(tree.host()) if one.physical_function]
    assert [bound(tree, str(one)) for one in made] == [driver, driver]
    assert text(tree, OTHER, "sriov_drivers_autoprobe") == "1"


def test_more_than_the_card_can_have_are_refused_with_the_number_it_can(tree: HostTree) -> None:
    with pytest.raises(VirtualFunctionsImpossible, match=f"{OTHER} can have 8 virtual functions, not 9"):
        set_vfs(SimulatedKernel.of(tree), 9)


def test_a_card_without_sr_iov_is_said_to_be_one(tree: HostTree) -> None:
    with pytest.raises(ActNotSupported, match=f"{CARD} can have no virtual functions"):
        set_vfs(SimulatedKernel.of(tree), 1, address=CARD)


@pytest.mark.parametrize("driver", ["", "vfio-pci"])
def test_a_card_without_its_own_driver_makes_none(tree: HostTree, driver: str) -> None:
    kernel = SimulatedKernel.of(tree)
    kernel.write(tree.root / f"sys/bus/pci/devices/{OTHER}/driver/unbind", OTHER)
    if driver:
        kernel.write(tree.root / f"sys/bus/pci/devices/{OTHER}/driver_override", driver)
        kernel.write(tree.root / "sys/bus/pci/drivers_probe", OTHER)

    with pytest.raises(VirtualFunctionsImpossible, match=f"is bound to {driver or 'no driver'}, which makes no"):
        set_vfs(kernel, 2)


def test_while_a_guest_has_one_none_is_taken_away(tree: HostTree) -> None:
    kernel = SimulatedKernel.of(tree)
    set_vfs(kernel, 2, FOR_GUESTS)
    first = next(str(one.address) for one in pci_functions(tree.host()) if one.physical_function)
    prepare(driver_of(kernel, FOR_GUESTS), OTHER, first)

    with pytest.raises(VirtualFunctionsInUse, match=f"virtual function {first} of {OTHER} is bound to vfio-pci"):
        set_vfs(kernel, 0)

    release(driver_of(kernel, FOR_GUESTS), OTHER, first)
    set_vfs(kernel, 0)
    assert offered(kernel) == 0


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.ENOMEM, "the firmware has left no room for them; it has none as before: switch on SR-IOV"),
        (errno.ENOENT, "its kernel driver cannot make any"),
        (errno.EIO, "Input/output error; it has none as before: see dmesg"),
    ],
)
def test_what_the_kernel_refuses_is_said_in_words_and_nothing_is_changed(
    tree: HostTree, number: int, said: str
) -> None:
    kernel = SimulatedKernel.of(tree)
    kernel.refuse("sriov_numvfs", number)

    with pytest.raises(ActRefused, match=said):
        set_vfs(kernel, 2)

    assert (offered(kernel), text(tree, OTHER, "sriov_drivers_autoprobe")) == (0, "1")


class Forgetful(SimulatedKernel):
    """A kernel that takes virtual functions away and makes no more of them."""

    __slots__ = ()

    def write(self, path: Path, text: str, *, timeout_seconds: float = 30) -> None:
        if path.name == "sriov_numvfs" and text == "0":
            self.refuse("sriov_numvfs", 0)
        SimulatedKernel.write(self, path, text, timeout_seconds=timeout_seconds)
        if path.name == "sriov_numvfs" and text == "0":
            self.refuse("sriov_numvfs", errno.EIO)


def test_when_there_are_fewer_than_before_it_is_no_refusal_any_more(tree: HostTree) -> None:
    kernel = Forgetful.of(tree)
    set_vfs(kernel, 2)

    with pytest.raises(ActFailed, match="it had 2 and has none now") as caught:
        set_vfs(kernel, 4)

    assert not isinstance(caught.value, ActRefused)


def test_the_memory_of_what_a_guest_had_is_by_handle(tree: HostTree) -> None:
    kernel = SimulatedKernel.of(tree)
    set_vfs(kernel, 2, FOR_GUESTS)
    first, second = (str(one.address) for one in pci_functions(tree.host()) if one.physical_function)
    prepare(driver_of(kernel, FOR_GUESTS), OTHER, first)
    prepare(driver_of(kernel, FOR_GUESTS), OTHER, second, key=KEY.replace("5", "6"))
    release(driver_of(kernel, FOR_GUESTS), OTHER, first)

    assert (bound(tree, first), bound(tree, second)) == (None, "vfio-pci")
