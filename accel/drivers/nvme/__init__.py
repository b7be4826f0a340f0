"""NVMe drives: subsystems with their controllers and namespaces."""

from accel.drivers.nvme.driver import NvmeDriver

__all__ = ["NvmeDriver"]
