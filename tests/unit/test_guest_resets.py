"""Cards are reset by the kernel, all their functions, and never while somebody needs them."""

import errno
from pathlib import Path

import pytest
from support.guests import CARD, OTHER, cards, device_at, driver_of, whole

from accel.errors import ActFailed, ActNotSupported, ActRefused, NotVerified, UsedByHost, VirtualFunctionsInUse
from accel.model.device import DeployableKind
from accel.testing import HostTree, PciRow, SimulatedKernel


@pytest.fixture
def tree(tmp_path: Path) -> HostTree:
    return cards(tmp_path)


def reset(kernel: SimulatedKernel, address: str) -> None:
    driver = driver_of(kernel)
    driver.reset(device_at(driver, address), lambda *_: None)


def test_a_card_is_reset(tree: HostTree) -> None:
    kernel = SimulatedKernel.of(tree)
    reset(kernel, CARD)
    assert kernel.resets == [CARD]


def test_a_card_that_the_kernel_has_no_way_to_reset_is_said_to_be_one(tree: HostTree) -> None:
    tree.pci_function(PciRow(address="0000:90:00.0", driver="x"))
    with pytest.raises(ActNotSupported, match=r"no way to reset 0000:90:00\.0"):
        reset(SimulatedKernel.of(tree), "0000:90:00.0")


def test_a_reset_that_the_kernel_tried_and_failed_at_is_no_refusal(tree: HostTree) -> None:
    kernel = SimulatedKernel.of(tree)
    kernel.refuse("reset", errno.ENOTTY)
    with pytest.raises(ActFailed, match=f"{CARD} could not be reset: Inappropriate ioctl") as caught:
        reset(kernel, CARD)
    assert not isinstance(caught.value, ActRefused)


def test_a_card_that_does_not_answer_after_its_reset_is_told(tree: HostTree) -> None:
    (tree.root / f"sys/bus/pci/devices/{CARD}/config").write_bytes(b"\xff" * 64)
    kernel = SimulatedKernel.of(tree)
    with pytest.raises(NotVerified, match=f"{CARD} does not answer after its reset"):
        reset(kernel, CARD)


def test_a_card_with_virtual_functions_is_not_reset_because_they_would_go(tree: HostTree) -> None:
    kernel = SimulatedKernel.of(tree)
    driver = driver_of(kernel)
    driver.set_vfs(device_at(driver, OTHER), 2, lambda *_: None)
    with pytest.raises(VirtualFunctionsInUse):
        reset(kernel, OTHER)
    assert kernel.resets == []


def test_the_console_is_not_reset(tree: HostTree) -> None:
    tree.write(f"sys/bus/pci/devices/{CARD}/boot_vga", "1\n")
    with pytest.raises(UsedByHost):
        reset(SimulatedKernel.of(tree), CARD)


def test_scrubbing_a_card_is_resetting_it_and_a_part_of_it_is_refused(tree: HostTree) -> None:
    kernel = SimulatedKernel.of(tree)
    driver = driver_of(kernel)
    card = device_at(driver, CARD)
    driver.scrub(card, whole(card), "reset", lambda *_: None)
    assert kernel.resets == [CARD]
    driver.set_vfs(device_at(driver, OTHER), 2, lambda *_: None)
    other = device_at(driver, OTHER)
    pool = next(part for part in other.deployables if part.kind is DeployableKind.VF_POOL)
    with pytest.raises(ActRefused, match="is a part of a card"):
        driver.scrub(other, pool, "reset", lambda *_: None)
