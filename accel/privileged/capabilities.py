"""The kernel's capabilities, as far as we use them: which each context takes, which we have, and keeping them asleep.

Under systemd the agent has them as ambient capabilities, which every program that it starts has, too. So the agent puts
them to sleep in itself: they stay permitted, for a context to wake up those that it takes, and have no effect before.
"""

import ctypes
import os
from collections.abc import Iterable, Mapping
from enum import IntEnum
from pathlib import Path

from accel.privileged.base import Context


class Capability(IntEnum):
    """Numbers of linux/capability.h."""

    CAP_CHOWN = 0
    CAP_DAC_OVERRIDE = 1
    CAP_FOWNER = 3
    CAP_SYS_ADMIN = 21


NEEDED: Mapping[Context, tuple[Capability, ...]] = {
    Context.SYSFS: (Capability.CAP_DAC_OVERRIDE,),
    Context.VFIO: (Capability.CAP_DAC_OVERRIDE, Capability.CAP_CHOWN, Capability.CAP_FOWNER),
    Context.TOOLS: (Capability.CAP_DAC_OVERRIDE, Capability.CAP_SYS_ADMIN),
    Context.NVME: (Capability.CAP_DAC_OVERRIDE, Capability.CAP_SYS_ADMIN),
    Context.NVML: (Capability.CAP_DAC_OVERRIDE, Capability.CAP_SYS_ADMIN),
}
"""What each context keeps. Nodes and attributes belong to root, so whoever is not root opens them by CAP_DAC_OVERRIDE;
NVMe's admin commands, the control of NVIDIA's GPUs and several tools ask for CAP_SYS_ADMIN."""

_VERSION_3 = 0x20080522
_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE = 47, 2
_NONE = 0


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Sets(ctypes.Structure):
    """Half of each set: the kernel takes two of these, low bits first."""

    _fields_ = (("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("inheritable", ctypes.c_uint32))


def missing(context: Context) -> tuple[str, ...]:
    """Which capabilities of a context this process has not, by name."""
    permitted = _set("CapPrm")
    return tuple(one.name for one in NEEDED[context] if not permitted >> one & 1)


def put_to_sleep() -> None:
    """Let what this process may do by capabilities have no effect in it. Root may do without them; he is left alone."""
    if os.geteuid() != 0 and _set("CapEff"):
        _replace(effective=_NONE, permitted=_set("CapPrm"), inheritable=_set("CapInh"))


def pass_on(wanted: Iterable[Capability]) -> None:
    """Let the programs that this thread starts have capabilities of its; those that root starts have them anyway."""
    if os.geteuid() == 0:
        return
    capabilities = tuple(wanted)
    mask = sum(1 << one for one in capabilities)
    _replace(effective=_set("CapEff"), permitted=_set("CapPrm"), inheritable=_set("CapInh") | mask)
    for one in capabilities:
        _succeed(_libc().prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, int(one), 0, 0))


def _set(name: str) -> int:
    """One of this thread's sets, as bits."""
    status = Path("/proc/thread-self/status").read_text(encoding="utf-8")
    return next((int(line.split()[1], 16) for line in status.splitlines() if line.startswith(f"{name}:")), 0)


def _replace(*, effective: int, permitted: int, inheritable: int) -> None:
    sets = (_Sets * 2)()
    for index, shift in enumerate((0, 32)):
        sets[index] = _Sets(
            *(bits >> shift & 0xFFFFFFFF for bits in (effective, permitted, inheritable)),
        )
    _succeed(_libc().capset(ctypes.byref(_Header(_VERSION_3, 0)), sets))


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _succeed(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
