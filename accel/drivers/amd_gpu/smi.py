"""What AMD's library (amdsmi) counts, where it is installed. It looks for itself, at the machine that we run on.

The library comes with ROCm and not from a package index, and its module raises one thing or another when what it wraps
is not there. So it is asked last, and whatever it lacks is not known.
"""

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from accel.errors import DriverUnavailable
from accel.model.address import PciAddress

_MODULE = "amdsmi"


@dataclass(frozen=True, slots=True)
class ErrorCounts:
    """Errors of memory and caches since the kernel's driver was loaded."""

    uncorrectable: int
    correctable: int


def error_counts(address: PciAddress) -> ErrorCounts | None:
    """The errors of a GPU; None where the library does not see it or does not say.

    :raises DriverUnavailable: the library is not there
    """
    with _started() as library:
        try:
            for handle in library.amdsmi_get_processor_handles():
                if PciAddress.read(str(library.amdsmi_get_gpu_device_bdf(handle)).lower()) == address:
                    said = library.amdsmi_get_gpu_total_ecc_count(handle)
                    return ErrorCounts(int(said["uncorrectable_count"]), int(said["correctable_count"]))
        except (library.AmdSmiException, AttributeError, KeyError, TypeError, ValueError):
            return None
    return None


@contextmanager
def _started() -> Iterator[Any]:
    """The library, ready to be asked."""
    try:
        library: Any = importlib.import_module(_MODULE)
    except (ImportError, KeyError, OSError, AttributeError) as error:  # without what it wraps it raises KeyError
        raise DriverUnavailable(f"{_MODULE} is not installed: {error!r}", "it comes with ROCm") from error
    try:
        library.amdsmi_init()
    except library.AmdSmiException as error:
        raise DriverUnavailable(f"{_MODULE} does not start: {error}", "is the kernel driver amdgpu loaded?") from error
    try:
        yield library
    finally:
        library.amdsmi_shut_down()
