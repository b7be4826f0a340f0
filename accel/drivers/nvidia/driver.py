"""The ``nvidia`` driver: every NVIDIA GPU of a host as a device, once.

A card that NVML cannot read is reported all the same, of unknown health and with the reason, because "no card" and "no
driver" are different things to whoever looks for a missing GPU.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from types import ModuleType
from typing import ClassVar

from oslo_config import cfg

from accel.drivers.acts import Progress, Tell
from accel.drivers.base import Host
from accel.drivers.guest.acts import PciActs
from accel.drivers.nvidia import fitness, nvml, vgpu, xids
from accel.drivers.nvidia.cards import VENDOR, Card, Record, join, nvlinks, without_nvml
from accel.drivers.nvidia.partitioning import Cutter
from accel.drivers.nvidia.parts import deployables
from accel.drivers.nvidia.xids import Log
from accel.drivers.pci_names import pci_names
from accel.drivers.sysfs import PciFunction, pci_function, pci_functions, read_text
from accel.errors import ActNotSupported, DeviceGone, DriverUnavailable, NotVerified
from accel.model.address import PciAddress
from accel.model.device import Device, DeviceType, Health, Link
from accel.model.health import Signal
from accel.model.partition_facts import facts

_GPU_CLASSES = frozenset({0x0300, 0x0302})
"""VGA and 3D controllers. An NVSwitch is a bridge, the audio function of a card a multimedia device."""


_UUID_PREFIX = "GPU-"
"""What the identity of a card begins with that NVML knows."""


class NvidiaDriver(PciActs):
    """Reports the NVIDIA GPUs of a host.

    :param library: the module ``pynvml``, to be asked about a host that is not the machine we run on; without it, such
        a host is read from its files alone
    """

    options: ClassVar[Sequence[cfg.Opt]] = (
        cfg.StrOpt(
            "nvidia_smi",
            default="/usr/bin/nvidia-smi",
            help="Absolute path of nvidia-smi, which resets GPUs. Nothing else is asked of it.",
        ),
    )

    def __init__(self, host: Host, options: cfg.ConfigOpts.GroupAttr, *, library: ModuleType | None = None) -> None:
        self._host = host
        self._options = options
        self._seen: Sequence[nvml.Gpu] | None = None
        self._library = nvml.LIBRARY if library is None and host.is_real else library

    def discover(self) -> tuple[Device, ...]:
        """Every GPU that the kernel or NVML shows, by address.

        A missing library or kernel module is no failure of this driver: where there are cards they say it, each for
        itself; where there are none, nothing is missing.

        :raises DriverFailure: NVML is there and does not work
        """
        functions = tuple(_gpu_functions(self._host))
        try:
            reading = self._read_nvml()
            self._seen = reading.gpus
        except DriverUnavailable as error:
            reason = ": ".join(filter(None, ("no driver answers for it", str(error), error.hint)))
            return self._devices(without_nvml(functions, reason), versions={})
        return self._devices(join(functions, reading.gpus), versions=_versions(reading))

    def examine(self, device: Device) -> Iterator[Signal]:
        """Errors of memory, temperature, what it takes to recover, and the Xids that were heard."""
        gpu = next((gpu for gpu in self._reading_gpus() if gpu.uuid and gpu.uuid == device.identity), None)
        if gpu is not None:
            now = datetime.now(UTC)
            yield from fitness.signals(gpu.fitness, now)
            yield from xids.signals(Log.of(self._host.memory, self._host.proc), gpu.uuid, now)

    def watch(self, tell: Tell) -> None:
        """Listen to Xids, and what else NVML tells of, for a while.

        :raises DriverUnavailable: there is no NVML here
        """
        if self._library is None:
            raise DriverUnavailable("NVML is not asked about this host", "it answers for the machine that it runs on")
        with nvml.session(self._library):
            xids.listen(self._library, Log.of(self._host.memory, self._host.proc), tell)

    def partition(self, device: Device, layout: Mapping[str, int], progress: Progress) -> None:
        """Cut a GPU by MIG, or give its virtual functions vGPU types, whichever it tells that it can.

        :param layout: nothing: MIG mode off, or no types
        :raises ActNotSupported: it knows neither
        :raises LayoutImpossible: it cannot have these parts
        """
        function = pci_function(self._host, device.address) if device.address else None
        if function is not None and vgpu.functions_of(function):
            vgpu.cut(self._host, function, self._gpu(device).memory_bytes, layout, progress)
            return
        Cutter(read=partial(self._gpu, device), nvml=partial(self._privileged_about, device)).cut(layout, progress)

    def reset(self, device: Device, progress: Progress) -> None:
        """Reset a GPU, as ``nvidia-smi --gpu-reset`` does: nothing may use it, nor what is linked to it.

        The kernel resets one that NVML does not see, such as one that a guest has had.

        :raises ToolFailed: it was refused
        """
        if not device.identity.startswith(_UUID_PREFIX):
            super().reset(device, progress)
            return
        progress("resetting", None)
        self._host.privileged.run(self._options.nvidia_smi, "--gpu-reset", f"--id={_uuid(device)}", timeout_seconds=120)
        gpu = self._gpu(device)
        if gpu.compute_mode not in (None, nvml.DEFAULT_COMPUTE_MODE):
            self._privileged_about(device, "set_compute_mode", nvml.DEFAULT_COMPUTE_MODE)
        if gpu.condition.health is not Health.HEALTHY:
            raise NotVerified(f"the GPU is reset and {gpu.condition.health}: {gpu.condition.reason}")

    def _gpu(self, device: Device) -> nvml.Gpu:
        uuid = _uuid(device)
        found = next((gpu for gpu in self._read_nvml().gpus if gpu.uuid == uuid), None)
        if found is None:
            raise DeviceGone(f"NVML does not see a GPU {uuid}")
        return found

    def _reading_gpus(self) -> Sequence[nvml.Gpu]:
        """What the discovery of this very look has read; where there was none, it is read now."""
        if self._seen is None:
            try:
                self._seen = self._read_nvml().gpus
            except DriverUnavailable:
                self._seen = ()
        return self._seen

    def _privileged(self, call: str, *arguments: str | int) -> str:
        return self._host.privileged.nvml(call, *arguments)

    def _privileged_about(self, device: Device, call: str, *arguments: str | int) -> str:
        return self._privileged(call, _uuid(device), *arguments)

    def _read_nvml(self) -> nvml.Reading:
        if self._library is None:
            raise DriverUnavailable("NVML tells of the machine it runs on only")
        return nvml.read(self._library, self._privileged)

    def _devices(self, cards: Sequence[Card], *, versions: Mapping[str, str]) -> tuple[Device, ...]:
        recorded = [replace(card, record=_record(self._host, card.address)) for card in sorted(cards, key=_order)]
        models = pci_names(self._host, {(VENDOR, card.product) for card in recorded if not card.name})
        links_of = nvlinks(recorded)
        return tuple(
            _device(
                self._host.name,
                card,
                model=card.name or models.get((VENDOR, card.product)) or f"{VENDOR}:{card.product}",
                links=links_of[card.identity],
                versions=versions,
            )
            for card in recorded
        )


def _uuid(device: Device) -> str:
    if not device.identity.startswith(_UUID_PREFIX):
        raise ActNotSupported(f"NVML does not read the GPU {device.identity}: {device.reason}")
    return device.identity


def _order(card: Card) -> tuple[bool, PciAddress | None, str]:
    return card.address is None, card.address, card.identity


def _gpu_functions(host: Host) -> Iterator[PciFunction]:
    """The GPUs on PCI. A virtual function is a part of its card and no card."""
    for function in pci_functions(host):
        if function.vendor == VENDOR and function.base_class in _GPU_CLASSES and function.physical_function is None:
            yield function


def _record(host: Host, address: PciAddress | None) -> Record:
    """What ``/proc/driver/nvidia`` says of a card. The UUID has question marks until the card is first initialised."""
    if address is None:
        return Record()
    text = read_text(host.proc / f"driver/nvidia/gpus/{address}/information")
    said = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in text.splitlines())}
    uuid = said.get("GPU UUID", "")
    return Record(
        uuid=uuid if uuid.startswith("GPU-") and "?" not in uuid else "",
        model="" if said.get("Model") == "Unknown" else said.get("Model", ""),
    )


def _versions(reading: nvml.Reading) -> Mapping[str, str]:
    return {"driver_version": reading.driver_version, "cuda_version": reading.cuda_version}


def _device(node: str, card: Card, *, model: str, links: tuple[Link, ...], versions: Mapping[str, str]) -> Device:
    function, gpu, condition = card.function, card.gpu, card.condition
    return Device(
        identity=card.identity,
        type=DeviceType.GPU,
        vendor=VENDOR,
        product=card.product,
        model=model,
        address=card.address,
        serial=gpu.serial if gpu else None,
        kernel_driver=card.kernel_driver,
        numa_node=function.numa_node if function else None,
        pci_path=function.pci_path if function else (),
        links=links,
        presence=condition.presence,
        health=condition.health,
        reason=condition.reason,
        std_board_info=dict(_board_info(card, versions)),
        deployables=deployables(node, card),
    )


def _board_info(card: Card, versions: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    if card.has_product:
        yield "product_id", f"0x{card.product}"
    if card.function is not None and card.function.class_code is not None:
        yield "class", f"0x{card.function.class_code:06x}"
    if card.gpu is not None:
        typed = vgpu.functions_of(card.function) if card.function else ()
        cut = vgpu.cut_of(typed, card.gpu.memory_bytes) if typed else card.gpu.cut
        yield from facts(cut).items() if cut else ()
        if card.gpu.compute_mode is not None:
            yield "compute_mode", nvml.COMPUTE_MODES.get(card.gpu.compute_mode, str(card.gpu.compute_mode))
        yield from ((name, version) for name, version in versions.items() if version)
        if card.gpu.minor is not None:
            yield "minor", str(card.gpu.minor)
