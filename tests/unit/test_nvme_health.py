"""What the nvme driver tells of a drive's health: by its own log, by nvme-cli's, and of one that cannot be asked."""

import struct
from datetime import UTC, datetime
from pathlib import Path

import pytest
from support.nvme_drive import EmulatedDrive, drive_in, host_of
from support.vendor_tools import behave, install

from accel.drivers.nvme import NvmeDriver, smart
from accel.model.device import Device, Health
from accel.model.health import Signal
from accel.model.validate import signal_problems
from accel.testing.driver_contract import options
from accel.testing.host_tree import HostTree

NOW = datetime(2026, 11, 21, tzinfo=UTC)
WELL = "100% spare; 3% of its life used; 2 media errors; 31118 hours on"


def page(*, warning: int = 0, celsius: int = 35, spare: int = 100, threshold: int = 10) -> bytes:
    """A health log, as the specification has it."""
    log = bytearray(512)
    struct.pack_into("<BHBBB", log, 0, warning, celsius + 273, spare, threshold, 3)
    struct.pack_into("<Q", log, 128, 31118)
    struct.pack_into("<Q", log, 160, 2)
    return bytes(log)


@pytest.fixture
def tree(tmp_path: Path) -> HostTree:
    return HostTree(tmp_path)


@pytest.fixture
def drive(tree: HostTree) -> EmulatedDrive:
    return drive_in(tree, 1)


def signals(tree: HostTree, drive: EmulatedDrive, **values: object) -> dict[str, tuple[Health, str]]:
    driver = NvmeDriver(host_of(tree, drive), options(NvmeDriver, **values))
    found: list[Signal] = list(driver.examine(device(tree, drive)))
    assert signal_problems(found) == []
    return {signal.source: (signal.value, signal.text) for signal in found}


def device(tree: HostTree, drive: EmulatedDrive) -> Device:
    return next(iter(NvmeDriver(host_of(tree, drive), options(NvmeDriver)).discover()))


def test_a_drive_that_is_well_tells_how_worn_and_how_warm_it_is(tree: HostTree, drive: EmulatedDrive) -> None:
    drive.smart = page()
    assert signals(tree, drive) == {
        "nvme.smart": (Health.HEALTHY, WELL),
        "temperature": (Health.HEALTHY, "drive 35 °C"),
    }


@pytest.mark.parametrize(
    ("log", "said"),
    [
        (page(warning=1 << 0), "its spare capacity is below the threshold; 100% spare"),
        (page(spare=9), "its spare capacity is below the threshold; 9% spare"),
        (page(warning=1, spare=9), "its spare capacity is below the threshold; 9% spare"),
        (page(warning=1 << 2), "its reliability is degraded by errors"),
        (page(warning=1 << 3), "its media can only be read"),
        (page(warning=1 << 4), "the backup of its volatile memory has failed"),
        (page(warning=1 << 5), "its persistent memory can only be read"),
        (page(warning=1 << 1, celsius=90), "its temperature is beyond a threshold"),
    ],
)
def test_what_a_drive_warns_of_makes_it_unfit(tree: HostTree, drive: EmulatedDrive, log: bytes, said: str) -> None:
    drive.smart = log
    value, text = signals(tree, drive)["nvme.smart"]
    assert (value, text.startswith(said)) == (Health.UNHEALTHY, True), text


def test_the_kernel_tells_anybody_how_warm_a_drive_is(tree: HostTree, drive: EmulatedDrive) -> None:
    directory = (tree.root / "sys/class/nvme/nvme0").resolve().relative_to(tree.root.resolve())
    for name, text in {"temp1_input": "84850", "temp1_crit": "84850", "temp1_label": "Composite"}.items():
        tree.write(f"{directory}/hwmon3/{name}", f"{text}\n")
    drive.statuses[0x02] = 0x02
    found = signals(tree, drive)
    assert found["nvme.smart"][0] is Health.UNKNOWN
    assert found["temperature"] == (Health.UNHEALTHY, "too hot: Composite 85 of at most 85 °C")


def test_errors_of_the_media_are_counted(tree: HostTree, drive: EmulatedDrive) -> None:
    drive.smart = page()
    driver = NvmeDriver(host_of(tree, drive), options(NvmeDriver))
    assert [signal.count for signal in driver.examine(device(tree, drive))] == [2, None]


def test_a_log_of_zeros_is_none(tree: HostTree, drive: EmulatedDrive) -> None:
    assert signals(tree, drive) == {"nvme.smart": (Health.UNKNOWN, "its health log makes no sense")}


def test_a_drive_that_does_not_tell_is_of_unknown_health(tree: HostTree, drive: EmulatedDrive) -> None:
    drive.statuses[0x02] = 0x02
    assert signals(tree, drive) == {
        "nvme.smart": (
            Health.UNKNOWN,
            "it cannot be asked: nvme0 refuses command 0x02: it does not know what it was given with the command",
        )
    }


def test_a_drive_that_is_handed_to_a_virtual_machine_is_of_unknown_health(tree: HostTree, drive: EmulatedDrive) -> None:
    seen = device(tree, drive)
    (tree.root / "sys/class/nvme-subsystem/nvme-subsys0").unlink()
    (tree.root / "sys/class/nvme/nvme0").unlink()
    driver = NvmeDriver(host_of(tree, drive), options(NvmeDriver))
    (signal,) = driver.examine(seen)
    assert (signal.value, "bind it to nvme first" in signal.text) == (Health.UNKNOWN, True)


def test_a_log_without_figures_says_nothing() -> None:
    signal = smart.signal(smart.SmartLog(), "nvme.smart", NOW)
    assert (signal.value, signal.text) == (Health.UNKNOWN, "")


# --- by nvme-cli ---


@pytest.fixture
def tool(tree: HostTree) -> str:
    tree.write("var/lib/nvme0.smart", "")
    (tree.root / "var/lib/nvme0.smart").write_bytes(page())
    return install(tree.root, "nvme")["nvme"]


@pytest.mark.parametrize("wordy", [False, True])
def test_nvme_cli_tells_the_same(tree: HostTree, drive: EmulatedDrive, tool: str, *, wordy: bool) -> None:
    behave(tree.root, "nvme", wordy=wordy)
    drive.smart = page()
    by_tool = signals(tree, drive, smart_tool=tool)
    assert drive.sent == []
    assert by_tool == signals(tree, drive)


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"status": 1, "stderr": "open: Permission denied"}, "failed with 1: open: Permission denied"),
        ({"says": {"media_errors": None, "power_on_hours": "many"}}, "100% spare; 3% of its life used"),
    ],
)
def test_what_nvme_cli_does_not_tell_is_not_known(
    tree: HostTree, drive: EmulatedDrive, tool: str, how: dict[str, object], said: str
) -> None:
    behave(tree.root, "nvme", **how)
    value, text = signals(tree, drive, smart_tool=tool)["nvme.smart"]
    assert said in text
    assert value is (Health.UNKNOWN if "status" in how else Health.HEALTHY)


def test_a_tool_that_is_not_installed_is_named(tree: HostTree, drive: EmulatedDrive) -> None:
    found = signals(tree, drive, smart_tool="/nowhere/nvme")
    assert found == {"nvme.smart": (Health.UNKNOWN, "it cannot be asked: /nowhere/nvme is not installed")}


@pytest.mark.parametrize("text", ["", "NVMe status: INVALID", "[]", "{}"])
def test_what_is_no_log_is_none(text: str) -> None:
    assert smart.from_nvme_cli(text) is None
