"""NVIDIA GPUs: whole cards, their MIG instances, their virtual functions.

The kernel says which cards there are, NVML what they are (``nvml``); ``cards`` joins the two, ``parts`` says what of a
card can be scheduled, ``driver`` makes devices of it.
"""

from accel.drivers.nvidia.driver import NvidiaDriver

__all__ = ["NvidiaDriver"]
