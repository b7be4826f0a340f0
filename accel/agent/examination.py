"""What is known of the health of a driver's devices: what PCI tells of any device, and what the driver knows beside."""

import traceback
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from accel.drivers.acts import Examined
from accel.drivers.base import Driver, Host
from accel.drivers.pci_signals import pci_signals
from accel.drivers.sysfs import pci_functions
from accel.errors import AccelError
from accel.model.device import Device, Health, Presence, Signal
from accel.model.validate import kept, signal_problems

EXAMINATION = "driver.examination"
"""The source of what is the matter with an examination itself."""

_MAX_TEXT_LENGTH = 1000


@dataclass(frozen=True, slots=True)
class Examination:
    """The devices with their signals, and where a driver raised, for the log; empty when it did not."""

    devices: tuple[Device, ...]
    traceback: str


def examined(driver: Driver, host: Host, devices: Iterable[Device]) -> Examination:
    """Ask for the signals of devices. A driver that does not know any is asked for none.

    The signals of one device being wrong, or not to be had, harms neither the others nor the discovery.
    """
    now = _now()
    devices = tuple(devices)
    functions = {function.address: function for function in pci_functions(host)} if devices else {}
    traces: list[str] = []
    answered = []
    for device in devices:
        function = functions.get(device.address) if device.address else None
        is_there = function is not None and function.ids == (device.vendor, device.product)
        found = dict[str, Signal]()
        if device.presence is Presence.PRESENT:
            found |= _by_source(pci_signals(function, now)) if function is not None and is_there else {}
            found |= _by_source(_of_driver(driver, device, traces))
        answered.append(replace(device, signals=tuple(found[source] for source in sorted(found))))
    return Examination(tuple(answered), "\n".join(traces))


def _by_source(signals: Iterable[Signal]) -> dict[str, Signal]:
    return {signal.source: signal for signal in signals}


def _of_driver(driver: Driver, device: Device, traces: list[str]) -> Iterator[Signal]:
    if not isinstance(driver, Examined):
        return
    try:
        signals = list(driver.examine(device))
    except AccelError as error:
        yield unknown_signal(str(error))
    except Exception as error:  # noqa: BLE001  # the border: a driver may raise anything
        traces.append(traceback.format_exc())
        yield unknown_signal(f"the driver raised {type(error).__name__}: {error}; see the agent's log for where")
    else:
        wrong = signal_problems(signals)
        yield from [unknown_signal(f"{wrong[0]}; this is a mistake in the driver")] if wrong else signals


def unknown_signal(text: str) -> Signal:
    """What is known of a device that could not be examined."""
    return Signal(source=EXAMINATION, at=_now(), value=Health.UNKNOWN, text=kept(text)[:_MAX_TEXT_LENGTH])


def _now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)
