"""Xilinx' (AMD's) Alveo cards, as their runtime's kernel drivers show them."""

from accel.drivers.xilinx_fpga.driver import XilinxFpgaDriver

__all__ = ["XilinxFpgaDriver"]
