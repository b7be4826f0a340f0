"""SPDK targets: storage that a process in user space serves over NVMe-oF and vhost."""

from accel.drivers.spdk.driver import SpdkDriver

__all__ = ["SpdkDriver"]
