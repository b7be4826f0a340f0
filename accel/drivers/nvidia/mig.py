"""What a GPU can be cut into by MIG, in our words, from what NVML says of it.

NVML tells nothing of profiles while MIG mode is off; then they are those of the tables.
"""

from collections.abc import Mapping

import pynvml

from accel.model.mig import MIG, gigabytes_of, mig_scheme
from accel.model.partition import Cut, Part, Profile, Scheme
from accel.privileged.mig import NvmlMig, NvmlProfile

_EXTRAS = {
    pynvml.NVML_GPU_INSTANCE_PROFILE_1_SLICE_REV1: "+me",
    pynvml.NVML_GPU_INSTANCE_PROFILE_2_SLICE_REV1: "+me",
    pynvml.NVML_GPU_INSTANCE_PROFILE_1_SLICE_GFX: "+gfx",
    pynvml.NVML_GPU_INSTANCE_PROFILE_2_SLICE_GFX: "+gfx",
    pynvml.NVML_GPU_INSTANCE_PROFILE_4_SLICE_GFX: "+gfx",
    pynvml.NVML_GPU_INSTANCE_PROFILE_1_SLICE_NO_ME: "-me",
    pynvml.NVML_GPU_INSTANCE_PROFILE_2_SLICE_NO_ME: "-me",
    pynvml.NVML_GPU_INSTANCE_PROFILE_1_SLICE_ALL_ME: "+me.all",
    pynvml.NVML_GPU_INSTANCE_PROFILE_2_SLICE_ALL_ME: "+me.all",
}
"""What the names of profiles end with, by their numbers: for versions of NVML that do not tell names."""


def cut_of(told: NvmlMig, *, model: str, memory_bytes: int) -> Cut | None:
    """What a GPU can be cut into, and what it is; None for one whose profiles nobody knows."""
    if not told.is_on:
        known = mig_scheme(model, memory_bytes)
        return Cut(scheme=known, parts=None) if known else None
    names = profile_names(told, memory_bytes)
    if not names:
        return None
    profiles = tuple(_profile(profile, names[profile.number]) for profile in told.profiles)
    parts = tuple(Part(id=str(part.id), profile=names[part.profile], start=part.start) for part in told.parts)
    return Cut(scheme=Scheme(name=MIG, profiles=profiles), parts=parts)


def profile_names(told: NvmlMig, memory_bytes: int) -> Mapping[int, str]:
    """NVIDIA's name of each profile, by NVML's number of it."""
    return {profile.number: _name(profile, memory_bytes) for profile in told.profiles}


def _name(profile: NvmlProfile, memory_bytes: int) -> str:
    name = profile.name.removeprefix("MIG ")
    gigabytes = gigabytes_of(profile.memory_mib << 20, memory_bytes)
    return name or f"{profile.slices}g.{gigabytes}gb{_EXTRAS.get(profile.number, '')}"


def _profile(profile: NvmlProfile, name: str) -> Profile:
    engines = {name: getattr(profile, name) for name in ("decoders", "encoders", "jpeg", "ofa")}
    return Profile(
        name=name,
        most=profile.most,
        starts=profile.starts,
        size=profile.size,
        takes={"compute": profile.slices, **{what: count for what, count in engines.items() if count}},
    )
