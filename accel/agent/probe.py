"""One look of one driver, whatever the driver does.

This is the border behind which a driver may fail in any way: what comes out is always an answer. It is a function of
picklable values, so it can run in a process of its own; ``runner`` sees to the failures that kill a process.
"""

import time
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from accel.agent.examination import examined, unknown_signal
from accel.drivers import registry
from accel.drivers.base import Driver, Host
from accel.errors import DriverFailure, DriverUnavailable
from accel.model.report import DriverReport, Failure, FailureKind
from accel.model.validate import kept, problems

_SHOWN_PROBLEMS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """A driver and what it is given."""

    driver: str
    """Its entry point name."""
    host: Host
    source: str = ""
    """Where it is loaded from, ``module:class``; empty: it is looked for among those that are installed."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """The values of its option group."""
    is_harmless: bool = True
    """Whether it can be loaded outside the process of a look; see ``trial``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What one look gave."""

    report: DriverReport
    seconds: float
    """How long it took."""
    traceback: str = ""
    """Where the driver raised, for the log; empty when it did not."""
    is_whole: bool = True
    """Whether it has the signals of health; what is seen is told before they are asked for."""


def look(setup: Setup) -> Outcome:
    """Let the driver look once, and examine what it has seen."""
    *_, outcome = looks(setup)
    return outcome


def looks(setup: Setup) -> Iterator[Outcome]:
    """Let the driver look once: what it has seen, then the same with what is known of its health.

    Examining may take longer than looking, and a device that hangs when it is examined has still been seen.
    """
    started = time.monotonic()
    report, trace, driver = _guarded(setup)
    is_whole = driver is None or not report.devices
    yield Outcome(report=report, seconds=time.monotonic() - started, traceback=trace, is_whole=is_whole)
    if driver is not None and not is_whole:
        examination = examined(driver, setup.host, report.devices)
        seconds = time.monotonic() - started
        yield Outcome(
            report=replace(report, devices=examination.devices), seconds=seconds, traceback=examination.traceback
        )


def unexamined(seen: Outcome, why: str) -> Outcome:
    """What was seen, where the examination did not come to its end."""
    unknown = unknown_signal(f"the examination of the driver's devices has failed: {why}")
    devices = tuple(replace(device, signals=(unknown,)) for device in seen.report.devices)
    return replace(seen, report=replace(seen.report, devices=devices), is_whole=True)


def failed(driver: str, kind: FailureKind, message: str, hint: str = "") -> DriverReport:
    """The report of a driver that has no answer; what it raised may say anything, in any length."""
    return DriverReport(driver=driver, failure=Failure(kind=kind, message=kept(message), hint=kept(hint)))


def driver_of(setup: Setup) -> Driver:
    """The driver itself, made as it is set up.

    :raises DriverUnavailable: it needs something that is not installed
    """
    name, source = setup.driver, setup.source
    driver = registry.load_from(name, source) if source else registry.load([name])[name]
    return driver(setup.host, registry.options_of(name, driver, setup.options))


def _guarded(setup: Setup) -> tuple[DriverReport, str, Driver | None]:
    """The answer, where the driver raised, and the driver where it did not."""
    name = setup.driver
    try:
        driver = driver_of(setup)
        return _answer(setup, driver), "", driver
    except DriverUnavailable as error:
        return failed(name, FailureKind.UNAVAILABLE, str(error), error.hint), "", None
    except DriverFailure as error:
        return failed(name, FailureKind.CRASHED, str(error), error.hint), "", None
    except Exception as error:  # noqa: BLE001  # the border: a driver may raise anything
        message = f"{type(error).__name__}: {error}"
        return failed(name, FailureKind.CRASHED, message, "see the agent's log for where"), traceback.format_exc(), None


def _answer(setup: Setup, driver: Driver) -> DriverReport:
    devices = driver.discover()
    if isinstance(devices, Iterator):  # it can be walked once only
        devices = tuple(devices)
    found = problems(devices, node=setup.host.name)
    if found:
        return failed(setup.driver, FailureKind.INVALID, _some(found), "this is a mistake in the driver")
    return DriverReport(driver=setup.driver, devices=tuple(devices))


def _some(found: list[str]) -> str:
    more = len(found) - _SHOWN_PROBLEMS
    return "; ".join(found[:_SHOWN_PROBLEMS]) + (f"; and {more} more" if more > 0 else "")
