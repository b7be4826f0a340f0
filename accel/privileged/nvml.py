"""What NVIDIA's library does for root only.

The library is asked where the privilege is, so a card is named by its UUID and looked up again.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import pynvml

from accel.errors import ActFailed, ActNotAllowed, DriverUnavailable, PermissionMissing
from accel.privileged import mig

_NO_LIBRARY = (pynvml.NVMLError_LibraryNotFound, pynvml.NVMLError_DriverNotLoaded)


def call(name: str, *arguments: str | int, library: ModuleType = pynvml) -> str:
    """Have the library do something.

    :param name: one of ``CALLS``
    :raises ActNotAllowed: there is no such call
    :raises PermissionMissing: the library says that we may not
    :raises DriverUnavailable: the library is not there
    :raises ActFailed: it refused
    """
    if name not in CALLS:
        raise ActNotAllowed(f"{name} is not among the calls of NVML: {', '.join(CALLS)}")
    with _named_errors(name), _initialised(library):
        answer: str = CALLS[name](library, *arguments)
        return answer


@contextmanager
def _initialised(library: ModuleType) -> Iterator[None]:
    library.nvmlInit()
    try:
        yield
    finally:
        library.nvmlShutdown()


@contextmanager
def _named_errors(name: str) -> Iterator[None]:
    try:
        yield
    except _NO_LIBRARY as error:
        raise DriverUnavailable(f"NVML: {error}", "install the NVIDIA driver with its libraries") from error
    except pynvml.NVMLError_NoPermission as error:
        raise PermissionMissing(f"NVML lets only root do {name}", "see accel-agent doctor") from error
    except pynvml.NVMLError as error:
        raise ActFailed(f"NVML could not do {name}: {error}") from error


def _set_compute_mode(library: ModuleType, uuid: str, mode: int) -> str:
    handle = library.nvmlDeviceGetHandleByUUID(uuid)
    library.nvmlDeviceSetComputeMode(handle, mode)
    return str(library.nvmlDeviceGetComputeMode(handle))


CALLS: Mapping[str, Callable[..., Any]] = {
    "set_compute_mode": _set_compute_mode,
    "mig": mig.told,
    "mig_mode": mig.set_mode,
    "mig_make": mig.make,
    "mig_destroy": mig.destroy,
}
"""What can be asked for, by name; each takes the library and plain values, and gives a text."""
