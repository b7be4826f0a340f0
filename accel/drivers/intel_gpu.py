"""The ``intel_gpu`` driver: Intel's GPUs, as the kernel drivers i915 and xe show them."""

import re
from collections.abc import Sequence
from typing import ClassVar

from oslo_config import cfg

from accel.drivers.base import Host
from accel.drivers.guest.acts import PciActs
from accel.drivers.pci_card import NODES, Knowledge, cards, console_use, device_nodes, is_of
from accel.drivers.sysfs import PciFunction, names_in, read_number
from accel.model.device import Attribute, Device, DeviceType

_CARD = re.compile(r"card\d+")
_TILE = re.compile(r"tile\d+")


class IntelGpuDriver(PciActs):
    """Reports the Intel GPUs of a host, each with its virtual functions."""

    options: ClassVar[Sequence[cfg.Opt]] = ()

    def __init__(self, host: Host, options: cfg.ConfigOpts.GroupAttr) -> None:
        del options  # there are none
        self._host = host

    def discover(self) -> tuple[Device, ...]:
        """The GPUs, by address."""
        return cards(self._host, is_of(DeviceType.GPU, {"8086"}), _knowledge)


def _knowledge(function: PciFunction) -> Knowledge:
    tiles = [function.path / name for name in names_in(function.path) if _TILE.fullmatch(name)]
    memory_bytes = sum(read_number(tile / "physical_vram_size_bytes") or 0 for tile in tiles) or _i915_memory(function)
    return Knowledge(
        facts={NODES: device_nodes(function, "drm"), "tiles": str(len(tiles)) if tiles else ""},
        figures=(Attribute(key="memory_bytes", value=str(memory_bytes)),) if memory_bytes else (),
        host_uses=console_use(function),
    )


def _i915_memory(function: PciFunction) -> int:
    """The bytes of a GPU's own memory where i915 says them; xe says them tile by tile. 0 when nobody says."""
    displays = (function.path / "drm" / name for name in names_in(function.path / "drm") if _CARD.fullmatch(name))
    return sum(read_number(display / "lmem_total_bytes") or 0 for display in displays)
