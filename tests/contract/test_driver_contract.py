"""Every driver of ours keeps the promises that ``accel.testing.driver_contract`` publishes."""

from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest
from support import built_hosts, spdk
from support.host_trees import captured

from accel.drivers import registry
from accel.drivers.accel_class import AccelDriver
from accel.drivers.amd_gpu import AmdGpuDriver
from accel.drivers.ascend import AscendDriver
from accel.drivers.base import Driver, Host
from accel.drivers.fake import FakeDriver
from accel.drivers.intel_fpga import IntelFpgaDriver
from accel.drivers.intel_gpu import IntelGpuDriver
from accel.drivers.intel_qat import IntelQatDriver
from accel.drivers.mdev import MdevDriver
from accel.drivers.nvidia import NvidiaDriver
from accel.drivers.nvme import NvmeDriver
from accel.drivers.pci import PciDriver
from accel.drivers.simulated import SimulatedDriver
from accel.drivers.spdk import SpdkDriver
from accel.drivers.xilinx_fpga import XilinxFpgaDriver
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
    trees = tuple(map(Path, ("fpga-xilinx-alveo", "fpga-n6000-sku0", "ghw-accel", "intel-gpu-fake", "mi250x-16gcd")))

    def make_driver(self, host: Host) -> Driver:
        return PciDriver(host, options(PciDriver))


class TestAmdGpuDriver(CapturedHosts):
    trees = tuple(map(Path, ("kfd-mi210x8", "kfd-mi25x2", "mi250x-16gcd")))

    def make_driver(self, host: Host) -> Driver:
        return AmdGpuDriver(host, options(AmdGpuDriver))


class TestIntelGpuDriver(CapturedHosts):
    trees = (Path("intel-gpu-fake"),)

    def make_driver(self, host: Host) -> Driver:
        return IntelGpuDriver(host, options(IntelGpuDriver))


class TestIntelFpgaDriver(CapturedHosts):
    trees = tuple(
        map(Path, ("fpga-a10-dfl", "fpga-a10-oldriver", "fpga-d5005-dfl", "fpga-n3000-dfl", "fpga-n6000-sku0"))
    )

    def make_driver(self, host: Host) -> Driver:
        return IntelFpgaDriver(host, options(IntelFpgaDriver))


class TestXilinxFpgaDriver(CapturedHosts):
    trees = (Path("fpga-xilinx-alveo"),)

    def make_driver(self, host: Host) -> Driver:
        return XilinxFpgaDriver(host, options(XilinxFpgaDriver))


class BuiltHosts(DriverContract):
    """The contract, on hosts of which none was captured: the name of each is a function of ``support.built_hosts``."""

    @pytest.fixture
    def host(self, tree: Path | None, tmp_path: Path) -> Host:
        return built_hosts.BUILDERS[tree.name](tmp_path, self.node) if tree else Host(name=self.node, root=tmp_path)


class TestIntelQatDriver(BuiltHosts):
    trees = (Path("two-qats"),)

    def make_driver(self, host: Host) -> Driver:
        return IntelQatDriver(host, options(IntelQatDriver))


class TestAscendDriver(BuiltHosts):
    trees = (Path("ascend"),)

    def make_driver(self, host: Host) -> Driver:
        return AscendDriver(host, options(AscendDriver))


class TestAccelDriver(BuiltHosts):
    trees = (Path("accel-class"),)

    def make_driver(self, host: Host) -> Driver:
        return AccelDriver(host, options(AccelDriver))


class TestMdevDriver(BuiltHosts):
    trees = (Path("mdev-parents"),)

    def make_driver(self, host: Host) -> Driver:
        return MdevDriver(host, options(MdevDriver, types=["i915-GVTg_V5_4", "mtty-2"]))


class TestMdevDriverWithoutAChoice(TestMdevDriver):
    def make_driver(self, host: Host) -> Driver:
        return MdevDriver(host, options(MdevDriver))


class TestSpdkDriver(DriverContract):
    trees = (Path("spdk"),)

    @pytest.fixture
    def host(self, tree: Path | None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
        root = tmp_path_factory.mktemp("h")  # short, as the path of a socket must be
        application = spdk.Application().add(spdk.bdev("Nvme0n1"), spdk.bdev("Malloc0"), spdk.bdev("Malloc1"))
        application.add(spdk.subsystem("nqn.2016-06.io.spdk:cnode1", "Malloc0"), spdk.vhost_blk("vhost.0", "Malloc1"))
        with spdk.running(application, root / "var/tmp/spdk.sock") if tree else nullcontext():
            yield Host(name=self.node, root=root)

    def make_driver(self, host: Host) -> Driver:
        return SpdkDriver(host, options(SpdkDriver, export="nvmf", listen="TCP:192.0.2.10:4420"))


class TestSimulatedDriver(DriverContract):
    trees = (_FLEETS,)
    node = "a100-01"

    def make_driver(self, host: Host) -> Driver:
        return SimulatedDriver(host, options(SimulatedDriver, fleet_file="demo.yaml"))


class TestSimulatedDriverWithFaults(TestSimulatedDriver):
    node = "mi300x-01"


def _subclasses(kind: type[DriverContract]) -> Iterator[type[DriverContract]]:
    for child in kind.__subclasses__():
        if child.__module__ == __name__:
            yield child
            yield from _subclasses(child)


def test_each_driver_of_ours_is_held_to_the_contract() -> None:
    held = {
        kind.make_driver(kind(), Host(name="node-1", root=Path("/nowhere"))).__class__
        for kind in _subclasses(DriverContract)
        if kind.__name__.startswith("Test")
    }
    ours = [name for name, entry in registry.installed().items() if entry.value.startswith("accel.")]

    assert set(registry.load(ours).values()) == held
