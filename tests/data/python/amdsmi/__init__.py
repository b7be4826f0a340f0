"""Stands in for AMD's library: GPUs and their errors are what a file says whose path is in AMDSMI_STAND_IN.

As the real one it cannot be imported without what it wraps, raises exceptions of its own, writes addresses in upper
case and wants to be started before it is asked.
"""

import json
import os
from pathlib import Path

_SAYS = json.loads(Path(os.environ["AMDSMI_STAND_IN"]).read_text())
_IS_STARTED: list[bool] = []


class AmdSmiException(Exception):
    """Whatever the library says no with."""


def amdsmi_init() -> None:
    if not _SAYS.get("driver", True):
        raise AmdSmiException("AMDSMI_STATUS_DRIVER_NOT_LOADED - Driver not loaded")
    _IS_STARTED.append(True)


def amdsmi_shut_down() -> None:
    _IS_STARTED.clear()


def amdsmi_get_processor_handles() -> list[str]:
    if not _IS_STARTED:
        raise AmdSmiException("AMDSMI_STATUS_NOT_INIT - Device not initialized")
    return list(_SAYS["gpus"])


def amdsmi_get_gpu_device_bdf(handle: str) -> str:
    return handle.upper()


def amdsmi_get_gpu_total_ecc_count(handle: str) -> dict[str, int]:
    counts: dict[str, int] | None = _SAYS["gpus"][handle]
    if counts is None:
        raise AmdSmiException("AMDSMI_STATUS_NOT_SUPPORTED - Feature not supported")
    return counts
