"""Drivers that listen, or do not; imported by the processes of lookouts."""

from collections.abc import Callable
from typing import ClassVar

from oslo_config import cfg

from accel.drivers.base import Host
from accel.errors import DriverUnavailable
from accel.model.device import Device


class Silent:
    """A driver that does not listen."""

    options: ClassVar[list[cfg.Opt]] = []

    def __init__(self, host: Host, options: object) -> None:
        del options  # there are none
        self.host = host

    def discover(self) -> list[Device]:
        return []


class Listening(Silent):
    """Hears whatever is in a directory, and says which of its processes heard it."""

    def watch(self, tell: Callable[[], None]) -> None:
        number = len(list(self.host.root.glob("listened-*")))
        (self.host.root / f"listened-{number}").touch()
        for _ in range(number + 1):
            tell()
        if number == 0:
            raise RuntimeError("a library that is broken")
        if number == 1:
            raise DriverUnavailable("it is away")
