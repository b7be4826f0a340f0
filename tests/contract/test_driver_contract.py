"""Every driver of ours keeps the promises that ``accel.testing.driver_contract`` publishes."""

from pathlib import Path

from accel.drivers.base import Driver, Host
from accel.drivers.fake import FakeDriver
from accel.drivers.nvidia import NvidiaDriver
from accel.drivers.simulated import SimulatedDriver
from accel.testing.driver_contract import DriverContract, options

_REPOSITORY = Path(__file__).parents[2]
_FLEETS = _REPOSITORY / "etc/accel/fleets"


class TestFakeDriver(DriverContract):
    def make_driver(self, host: Host) -> Driver:
        return FakeDriver(host, options(FakeDriver))


class TestNvidiaDriver(DriverContract):
    def make_driver(self, host: Host) -> Driver:
        return NvidiaDriver(host, options(NvidiaDriver))


class TestSimulatedDriver(DriverContract):
    trees = (_FLEETS,)
    node = "a100-01"

    def make_driver(self, host: Host) -> Driver:
        return SimulatedDriver(host, options(SimulatedDriver, fleet_file="demo.yaml"))


class TestSimulatedDriverWithFaults(TestSimulatedDriver):
    node = "mi300x-01"
