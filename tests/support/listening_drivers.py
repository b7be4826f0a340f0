"""Drivers that listen, or do not; imported by the processes of lookouts."""

from datetime import UTC, datetime
from typing import ClassVar

from oslo_config import cfg

from accel.drivers.acts import Tell
from accel.drivers.base import Host
from accel.errors import DriverUnavailable
from accel.model.device import Device, Health, Signal
from accel.model.health import Alarm

ALARM = Alarm(
    device="GPU-1",
    signal=Signal(source="test", at=datetime(2026, 11, 22, tzinfo=UTC), value=Health.UNHEALTHY, text="a noise"),
)


class Silent:
    """A driver that does not listen."""

    options: ClassVar[list[cfg.Opt]] = []

    def __init__(self, host: Host, options: object) -> None:
        del options  # there are none
        self.host = host

    def discover(self) -> list[Device]:
        return []


class Hasty(Silent):
    """Has listened as soon as it has begun."""

    def watch(self, tell: Tell) -> None:
        del tell  # there was nothing
        (self.host.root / f"listened-{len(list(self.host.root.glob('listened-*')))}").touch()


class Listening(Silent):
    """Hears whatever is in a directory, and says which of its processes heard it."""

    def watch(self, tell: Tell) -> None:
        number = len(list(self.host.root.glob("listened-*")))
        (self.host.root / f"listened-{number}").touch()
        for _ in range(number + 1):
            tell(ALARM)
        if number == 0:
            raise RuntimeError("a library that is broken")
        if number == 1:
            raise DriverUnavailable("it is away")
