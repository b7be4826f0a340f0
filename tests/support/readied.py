"""A driver of cards that can be bound for guests and reset; what it is asked to do it writes into the host's tree."""

from collections.abc import Sequence
from typing import Any, ClassVar

from support.offered import card

from accel.drivers.acts import Progress
from accel.drivers.base import Host
from accel.errors import ActRefused
from accel.model.device import AttachHandle, Deployable, Device

CARDS = (1, 2)


class ReadiedDriver:
    """Two cards."""

    options: ClassVar[Sequence[Any]] = ()
    scrub_methods: ClassVar[Sequence[str]] = ("zero",)

    def __init__(self, host: Host, options: Any) -> None:
        del options
        self._host = host

    def discover(self) -> tuple[Device, ...]:
        return tuple(card(number) for number in CARDS)

    def prepare(self, device: Device, _: Deployable, handle: AttachHandle, key: str) -> None:
        del handle
        self._note(f"prepare {device.identity} {len(key)}")
        function = self._host.sysfs / "bus/pci/devices" / str(device.address)
        function.mkdir(parents=True, exist_ok=True)
        for name, target in (("driver", "drivers/vfio-pci"), ("iommu_group", "iommu_groups/42")):
            if not (function / name).is_symlink():
                (function / name).symlink_to(f"../../{target}")

    def release(self, device: Device, _: Deployable, handle: AttachHandle, key: str) -> None:
        del handle, key
        self._note(f"release {device.identity}")

    def reset(self, device: Device, progress: Progress) -> None:
        progress("resetting", None)
        if (self._host.root / "broken").exists():
            raise ActRefused("it does not answer")
        self._note(f"reset {device.identity}")

    def scrub(self, device: Device, _: Deployable, method: str, progress: Progress) -> None:
        progress("scrubbing", None)
        if (self._host.root / "broken").exists():
            raise ActRefused("it does not answer")
        self._note(f"scrub {device.identity} {method}")

    def _note(self, text: str) -> None:
        with (self._host.root / "done").open("a") as done:
            done.write(f"{text}\n")
