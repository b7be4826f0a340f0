"""Erasing drives and namespaces: how, when not, what is believed, and what becomes of it when somebody dies."""

import errno
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from support.nvme_drive import (
    ADDRESS,
    BLOCK,
    CRYPTO,
    DONE,
    FAILED,
    RUNNING,
    EmulatedDrive,
    Hands,
    SecondaryController,
    drive_in,
    fill,
    host_of,
)

from accel.drivers.base import Host
from accel.drivers.nvme import NvmeDriver
from accel.errors import ActFailed, ActNotSupported, ActRefused, DeviceGone, NotVerified, UsedByHost
from accel.model.device import Deployable, Device
from accel.testing.driver_contract import options
from accel.testing.host_tree import HostTree, PciRow

METHODS = ("crypto-erase", "block-erase", "format-crypto", "format-erase", "overwrite", "zero")
SANITIZE, FORMAT = 0x84, 0x80
MOUNT = "25 1 259:2 / {where} rw,relatime shared:1 - ext4 /dev/nvme0n{number} rw\n"


class Bench:
    """A host with a drive, and somebody who wants it erased."""

    def __init__(self, root: Path, *namespaces: int) -> None:
        self.tree = HostTree(root)
        self.drive: EmulatedDrive = drive_in(self.tree, *namespaces)
        self.steps: list[tuple[str, float | None]] = []
        self.reasons: list[tuple[str, str]] = []
        """What cannot be cancelled, and why."""

    @property
    def driver(self) -> NvmeDriver:
        return NvmeDriver(host_of(self.tree, self.drive), options(NvmeDriver, look_every_seconds=0.01))

    def look(self) -> Device:
        return next(iter(self.driver.discover()))

    def scrub(self, method: str = "best", part: str = "") -> None:
        """Erase the drive, or a part of it: ``_ns1``."""
        device = self.look()
        self.driver.scrub(device, _part(device, part), method, self._progress)

    def holds(self, number: int) -> bool:
        """Whether a namespace holds what was put into it."""
        file = self.drive.files[number]
        there = file.read_bytes()
        fill(file, number, len(there))
        was = file.read_bytes()
        file.write_bytes(there)
        return there == was

    def _progress(self, message: str, fraction: float | None = None, *, must_go_on: str = "") -> None:
        self.steps.append((message, fraction))
        if must_go_on:
            self.reasons.append((message, must_go_on))


def _part(device: Device, suffix: str) -> Deployable:
    return next(part for part in device.deployables if part.name == f"node-1_{ADDRESS}{suffix}")


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path, 1)


@pytest.fixture
def two(tmp_path: Path) -> Bench:
    """One whose drive has two namespaces."""
    return Bench(tmp_path, 1, 2)


# --- what is done ---


@pytest.mark.parametrize("method", METHODS)
def test_each_method_erases_all_of_a_drive(two: Bench, method: str) -> None:
    two.scrub(method)
    assert (two.holds(1), two.holds(2)) == (False, False)
    message, fraction = two.steps[-1]
    assert (message, fraction) == (f"erased by {method}, verified", 1.0)


@pytest.mark.parametrize("method", ["format-crypto", "format-erase", "zero"])
def test_some_methods_erase_one_namespace_alone(two: Bench, method: str) -> None:
    two.scrub(method, "_ns2")
    assert (two.holds(1), two.holds(2)) == (True, False)


def test_the_driver_names_all_its_methods_the_best_first() -> None:
    assert NvmeDriver.scrub_methods == ("best", *METHODS)


@pytest.mark.parametrize(
    ("sanicap", "oacs", "fna", "chosen"),
    [
        (0b111, 0b10, 0b100, "crypto-erase"),
        (0b110, 0b10, 0b100, "block-erase"),
        (0b100, 0b10, 0b100, "format-crypto"),
        (0b100, 0b10, 0b000, "format-erase"),
        (0b100, 0b00, 0b100, "overwrite"),
        (0b000, 0b00, 0b000, "zero"),
    ],
)
def test_the_best_is_what_the_controller_can(bench: Bench, sanicap: int, oacs: int, fna: int, chosen: str) -> None:
    bench.drive.sanicap, bench.drive.oacs, bench.drive.fna = sanicap, oacs, fna
    bench.scrub()
    assert bench.steps[-1][0] == f"erased by {chosen}, verified"


@pytest.mark.parametrize(("fna", "chosen"), [(0b100, "format-crypto"), (0b101, "zero"), (0b110, "zero")])
def test_the_best_for_one_namespace_of_several_reaches_no_further(two: Bench, fna: int, chosen: str) -> None:
    two.drive.fna = fna
    two.scrub(part="_ns1")
    assert two.steps[-1][0] == f"erased by {chosen}, verified"
    assert (two.holds(1), two.holds(2)) == (False, True)


def test_the_only_namespace_of_a_drive_may_be_sanitized(bench: Bench) -> None:
    bench.scrub(part="_ns1")
    assert bench.drive.changes == [SANITIZE]


def test_a_format_of_all_namespaces_at_once_is_told_once(two: Bench) -> None:
    two.drive.fna = 0b101
    two.scrub("format-crypto")
    assert two.drive.changes == [FORMAT]
    assert (two.holds(1), two.holds(2)) == (False, False)


def test_how_far_a_drive_is_is_told_on_the_way(bench: Bench) -> None:
    bench.scrub("block-erase")
    told = [fraction for message, fraction in bench.steps if message == "block-erase in the drive"]
    assert told == [0.0, 0.25, 0.5, 0.75]


@pytest.mark.parametrize("method", ["block-erase", "format-erase"])
def test_what_the_drive_does_by_itself_cannot_be_cancelled_and_writing_zeros_can(method: str, bench: Bench) -> None:
    bench.scrub(method)
    assert {message.split()[0] for message, _ in bench.reasons} == {method}
    assert all(reason.startswith("the drive does it by itself") for _, reason in bench.reasons)

    bench.reasons.clear()
    bench.scrub("zero")
    assert bench.reasons == []


def test_a_drive_without_a_namespace_can_be_sanitized(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.scrub()
    assert bench.drive.changes == [SANITIZE]


def test_erasing_twice_is_erasing(bench: Bench) -> None:
    bench.scrub()
    bench.scrub("zero")
    bench.scrub("zero")
    assert not bench.holds(1)


# --- when it is not done ---


def _mounted(bench: Bench) -> None:
    bench.tree.write("proc/self/mountinfo", MOUNT.format(where="/", number=1))


def _swapped_to(bench: Bench) -> None:
    bench.tree.write("proc/swaps", "Filename\tType\tSize\tUsed\tPriority\n/dev/nvme0n1 partition 8388604 0 -2\n")


def _held(bench: Bench) -> None:
    bench.tree.write("sys/devices/virtual/nvme-subsystem/nvme-subsys0/nvme0n1/holders/md0/size", "1")


def _open(bench: Bench) -> None:
    bench.tree.write("proc/4711/comm", "qemu\n")
    (bench.tree.root / "proc/4711/fd").mkdir()
    (bench.tree.root / "proc/4711/fd/7").symlink_to("/dev/nvme0n1")


def _cut(bench: Bench) -> None:
    bench.tree.virtual_function(PciRow(address="0000:81:00.1", class_code=0x010802), of=ADDRESS)


def _resetting(bench: Bench) -> None:
    state = bench.tree.root / "sys/class/nvme/nvme0/state"
    state.write_text("resetting\n")


def _shared(bench: Bench) -> None:
    bench.drive.cmic, bench.drive.controllers = 2, [0, 7]


@pytest.mark.parametrize(
    ("obstacle", "said"),
    [
        (_mounted, "nvme0n1 is used by the host: /:"),
        (_swapped_to, "used by the host: swap"),
        (_held, "used by the host: /dev/md0"),
        (_open, r"process 4711 \(qemu\) has /dev/nvme0n1.* open"),
        (_cut, "it has 1 virtual functions"),
        (_resetting, "controller nvme0 is resetting"),
        (_shared, r"controllers that this host does not see \(7\)"),
    ],
)
@pytest.mark.parametrize("method", ["best", *METHODS])
def test_what_somebody_uses_is_not_erased(
    two: Bench, obstacle: Callable[[Bench], None], said: str, method: str
) -> None:
    obstacle(two)
    with pytest.raises(ActRefused, match=said):
        two.scrub(method)
    assert two.drive.changes == []
    assert (two.holds(1), two.holds(2)) == (True, True)


@pytest.mark.parametrize("method", ["crypto-erase", "block-erase", "overwrite"])
def test_what_reaches_the_whole_drive_is_not_done_for_one_namespace_of_several(two: Bench, method: str) -> None:
    with pytest.raises(ActNotSupported, match=r"would erase namespaces 1 of the drive, too.*what can: format-crypto"):
        two.scrub(method, "_ns2")
    assert two.drive.changes == []


def test_a_format_that_reaches_all_namespaces_is_not_done_for_one(two: Bench) -> None:
    two.drive.fna = 0b110
    with pytest.raises(ActNotSupported, match="would erase namespaces 1"):
        two.scrub("format-erase", "_ns2")


def test_a_mount_of_another_namespace_is_no_obstacle_to_what_erases_one(two: Bench) -> None:
    two.tree.write("proc/self/mountinfo", MOUNT.format(where="/srv", number=2))
    two.scrub(part="_ns1")
    assert (two.holds(1), two.holds(2)) == (False, True)


def test_a_namespace_that_the_kernel_shows_twice_is_one_and_in_use_by_either_name(bench: Bench) -> None:
    """Without multipathing each controller shows it; the host may have mounted the other one."""
    disk = "sys/devices/virtual/nvme-subsystem/nvme-subsys0/nvme1n1"
    bench.tree.write(f"{disk}/nsid", "1\n")
    bench.tree.write(f"{disk}/size", "1024\n")
    bench.tree.write("proc/self/mountinfo", "25 1 0:40 / /srv rw - xfs /dev/nvme1n1 rw\n")
    with pytest.raises(UsedByHost, match="nvme1n1 is used by the host: /srv"):
        bench.scrub("zero", "_ns1")
    bench.tree.write("proc/self/mountinfo", "")
    bench.scrub("crypto-erase", "_ns1")
    assert not bench.holds(1)


def test_namespaces_that_are_not_seen_count(bench: Bench) -> None:
    bench.drive.hidden = [5]
    with pytest.raises(ActNotSupported, match="would erase namespaces 5 of the drive, too"):
        bench.scrub("crypto-erase", "_ns1")
    with pytest.raises(ActNotSupported, match="does not reach namespaces 5, which this host does not see"):
        bench.scrub("zero")
    bench.scrub()
    assert bench.drive.changes == [SANITIZE]


def test_secondary_controllers_are_the_drive_s_own(bench: Bench) -> None:
    bench.drive.cmic, bench.drive.controllers = 2, [0, 1, 2]
    bench.drive.secondaries = [SecondaryController(1, 1), SecondaryController(2, 2)]
    bench.scrub()
    assert not bench.holds(1)


def test_a_method_that_the_controller_lacks_is_refused_with_those_it_has(bench: Bench) -> None:
    bench.drive.sanicap = 0
    with pytest.raises(
        ActNotSupported, match=r"crypto-erase cannot be done.*what can: format-crypto, format-erase, zero"
    ):
        bench.scrub("crypto-erase")


def test_a_method_that_nobody_knows_is_refused_with_those_there_are(bench: Bench) -> None:
    with pytest.raises(ActNotSupported, match="'shred' is no way to erase a drive: the ways: best, crypto-erase"):
        bench.scrub("shred")


def test_a_pool_of_virtual_functions_cannot_be_erased(bench: Bench) -> None:
    _cut(bench)
    with pytest.raises(ActNotSupported, match="erase the drive or a namespace"):
        bench.scrub(part="_vfs")


def test_a_drive_that_the_kernel_does_not_drive_cannot_be_erased(bench: Bench) -> None:
    device = bench.look()
    (bench.tree.root / "sys/class/nvme-subsystem/nvme-subsys0").unlink()
    (bench.tree.root / "sys/class/nvme/nvme0").unlink()
    with pytest.raises(DeviceGone, match="bind it to nvme first"):
        bench.driver.scrub(device, device.deployables[0], "best", print)


def test_a_drive_that_is_starting_is_waited_for(bench: Bench) -> None:
    """The kernel's driver takes a while after it was given the drive back."""
    device, state = bench.look(), bench.tree.root / "sys/class/nvme/nvme0/state"
    state.write_text("connecting\n")
    live = bench.tree.write("live", "live\n")
    waiting = threading.Timer(0.02, lambda: live.replace(state))
    waiting.start()
    bench.driver.scrub(device, device.deployables[0], "best", lambda *_, **__: None)
    waiting.join()
    assert not bench.holds(1)


def test_a_command_that_the_drive_refuses_is_told_in_words(bench: Bench) -> None:
    bench.drive.statuses[SANITIZE] = 0x10B
    with pytest.raises(ActRefused, match="nvme0 refuses command 0x84: new firmware waits for a reset"):
        bench.scrub()
    bench.drive.statuses[SANITIZE] = 0x7FF
    with pytest.raises(ActRefused, match="it answers with status 0x7ff"):
        bench.scrub()


def test_what_cannot_be_read_is_not_erased_because_nobody_could_tell(bench: Bench) -> None:
    bench.drive.files[1].unlink()
    with pytest.raises(ActRefused, match="nvme0n1 cannot be read"):
        bench.scrub()
    assert bench.drive.changes == []


# --- what is believed ---


@pytest.mark.parametrize("method", [method for method in METHODS if method != "zero"])
def test_a_drive_that_only_says_that_it_erases_is_found_out(bench: Bench, method: str) -> None:
    bench.drive.lies = True
    with pytest.raises(NotVerified, match="nvme0n1 reads at byte 0 as before"):
        bench.scrub(method)


def test_zeros_that_are_not_there_are_found_out(bench: Bench) -> None:
    class Forgetful(Hands):
        def zero_blocks(self, node: Path, offset: int, length: int, *, timeout_seconds: float = 600) -> None:
            super().zero_blocks(node, offset, length - 4096, timeout_seconds=timeout_seconds)

    device, host = (
        bench.look(),
        Host(name="node-1", root=bench.tree.root, hands=Forgetful(bench.tree.root, bench.drive)),
    )
    driver = NvmeDriver(host, options(NvmeDriver))
    with pytest.raises(NotVerified, match=f"is not zero at byte {(512 << 10) - 4096}"):
        driver.scrub(device, device.deployables[0], "zero", lambda *_: None)


def test_an_erase_that_fails_in_the_drive_leaves_it_unknown(bench: Bench) -> None:
    bench.drive.fails = True
    with pytest.raises(ActFailed, match="the drive says failed") as caught:
        bench.scrub()
    assert not isinstance(caught.value, ActRefused)
    assert bench.drive.state == FAILED


def test_a_drive_that_vanishes_on_the_way_is_unknown(bench: Bench) -> None:
    bench.drive.vanishes = True
    with pytest.raises(ActFailed, match=os.strerror(errno.ENODEV)) as caught:
        bench.scrub()
    assert not isinstance(caught.value, ActRefused)


@pytest.mark.parametrize(("number", "kind"), [(1, ActRefused), (2, ActFailed)])
def test_a_namespace_that_is_not_formatted_tells_how_far_it_went(
    two: Bench, number: int, kind: type[ActFailed]
) -> None:
    two.drive.refused_namespace = number
    with pytest.raises(ActFailed, match="no such namespace, or its format is not right") as caught:
        two.scrub("format-erase")
    assert type(caught.value) is kind


# --- what becomes of it when somebody dies ---


def test_a_sanitize_that_runs_already_is_waited_for(bench: Bench) -> None:
    """The agent died; the drive went on."""
    bench.drive.state, bench.drive.action = RUNNING, BLOCK
    bench.scrub()
    assert bench.drive.changes == []
    assert (bench.drive.state, bench.steps[-1][0]) == (DONE, "erased by block-erase, verified")


def test_a_sanitize_of_another_kind_is_not_what_was_wanted(bench: Bench) -> None:
    bench.drive.state, bench.drive.action = RUNNING, CRYPTO
    with pytest.raises(ActRefused, match="sanitizes already, by crypto-erase: wait for its end"):
        bench.scrub("block-erase")


def test_a_sanitize_that_ended_while_nobody_looked_is_done_again(bench: Bench) -> None:
    """Nobody knows what was written since."""
    bench.drive.state, bench.drive.action = DONE, CRYPTO
    bench.scrub("crypto-erase")
    assert bench.drive.changes == [SANITIZE]
