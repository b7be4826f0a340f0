"""Intel's FPGA cards, as the kernel's DFL driver or the older one from outside of the kernel shows them."""

from accel.drivers.intel_fpga.driver import IntelFpgaDriver

__all__ = ["IntelFpgaDriver"]
