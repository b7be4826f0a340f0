"""Published helpers for tests of drivers and of what is built on accel."""

from accel.testing.description import description
from accel.testing.driver_contract import DriverContract, options
from accel.testing.host_tree import HostTree, NvmeRow, PciRow, unpack
from accel.testing.kernel import SimulatedKernel
from accel.testing.mocked_host import MockedHost, mocked_host, what_is_missing

__all__ = [
    "DriverContract",
    "HostTree",
    "MockedHost",
    "NvmeRow",
    "PciRow",
    "SimulatedKernel",
    "description",
    "mocked_host",
    "options",
    "unpack",
    "what_is_missing",
]
