"""Every driver of ours keeps the promises that ``accel.testing.driver_contract`` publishes."""

from pathlib import Path

import pytest
from support.host_trees import captured

from accel.drivers import registry
from accel.drivers.base import Driver, Host
from accel.drivers.fake import FakeDriver
from accel.drivers.nvidia import NvidiaDriver
from accel.drivers.nvme import NvmeDriver
from accel.drivers.pci import PciDriver
from accel.drivers.simulated import SimulatedDriver
from accel.testing.driver_contract import DriverContract, options

_FLEETS = Path(__file__).parents[2] / "etc/accel/fleets"


class CapturedHosts(DriverContract):
    """The contract, on hosts that are kept as archives: each of the trees is the name of one."""

    @pytest.fixture
    def host(self, tree: Path | None, tmp_path: Path) -> Host:
        return Host(name=self.node, root=captured(tree.name) if tree else tmp_path)


class TestFakeDriver(DriverContract):
    def make_driver(self, host: Host) -> Driver:
        return FakeDriver(host, options(FakeDriver))


class TestNvidiaDriver(CapturedHosts):
    trees = (Path("ghw-accel-nvidia"),)

    def make_driver(self, host: Host) -> Driver:
        return NvidiaDriver(host, options(NvidiaDriver))


class TestNvmeDriver(CapturedHosts):
    trees = tuple(map(Path, ("nvme-power10-multipath", "qemu-2numa-boot")))

    def make_driver(self, host: Host) -> Driver:
        return NvmeDriver(host, options(NvmeDriver))


class TestPciDriver(CapturedHosts):
    trees = tuple(
        map(Path, ("fpga-xilinx-alveo", "ghw-accel", "intel-gpu-fake", "kfd-mi210x8", "kfd-mi25x2", "mi250x-16gcd"))
    )

    def make_driver(self, host: Host) -> Driver:
        return PciDriver(host, options(PciDriver))


class TestSimulatedDriver(DriverContract):
    trees = (_FLEETS,)
    node = "a100-01"

    def make_driver(self, host: Host) -> Driver:
        return SimulatedDriver(host, options(SimulatedDriver, fleet_file="demo.yaml"))


class TestSimulatedDriverWithFaults(TestSimulatedDriver):
    node = "mi300x-01"


def test_each_driver_of_ours_is_held_to_the_contract() -> None:
    held = {FakeDriver, NvidiaDriver, NvmeDriver, PciDriver, SimulatedDriver}
    ours = [name for name, entry in registry.installed().items() if entry.value.startswith("accel.")]

    assert set(registry.load(ours).values()) == held
