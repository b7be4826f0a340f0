"""Watches over the health of a node's devices from look to look: each look is a process of its own and forgets."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

from accel.model.device import Device, Signal
from accel.model.health import derived, settled
from accel.model.report import DriverReport

_Key = tuple[str, str]
"""Driver and identity of a device."""


class Vigil:
    """Remembers the signals of each device, and says what follows from the new ones.

    :param disregarded: the sources that are shown and do not count
    """

    def __init__(self, disregarded: Collection[str] = ()) -> None:
        self._disregarded = frozenset(disregarded)
        self._known: dict[_Key, dict[str, Signal]] = {}

    def judge(self, reports: Sequence[DriverReport]) -> tuple[DriverReport, ...]:
        """The reports with each signal for what it is taken, and each device in the health that follows.

        What a driver that failed has said before is kept for when it answers again.
        """
        kept = {report.driver for report in reports if report.failure is not None}
        known = {key: signals for key, signals in self._known.items() if key[0] in kept}
        judged = tuple(replace(one, devices=tuple(self._devices(one, known))) for one in reports)
        self._known = known
        return judged

    def _devices(self, report: DriverReport, known: dict[_Key, dict[str, Signal]]) -> Iterator[Device]:
        for device in report.devices:
            if not device.signals:
                yield device
                continue
            key = report.driver, device.identity
            before = self._known.get(key, {})
            signals = tuple(settled(before.get(signal.source), signal) for signal in device.signals)
            known[key] = {signal.source: signal for signal in signals}
            yield derived(replace(device, signals=signals), self._disregarded)
