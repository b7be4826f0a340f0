"""What a look costs, in files that are opened: the same figure on every machine."""

import re
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.built_hosts import large_host
from support.discovery import ENABLED, NODE, devices

from accel.agent.probe import Setup
from accel.agent.runner import InlineRunner
from accel.drivers.base import Host
from accel.drivers.sysfs import surveyed
from accel.testing import HostTree, PciRow

_IDENTITY = re.compile(r"/\d{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]/(vendor|device|class)$")


class _Opened:
    """What this process opens while somebody counts. A hook of the interpreter stays for as long as that runs."""

    def __init__(self) -> None:
        self.paths: list[str] | None = None
        sys.addaudithook(self._note)

    def _note(self, event: str, arguments: tuple[object, ...]) -> None:
        if self.paths is not None and event in {"open", "os.listdir", "os.scandir"}:
            self.paths.append(str(arguments[0]))

    @contextmanager
    def below(self, root: Path) -> Iterator[list[str]]:
        """The paths below a directory that are opened until the end."""
        found: list[str] = []
        self.paths = []
        try:
            yield found
        finally:
            found += [path for path in self.paths if path.startswith(f"{root}/")]
            self.paths = None


_OPENED = _Opened()


PRODUCTS: dict[str, tuple[str, str, int] | None] = {
    "mdev": None,
    "nvidia": ("10de", "20b0", 0x030200),
    "amd_gpu": ("1002", "740f", 0x038000),
    "intel_gpu": ("8086", "56c0", 0x030000),
    "intel_fpga": ("8086", "09c4", 0x120000),
    "xilinx_fpga": ("10ee", "5001", 0x120000),
    "intel_qat": ("8086", "37c8", 0x0B4000),
    "ascend": ("19e5", "d802", 0x120000),
    "accel": ("1da3", "1020", 0x120000),
    "nvme": ("144d", "a80a", 0x010802),
}
"""Vendor, product and class of a card for each driver, where it is for cards of its own."""


def look(host: Host, drivers: Sequence[str]) -> list[str]:
    """The paths that one look of some drivers opens."""
    runner = InlineRunner([Setup(driver=name, host=host) for name in drivers])
    runner.discover()  # whatever is loaded on first use
    with _OPENED.below(host.root) as paths:
        runner.discover()
    return paths


def test_the_pci_bus_is_read_once_for_all_drivers(tmp_path: Path) -> None:
    host = large_host(tmp_path, NODE)

    times = Counter(path for path in look(host, ENABLED) if _IDENTITY.search(path))

    assert len(times) == 3 * len(list((tmp_path / "sys/bus/pci/devices").iterdir())) == 3 * 560
    assert set(times.values()) == {1}


def test_a_look_of_all_drivers_opens_few_files_beside_what_tells_functions_apart(tmp_path: Path) -> None:
    host = large_host(tmp_path, NODE)

    others = [path for path in look(host, ENABLED) if not _IDENTITY.search(path)]

    assert len(devices(tmp_path)) == 20
    assert len(others) < 3 * 560


@pytest.mark.parametrize("driver", PRODUCTS)
def test_the_work_of_a_driver_does_not_grow_with_devices_of_others(tmp_path: Path, driver: str) -> None:
    """Beside the one list of functions. ``pci`` looks at every accelerator, to have it where its own driver fails."""
    few = host_of_others(tmp_path / "few", driver, of_each=1)
    many = host_of_others(tmp_path / "many", driver, of_each=8)

    assert len(look(many, [driver])) == len(look(few, [driver]))


def host_of_others(root: Path, driver: str, *, of_each: int) -> Host:
    """A host with cards of all drivers but one, whose functions are listed already."""
    tree = HostTree(root)
    rows = [row for name, row in PRODUCTS.items() if name != driver] * of_each
    for bus, (vendor, product, class_code) in enumerate(filter(None, rows), start=1):
        row = PciRow(address=f"0000:{bus:02x}:00.0", vendor=vendor, product=product, class_code=class_code)
        tree.pci_function(row)
    return surveyed(tree.host(NODE))


def test_every_driver_of_the_default_is_measured() -> None:
    assert PRODUCTS.keys() == set(ENABLED) - {"pci"}
