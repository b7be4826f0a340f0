"""MIG by NVML: what a GPU can be cut into, what it is cut into, and cutting it.

NVML shows the parts of a GPU to root only, as it cuts it for root only. So both are here, in plain values as NVML has
them; what they mean is worked out where there is no privilege. A part is a GPU instance with one compute instance over
all of it: what the rest of the world calls a MIG device.
"""

import ctypes
import json
from collections.abc import Iterator
from contextlib import suppress
from types import ModuleType
from typing import Any, NamedTuple

import pynvml

from accel.errors import ActFailed, ActRefused

ON, OFF = pynvml.NVML_DEVICE_MIG_ENABLE, pynvml.NVML_DEVICE_MIG_DISABLE
_MOST_INSTANCES = 64
"""Room for the GPU instances of one profile, of which there are a handful."""


class NvmlProfile(NamedTuple):
    """A kind of part, in NVML's words."""

    number: int
    """Its place among all profiles that there are: ``NVML_GPU_INSTANCE_PROFILE_1_SLICE`` …"""
    name: str
    """``MIG 3g.20gb``; empty with versions of NVML that do not tell."""
    slices: int
    """Of compute."""
    most: int
    memory_mib: int
    decoders: int
    encoders: int
    jpeg: int
    ofa: int
    starts: tuple[int, ...]
    size: int


class NvmlPart(NamedTuple):
    """A GPU instance."""

    id: int
    profile: int
    """The number of its profile."""
    start: int


class NvmlMig(NamedTuple):
    """What NVML says of MIG on a GPU; of profiles and parts it says nothing while the mode is off."""

    is_on: bool
    profiles: tuple[NvmlProfile, ...] = ()
    parts: tuple[NvmlPart, ...] = ()


def read(library: ModuleType, handle: Any) -> NvmlMig | None:
    """What there is on a GPU; None for one that knows no MIG.

    :raises pynvml.NVMLError: NVML does not tell, as when we may not know
    """
    try:
        mode, _ = library.nvmlDeviceGetMigMode(handle)
    except (library.NVMLError_NotSupported, library.NVMLError_FunctionNotFound):
        return None
    if mode != ON:
        return NvmlMig(is_on=False)
    profiles = tuple(_profiles(library, handle))
    return NvmlMig(is_on=True, profiles=profiles, parts=tuple(_parts(library, handle, profiles)))


def told(library: ModuleType, uuid: str) -> str:
    """The same as JSON; ``of_text`` reads it."""
    return json.dumps(read(library, library.nvmlDeviceGetHandleByUUID(uuid)))


def of_text(text: str) -> NvmlMig | None:
    """What ``told`` has said."""
    found = json.loads(text)
    if found is None:
        return None
    is_on, profiles, parts = found
    return NvmlMig(
        is_on=is_on,
        profiles=tuple(NvmlProfile._make([*values[:-2], tuple(values[-2]), values[-1]]) for values in profiles),
        parts=tuple(map(NvmlPart._make, parts)),
    )


def set_mode(library: ModuleType, uuid: str, mode: int) -> str:
    """Switch MIG mode on (1) or off (0), at once or not at all.

    :raises ActRefused: it would be switched by the next reset only, because something uses the GPU
    """
    handle = library.nvmlDeviceGetHandleByUUID(uuid)
    status = library.nvmlDeviceSetMigMode(handle, mode)
    now, _ = library.nvmlDeviceGetMigMode(handle)
    if now == mode:
        return str(now)
    library.nvmlDeviceSetMigMode(handle, now)  # else the next reset would do what nobody expects any more
    raise ActRefused(
        f"the GPU does not switch MIG mode {'on' if mode == ON else 'off'} now: {library.NVMLError(status)}",
        "stop what uses the GPU (nvidia-smi and fuser /dev/nvidia* show it: monitors such as dcgm, too), or reset it",
    )


def make(library: ModuleType, uuid: str, profile: int, start: int, size: int) -> str:
    """Make a part at a place, and give the number of its GPU instance.

    Drivers that are too old to be told places choose one themselves.
    """
    handle = library.nvmlDeviceGetHandleByUUID(uuid)
    info = _info(library, handle, profile)
    if info is None:
        raise ActRefused(f"NVML knows no profile {profile} of this GPU")
    instance = _make_instance(library, handle, info.id, (start, size))
    try:
        _fill(library, instance, info.sliceCount)
    except BaseException:
        with suppress(library.NVMLError):
            library.nvmlGpuInstanceDestroy(instance)
        raise
    return str(library.nvmlGpuInstanceGetInfo(instance).id)


def destroy(library: ModuleType, uuid: str, number: int) -> str:
    """Take out the part of a GPU instance; one that is not there any more is fine."""
    handle = library.nvmlDeviceGetHandleByUUID(uuid)
    try:
        instance = library.nvmlDeviceGetGpuInstanceById(handle, number)
    except library.NVMLError_NotFound:
        return ""
    for profile in range(pynvml.NVML_COMPUTE_INSTANCE_PROFILE_COUNT):
        for compute in _compute_instances(library, instance, profile):
            library.nvmlComputeInstanceDestroy(compute)
    library.nvmlGpuInstanceDestroy(instance)
    return ""


def _profiles(library: ModuleType, handle: Any) -> Iterator[NvmlProfile]:
    """The profiles that the GPU has."""
    for number in range(pynvml.NVML_GPU_INSTANCE_PROFILE_COUNT):
        info = _info(library, handle, number)
        places = _places(library, handle, info.id) if info else []
        if info and places:
            yield _profile(number, info, places)


def _info(library: ModuleType, handle: Any, number: int) -> Any:
    """What NVML says of a profile; None where the GPU has no such profile. Older versions of NVML tell no names."""
    absent = (library.NVMLError_NotSupported, library.NVMLError_InvalidArgument)
    for version in (2, 1):
        try:
            return library.nvmlDeviceGetGpuInstanceProfileInfo(handle, number, version=version)
        except absent:
            return None
        except library.NVMLError_FunctionNotFound:
            continue
    return None


def _profile(number: int, info: Any, places: list[Any]) -> NvmlProfile:
    return NvmlProfile(
        number=number,
        name=getattr(info, "name", ""),
        slices=info.sliceCount,
        most=info.instanceCount,
        memory_mib=info.memorySizeMB,
        decoders=info.decoderCount,
        encoders=info.encoderCount,
        jpeg=info.jpegCount,
        ofa=info.ofaCount,
        starts=tuple(sorted(place.start for place in places)),
        size=places[0].size,
    )


def _places(library: ModuleType, handle: Any, profile_id: int) -> list[Any]:
    count = ctypes.c_uint(0)
    library.nvmlDeviceGetGpuInstancePossiblePlacements(handle, profile_id, None, ctypes.byref(count))
    places = (library.c_nvmlGpuInstancePlacement_t * count.value)()
    if count.value:
        library.nvmlDeviceGetGpuInstancePossiblePlacements(handle, profile_id, places, ctypes.byref(count))
    return list(places)


def _parts(library: ModuleType, handle: Any, profiles: tuple[NvmlProfile, ...]) -> Iterator[NvmlPart]:
    for profile in profiles:
        count = ctypes.c_uint(_MOST_INSTANCES)
        instances = (library.c_nvmlGpuInstance_t * _MOST_INSTANCES)()
        profile_id = _info(library, handle, profile.number).id
        library.nvmlDeviceGetGpuInstances(handle, profile_id, instances, ctypes.byref(count))
        for instance in instances[: count.value]:
            info = library.nvmlGpuInstanceGetInfo(instance)
            yield NvmlPart(info.id, profile.number, info.placement.start)


def _make_instance(library: ModuleType, handle: Any, profile_id: int, place: tuple[int, int]) -> Any:
    start, size = place
    try:
        where = ctypes.byref(library.c_nvmlGpuInstancePlacement_t(start=start, size=size))
        return library.nvmlDeviceCreateGpuInstanceWithPlacement(handle, profile_id, where)
    except library.NVMLError_FunctionNotFound:
        return library.nvmlDeviceCreateGpuInstance(handle, profile_id)


def _fill(library: ModuleType, instance: Any, compute: int) -> None:
    """Make one compute instance over all of a GPU instance."""
    for profile in range(pynvml.NVML_COMPUTE_INSTANCE_PROFILE_COUNT):
        info = _compute_info(library, instance, profile)
        if info and info.sliceCount == compute:
            library.nvmlGpuInstanceCreateComputeInstance(instance, info.id)
            return
    raise ActFailed(f"NVML knows no compute instance of {compute} slices")


def _compute_info(library: ModuleType, instance: Any, profile: int) -> Any:
    shared = pynvml.NVML_COMPUTE_INSTANCE_ENGINE_PROFILE_SHARED
    absent = (library.NVMLError_NotSupported, library.NVMLError_InvalidArgument)
    for version in (2, 1):
        try:
            return library.nvmlGpuInstanceGetComputeInstanceProfileInfo(instance, profile, shared, version=version)
        except absent:
            return None
        except library.NVMLError_FunctionNotFound:
            continue
    return None


def _compute_instances(library: ModuleType, instance: Any, profile: int) -> list[Any]:
    info = _compute_info(library, instance, profile)
    if info is None:
        return []
    count = ctypes.c_uint(_MOST_INSTANCES)
    found = (library.c_nvmlComputeInstance_t * _MOST_INSTANCES)()
    library.nvmlGpuInstanceGetComputeInstances(instance, info.id, found, ctypes.byref(count))
    return list(found[: count.value])
