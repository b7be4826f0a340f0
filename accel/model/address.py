"""The address of a PCI function, as a type."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from accel.errors import InvalidAddress

_PATTERN = re.compile(r"(?:([0-9a-f]{4,8}):)?([0-9a-f]{2}):([0-9a-f]{2})\.([0-7])", re.IGNORECASE)


@dataclass(frozen=True, slots=True, order=True)
class PciAddress:
    """Domain, bus, device and function of one PCI function; sorts as numbers do.

    The domain has four hex digits or more: firmware and VMD use domains above ffff, so a string of fixed width
    is no key. ``str()`` gives the kernel's form, lower case and at least four digits of domain.
    """

    domain: int
    bus: int
    device: int
    function: int

    def __post_init__(self) -> None:
        within = (
            0 <= self.domain <= 0xFFFFFFFF
            and 0 <= self.bus <= 0xFF
            and 0 <= self.device <= 0x1F
            and 0 <= self.function <= 7
        )
        if not within:
            raise InvalidAddress("address", str(self), "a PCI address: bus ≤ ff, device ≤ 1f, function ≤ 7")

    def __str__(self) -> str:
        return f"{self.domain:04x}:{self.bus:02x}:{self.device:02x}.{self.function:x}"

    @property
    def slot(self) -> tuple[int, int, int]:
        """Where the card sits: the address without the function."""
        return self.domain, self.bus, self.device

    @classmethod
    def parse(cls, text: str) -> "PciAddress":
        """Read ``0000:3b:00.0``, NVML's ``00000000:3B:00.0`` or lspci's short ``3b:00.0``.

        :raises InvalidAddress: the text is none of them
        """
        match = _PATTERN.fullmatch(text.strip())
        if match is None:
            raise InvalidAddress("address", text, "a PCI address such as 0000:3b:00.0")
        domain, bus, device, function = match.groups(default="0")
        return cls(int(domain, 16), int(bus, 16), int(device, 16), int(function, 16))

    @classmethod
    def read(cls, text: str) -> "PciAddress | None":
        """As ``parse``; None where the text is no address."""
        try:
            return cls.parse(text)
        except InvalidAddress:
            return None

    @classmethod
    def of_info(cls, info: Mapping[str, str]) -> "PciAddress":
        """The address in what an attach handle says: ``domain``, ``bus``, ``device``, ``function``, hex without ``0x``.

        :raises InvalidAddress: there is none in it
        """
        try:
            return cls(*(int(info[part], 16) for part in ("domain", "bus", "device", "function")))
        except (KeyError, ValueError) as error:
            raise InvalidAddress("info", dict(info), "that of a PCI handle: domain, bus, device, function") from error
