"""What files with images for FPGAs say of themselves: what they were built for, and what they load.

``read_header`` knows the green bitstreams of Intel's boards (GBS) and the containers of Xilinx' (AMD's) boards
(xclbin, xsabin).
"""

from accel.model.image.header import ImageFormat, ImageHeader, ImagePurpose, normal_id
from accel.model.image.reading import read_header

__all__ = ["ImageFormat", "ImageHeader", "ImagePurpose", "normal_id", "read_header"]
