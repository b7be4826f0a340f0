"""Published helpers for tests of drivers and of what is built on accel."""

from accel.testing.driver_contract import DriverContract, options
from accel.testing.host_tree import HostTree, NvmeRow, PciRow, unpack

__all__ = ["DriverContract", "HostTree", "NvmeRow", "PciRow", "options", "unpack"]
