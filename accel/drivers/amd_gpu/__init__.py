"""AMD's GPUs, as the amdgpu kernel driver and its compute part (KFD) show them."""

from accel.drivers.amd_gpu.driver import AmdGpuDriver

__all__ = ["AmdGpuDriver"]
