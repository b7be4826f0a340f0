"""What NVML says of a host's GPUs, as values: the one module that calls it.

NVML changes with the driver it comes with. A function may be missing, a question may not be supported, and a GPU may
fall off the bus between two questions. So every question about a GPU may stay without answer, and only two things are
remembered of it: that the GPU is lost, and that something without which it cannot be used is not known.

NVML is initialised and shut down around each reading: an initialised library holds the kernel module, and knows
nothing of cards that came after it.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from types import ModuleType
from typing import Any

import pynvml

from accel.drivers.nvidia import fitness
from accel.drivers.nvidia.fitness import Fitness
from accel.drivers.nvidia.mig import cut_of
from accel.errors import AccelError, DriverFailure, DriverUnavailable
from accel.model.address import PciAddress
from accel.model.device import Health, Presence
from accel.model.mig import gigabytes_of
from accel.model.partition import Cut
from accel.privileged import mig
from accel.privileged.mig import NvmlMig

LIBRARY: ModuleType = pynvml
"""NVML of the machine we run on. It loads ``libnvidia-ml.so.1`` when it is first initialised, not before."""

DEFAULT_COMPUTE_MODE: int = pynvml.NVML_COMPUTEMODE_DEFAULT
COMPUTE_MODES: Mapping[int, str] = {
    DEFAULT_COMPUTE_MODE: "default",
    pynvml.NVML_COMPUTEMODE_PROHIBITED: "prohibited",
    pynvml.NVML_COMPUTEMODE_EXCLUSIVE_PROCESS: "exclusive_process",
}
"""Who may compute on a card: any processes, none, or one at a time."""

_GONE = frozenset({pynvml.NVML_ERROR_GPU_IS_LOST, pynvml.NVML_ERROR_GPU_NOT_FOUND})
_BROKEN = frozenset(
    {pynvml.NVML_ERROR_RESET_REQUIRED, pynvml.NVML_ERROR_INSUFFICIENT_POWER, pynvml.NVML_ERROR_IRQ_ISSUE}
)
_NOTHING_THERE = frozenset(
    {
        pynvml.NVML_ERROR_NOT_SUPPORTED,
        pynvml.NVML_ERROR_FUNCTION_NOT_FOUND,
        pynvml.NVML_ERROR_NOT_FOUND,
        pynvml.NVML_ERROR_INVALID_ARGUMENT,
    }
)
"""Refusals that are an answer: this card, or this driver, has no such thing."""
_ABSENT = {
    pynvml.NVML_ERROR_LIBRARY_NOT_FOUND: (
        "libnvidia-ml.so.1 is not installed",
        "install the libraries of the NVIDIA driver, in the version of its kernel module",
    ),
    pynvml.NVML_ERROR_DRIVER_NOT_LOADED: (
        "NVML finds no loaded nvidia kernel module",
        "load it with modprobe nvidia; in a container, let the agent see /dev/nvidiactl and /dev/nvidia*",
    ),
}
"""What is missing, and how to get it."""
_HINTS = {
    pynvml.NVML_ERROR_LIB_RM_VERSION_MISMATCH: (
        "libnvidia-ml.so.1 and the loaded kernel module are of different versions, as after an upgrade: "
        "reload the nvidia modules, or reboot"
    ),
    pynvml.NVML_ERROR_NO_PERMISSION: "let the agent's user read and write /dev/nvidiactl and /dev/nvidia*",
    pynvml.NVML_ERROR_FUNCTION_NOT_FOUND: "the NVIDIA driver is too old: version 450 or newer is needed",
}
_GENERAL_HINT = "run nvidia-smi on the node, and look for NVRM lines in its kernel log"


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """What the refusals among NVML's answers about a GPU amount to."""

    presence: Presence = Presence.PRESENT
    health: Health = Health.HEALTHY
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MigInstance:
    """A part of a GPU in MIG mode, with memory and processors of its own."""

    uuid: str
    profile: str
    """NVIDIA's name for its size: ``1g.5gb``, ``1c.3g.20gb``, ``1g.10gb+me``."""
    gpu_instance_id: int
    compute_instance_id: int
    memory_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Gpu:
    """One GPU that NVML counts. Whatever it does not tell is empty or None."""

    index: int
    """Its place in NVML's count; after a restart it may be another's."""
    condition: Condition = Condition()
    uuid: str = ""
    address: PciAddress | None = None
    """NVML knows slots, not functions: the function is 0 always."""
    product: str = ""
    """PCI device id in four hex digits."""
    name: str = ""
    serial: str | None = None
    minor: int | None = None
    """N in ``/dev/nvidiaN``."""
    memory_bytes: int | None = None
    compute_capability: str = ""
    mig_enabled: bool = False
    mig_instances: tuple[MigInstance, ...] = ()
    compute_mode: int | None = None
    """Who may compute on it: one of ``COMPUTE_MODES``; None where it does not say."""
    fitness: Fitness = field(default_factory=Fitness)
    mig: NvmlMig | None = None
    """What it says of MIG; None where it knows none, or nobody may know."""
    peer_links: Mapping[PciAddress, int] = field(default_factory=dict)
    """How many NVLinks lead straight to the card at an address."""
    switch_links: int = 0
    """How many NVLinks lead into an NVSwitch, which connects all cards that have such links."""

    @property
    def cut(self) -> Cut | None:
        """What it can be cut into, and what it is; None where it cannot be, or nobody may know."""
        return self.mig and cut_of(self.mig, model=self.name, memory_bytes=self.memory_bytes or 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """All that NVML told at one moment."""

    driver_version: str
    cuda_version: str
    gpus: tuple[Gpu, ...]
    """In NVML's order, those that it counts and cannot read included."""


def read(nvml: ModuleType, privileged: Callable[[str, str], str]) -> Reading:
    """Ask NVML for everything.

    :param nvml: the module ``pynvml``
    :param privileged: asks what only root is told: a call of ``accel.privileged.nvml``, about the card of a UUID
    :raises DriverUnavailable: the library or the kernel module is not there
    :raises DriverFailure: they are, and NVML does not work
    """
    with session(nvml):
        host = _Questions(nvml)
        return Reading(
            driver_version=host.ask("nvmlSystemGetDriverVersion") or "",
            cuda_version=_cuda_version(host.ask("nvmlSystemGetCudaDriverVersion") or 0),
            gpus=tuple(_gpu(nvml, index, privileged) for index in range(nvml.nvmlDeviceGetCount())),
        )


def mig_profile(*, gpu_slices: int, compute_slices: int, memory_bytes: int, card_memory_bytes: int) -> str:
    """NVIDIA's name for a MIG instance of this size."""
    gigabytes = gigabytes_of(memory_bytes, card_memory_bytes)
    compute = "" if compute_slices == gpu_slices else f"{compute_slices}c."
    return f"{compute}{gpu_slices}g.{gigabytes}gb"


class _Questions:
    """Questions to NVML, about one GPU or the host, and the condition that the answers show it in."""

    def __init__(self, nvml: ModuleType) -> None:
        self._nvml = nvml
        self.condition = Condition()

    def ask(self, function: str, *arguments: object, needed: bool = False) -> Any:
        """The answer of a function of NVML; None when there is none. A lost GPU is asked nothing more.

        :param needed: without the answer, or the answer that there is no such thing, the GPU cannot be used safely
        """
        if self.condition.presence is Presence.LOST:
            return None
        try:
            return getattr(self._nvml, function)(*arguments)
        except self._nvml.NVMLError as error:
            self._judge(error.value, f"{function}: {error}", needed=needed)
            return None

    def _judge(self, code: int, reason: str, *, needed: bool) -> None:
        if code in _GONE:
            reason = f"lost from the bus: {reason}"
            self.condition = Condition(presence=Presence.LOST, health=Health.UNHEALTHY, reason=reason)
        elif code in _BROKEN:
            self.condition = Condition(health=Health.UNHEALTHY, reason=reason)
        elif needed and code not in _NOTHING_THERE and self.condition.health is Health.HEALTHY:
            self.condition = Condition(health=Health.UNKNOWN, reason=reason)


@contextmanager
def session(nvml: ModuleType) -> Iterator[None]:
    """NVML's errors about the host as ours: those about one GPU never leave ``_Questions``."""
    try:
        nvml.nvmlInit()
        try:
            yield
        finally:
            with suppress(nvml.NVMLError):
                nvml.nvmlShutdown()
    except nvml.NVMLError as error:
        if error.value in _ABSENT:
            raise DriverUnavailable(*_ABSENT[error.value]) from error
        raise DriverFailure(f"NVML does not work: {error}", hint=_HINTS.get(error.value, _GENERAL_HINT)) from error


def _gpu(nvml: ModuleType, index: int, privileged: Callable[[str, str], str]) -> Gpu:
    about = _Questions(nvml)
    facts = _facts(about, index)
    gpu = Gpu(index=index, condition=about.condition, **facts)
    is_readable = gpu.uuid and gpu.condition.health is Health.HEALTHY
    return replace(gpu, mig=_mig(nvml, gpu, privileged)) if is_readable else gpu


def _mig(nvml: ModuleType, gpu: Gpu, privileged: Callable[[str, str], str]) -> NvmlMig | None:
    """What a card says of MIG; without it nothing else is less known."""
    try:
        return mig.read(nvml, nvml.nvmlDeviceGetHandleByIndex(gpu.index))
    except nvml.NVMLError_NoPermission:
        with suppress(AccelError):
            return mig.of_text(privileged("mig", gpu.uuid))
    except nvml.NVMLError:
        return None
    return None


def _facts(about: _Questions, index: int) -> dict[str, Any]:
    handle = about.ask("nvmlDeviceGetHandleByIndex", index, needed=True)
    if handle is None:
        return {}
    pci = about.ask("nvmlDeviceGetPciInfo", handle, needed=True)
    uuid = about.ask("nvmlDeviceGetUUID", handle, needed=True)
    memory = about.ask("nvmlDeviceGetMemoryInfo", handle)
    capability = about.ask("nvmlDeviceGetCudaComputeCapability", handle)
    mig_mode = about.ask("nvmlDeviceGetMigMode", handle, needed=True)
    memory_bytes = memory and memory.total
    mig_enabled = bool(mig_mode and mig_mode[0])
    peer_links, switch_links = _nvlinks(about, handle)
    return {
        "uuid": uuid or "",
        "address": pci and _address(pci),
        "product": f"{pci.pciDeviceId >> 16:04x}" if pci else "",
        "name": about.ask("nvmlDeviceGetName", handle) or "",
        "serial": about.ask("nvmlDeviceGetSerial", handle),
        "minor": about.ask("nvmlDeviceGetMinorNumber", handle),
        "memory_bytes": memory_bytes,
        "compute_capability": "{}.{}".format(*capability) if capability else "",
        "mig_enabled": mig_enabled,
        "mig_instances": tuple(_mig_instances(about, handle, memory_bytes)) if mig_enabled else (),
        "compute_mode": about.ask("nvmlDeviceGetComputeMode", handle),
        "fitness": fitness.read(about, handle),
        "peer_links": peer_links,
        "switch_links": switch_links,
    }


def _mig_instances(about: _Questions, card: object, card_memory_bytes: int | None) -> Iterator[MigInstance]:
    for index in range(about.ask("nvmlDeviceGetMaxMigDeviceCount", card, needed=True) or 0):
        handle = about.ask("nvmlDeviceGetMigDeviceHandleByIndex", card, index, needed=True)
        instance = handle and _mig_instance(about, handle, card_memory_bytes)
        if instance:
            yield instance


def _mig_instance(about: _Questions, handle: object, card_memory_bytes: int | None) -> MigInstance | None:
    """One instance; None when it went while we looked: an instance without UUID cannot be handed to anybody."""
    uuid = about.ask("nvmlDeviceGetUUID", handle)
    size = about.ask("nvmlDeviceGetAttributes", handle)
    gpu_instance_id = about.ask("nvmlDeviceGetGpuInstanceId", handle)
    compute_instance_id = about.ask("nvmlDeviceGetComputeInstanceId", handle)
    if uuid is None or size is None or gpu_instance_id is None or compute_instance_id is None:
        return None
    memory_bytes = size.memorySizeMB << 20
    # Newer drivers name the profile themselves, "NVIDIA A100-SXM4-40GB MIG 1g.5gb", and know its extras such as "+me".
    _, _, profile = (about.ask("nvmlDeviceGetName", handle) or "").partition(" MIG ")
    return MigInstance(
        uuid=uuid,
        profile=profile
        or mig_profile(
            gpu_slices=size.gpuInstanceSliceCount,
            compute_slices=size.computeInstanceSliceCount,
            memory_bytes=memory_bytes,
            card_memory_bytes=card_memory_bytes or memory_bytes or 1,
        ),
        gpu_instance_id=gpu_instance_id,
        compute_instance_id=compute_instance_id,
        memory_bytes=memory_bytes,
    )


def _nvlinks(about: _Questions, handle: object) -> tuple[Mapping[PciAddress, int], int]:
    """The active NVLinks: how many to each card, and how many into an NVSwitch."""
    peers: Counter[PciAddress] = Counter()
    switch_links = 0
    for link in range(pynvml.NVML_NVLINK_MAX_LINKS):
        if about.ask("nvmlDeviceGetNvLinkState", handle, link) != pynvml.NVML_FEATURE_ENABLED:
            continue
        if about.ask("nvmlDeviceGetNvLinkRemoteDeviceType", handle, link) == pynvml.NVML_NVLINK_DEVICE_TYPE_SWITCH:
            switch_links += 1
        elif remote := about.ask("nvmlDeviceGetNvLinkRemotePciInfo", handle, link):
            peers[_address(remote)] += 1
    return peers, switch_links


def _address(pci: Any) -> PciAddress:
    return PciAddress(pci.domain, pci.bus, pci.device, 0)


def _cuda_version(number: int) -> str:
    """``12.4`` from 12040."""
    return f"{number // 1000}.{number % 1000 // 10}" if number else ""
