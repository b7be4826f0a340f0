"""What the amd_gpu driver tells of a GPU's health, by the kernel's counters and by AMD's library."""

import json
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from accel.drivers.amd_gpu import AmdGpuDriver, smi
from accel.drivers.amd_gpu.examination import examine
from accel.drivers.amd_gpu.smi import ErrorCounts
from accel.drivers.sysfs import pci_functions
from accel.errors import DriverUnavailable
from accel.model.address import PciAddress
from accel.model.device import Health
from accel.model.validate import signal_problems
from accel.testing.driver_contract import options
from accel.testing.host_tree import HostTree, PciRow

GPU = "0000:c1:00.0"
LIBRARY = Path(__file__).parents[1] / "data" / "python"
NOW = datetime(2026, 11, 21, tzinfo=UTC)


@pytest.fixture
def tree(tmp_path: Path) -> HostTree:
    tree = HostTree(tmp_path)
    tree.pci_function(PciRow(address=GPU, vendor="1002", product="740f", class_code=0x038000, driver="amdgpu"))
    return tree


def ras(tree: HostTree, **files: str) -> None:
    """What the kernel's driver counts."""
    directory = (tree.root / f"sys/bus/pci/devices/{GPU}").resolve().relative_to(tree.root.resolve())
    for name, text in files.items():
        tree.write(f"{directory}/ras/{name}", text)


def signals(tree: HostTree) -> dict[str, tuple[Health, str, int | None]]:
    driver = AmdGpuDriver(tree.host(), options(AmdGpuDriver))
    (device,) = driver.discover()
    found = list(driver.examine(device))
    assert signal_problems(found) == []
    return {signal.source: (signal.value, signal.text, signal.count) for signal in found}


def test_errors_are_counted_by_where_they_were(tree: HostTree) -> None:
    ras(tree, umc_err_count="ue: 2\nce: 5\nde: 0\n", sdma_err_count="ue: 0\nce: 1\n", features="feature mask: 0x5\n")
    assert signals(tree) == {"amd.ras": (Health.HEALTHY, "2 uncorrectable (umc 2); 6 correctable (sdma 1, umc 5)", 2)}


@pytest.mark.parametrize(
    ("pages", "told"),
    [
        ("", (Health.HEALTHY, "none", 0)),
        (
            "0x00000001 : 0x00001000 : R\n0x00000002 : 0x00001000 : P\n0x00000003 : 0x00001000 : R\n",
            (Health.HEALTHY, "2 pages out of use, 1 pages out of use after the next reset", 3),
        ),
        ("0x00000003 : 0x00001000 : F\n", (Health.UNHEALTHY, "1 pages that cannot be taken out of use", 1)),
    ],
)
def test_memory_that_is_lost_is_told_and_makes_unfit_while_it_is_used(
    tree: HostTree, pages: str, told: tuple[Health, str, int]
) -> None:
    ras(tree, gpu_vram_bad_pages=pages)
    assert signals(tree)["amd.bad_pages"] == told


def test_counters_that_cannot_be_read_are_not_known(tree: HostTree) -> None:
    ras(tree, umc_err_count="", gpu_vram_bad_pages="")
    for name in ("umc_err_count", "gpu_vram_bad_pages"):
        place = (tree.root / f"sys/bus/pci/devices/{GPU}/ras/{name}").resolve().relative_to(tree.root.resolve())
        tree.unreadable(str(place))
    assert signals(tree) == {
        "amd.ras": (Health.UNKNOWN, "its counters cannot be read: Is a directory", None),
        "amd.bad_pages": (Health.UNKNOWN, "they cannot be read: Is a directory", None),
    }


def test_a_gpu_that_sleeps_is_not_woken_and_one_without_counters_has_nothing_to_tell(tree: HostTree) -> None:
    assert signals(tree) == {}
    ras(tree, umc_err_count="ue: 2\nce: 5\n")
    directory = (tree.root / f"sys/bus/pci/devices/{GPU}").resolve().relative_to(tree.root.resolve())
    tree.write(f"{directory}/power/runtime_status", "suspended\n")
    assert signals(tree) == {}


def test_what_the_library_counts_is_told_where_the_kernel_shows_nothing(tree: HostTree) -> None:
    (function,) = pci_functions(tree.host())
    (signal,) = examine(function, ErrorCounts(uncorrectable=3, correctable=9), NOW)
    assert (signal.source, signal.text, signal.count) == ("amd.ras", "3 uncorrectable; 9 correctable", 3)


# --- AMD's library ---


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Installs the library, which sees what it is given."""

    def install(**says: object) -> None:
        file = tmp_path / "amdsmi.json"
        file.write_text(json.dumps(says))
        monkeypatch.setenv("AMDSMI_STAND_IN", str(file))
        monkeypatch.syspath_prepend(str(LIBRARY))

    yield install
    sys.modules.pop("amdsmi", None)


def test_the_library_knows_a_gpu_by_its_address(library: Callable[..., None]) -> None:
    counts = {"uncorrectable_count": 1, "correctable_count": 4, "deferred_count": 0}
    library(gpus={"0000:23:00.0": None, GPU: counts, "nonsense": None})
    assert smi.error_counts(PciAddress.parse(GPU)) == ErrorCounts(uncorrectable=1, correctable=4)
    assert smi.error_counts(PciAddress.parse("0000:23:00.0")) is None
    assert smi.error_counts(PciAddress.parse("0000:99:00.0")) is None


def test_an_answer_that_makes_no_sense_is_none(library: Callable[..., None]) -> None:
    library(gpus={GPU: {"uncorrectable_count": "N/A"}})
    assert smi.error_counts(PciAddress.parse(GPU)) is None


def test_a_library_without_the_kernel_s_driver_is_away(library: Callable[..., None]) -> None:
    library(driver=False, gpus={})
    with pytest.raises(DriverUnavailable, match="amdsmi does not start: AMDSMI_STATUS_DRIVER_NOT_LOADED"):
        smi.error_counts(PciAddress.parse(GPU))


def test_a_library_that_is_not_installed_is_away() -> None:
    with pytest.raises(DriverUnavailable, match="amdsmi is not installed: ModuleNotFoundError"):
        smi.error_counts(PciAddress.parse(GPU))


def test_a_module_without_what_it_wraps_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AMDSMI_STAND_IN", raising=False)
    monkeypatch.syspath_prepend(str(LIBRARY))
    with pytest.raises(DriverUnavailable, match=r"amdsmi is not installed: KeyError\('AMDSMI_STAND_IN'\)"):
        smi.error_counts(PciAddress.parse(GPU))
