"""One act of one driver on one device, whatever the driver does.

As with a look, this is the border behind which a driver may fail in any way: what comes out is always an ending.
"""

import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from accel.agent.probe import Setup, driver_of
from accel.drivers.acts import Partitionable, Preparable, Programmable, Progress, Resettable, Scrubbable, Virtualizable
from accel.drivers.base import Driver
from accel.errors import (
    AccelError,
    ActFailed,
    ActNotSupported,
    ActRefused,
    Conflict,
    DeviceGone,
    DriverUnavailable,
    InvalidImage,
    InvalidValue,
    MdevTypeGone,
    NotFound,
)
from accel.model.device import AttachHandle, Deployable, DeployableKind, Device, HandleType
from accel.model.job import ARGUMENT_COUNT, ARGUMENT_METHOD, JobKind, JobOrder
from accel.model.steps import RESET
from accel.model.validate import kept

_HARMLESS = (ActRefused, InvalidValue, InvalidImage, Conflict, NotFound, DriverUnavailable)
"""What an act raises while nothing is changed."""

Given = TypeVar("Given")

BLANK = "blank"
"""The way to scrub that is an act of its own, beside ``RESET``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """What an act came to; without an error code it is done."""

    error_code: str = ""
    error_text: str = ""
    is_state_unknown: bool = False
    traceback: str = ""
    """Where the driver raised, for the log; empty when it did not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Act:
    """What there is when an act begins."""

    order: JobOrder
    device: Device
    image: Path | None
    progress: Progress

    @property
    def part(self) -> Deployable:
        """The part that it is about.

        :raises MdevTypeGone: it is mediated devices, and the device makes no such any more
        :raises DeviceGone: the driver does not see it
        """
        for part in self.device.deployables:
            if part.name == self.order.deployable:
                return part
        names = ", ".join(part.name for part in self.device.deployables) or "none"
        if self.order.handle is not None and self.order.handle.type == HandleType.MDEV:
            kind = self.order.handle.info.get("asked_type", self.order.deployable)
            raise MdevTypeGone(
                f"device {self.order.device} makes no mediated devices of type {kind} any more; it has {names}"
            )
        raise DeviceGone(f"device {self.order.device} has no part {self.order.deployable}; it has {names}")

    @property
    def handle(self) -> tuple[AttachHandle, str]:
        """The handle that it is about, and its key."""
        handle = _given("handle", self.order.handle)
        return AttachHandle(type=HandleType(handle.type), info=handle.info), handle.uuid


def ending_of(setup: Setup, order: JobOrder, image: Path | None, progress: Progress) -> Ending:
    """Do it once.

    :param image: the file with the image, already checked; None where the order has none
    """
    try:
        _perform(setup, order, image, progress)
    except AccelError as error:
        return failed(error)
    except Exception as error:  # noqa: BLE001  # the border: a driver may raise anything
        mistake = ActFailed(f"the driver {order.driver} raised {type(error).__name__}: {error}", "see the agent's log")
        return failed(mistake, traceback.format_exc())
    return Ending()


def failed(error: AccelError, trace: str = "") -> Ending:
    """The ending of what has raised an error; its text may be of any length."""
    hint = getattr(error, "hint", "")
    text = str(error) if not hint or hint in str(error) else f"{error}: {hint}"
    return Ending(
        error_code=error.code,
        error_text=kept(text),
        is_state_unknown=not isinstance(error, _HARMLESS),
        traceback=trace,
    )


def _perform(setup: Setup, order: JobOrder, image: Path | None, progress: Progress) -> None:
    driver = driver_of(setup)
    device = _found(tuple(driver.discover()), order)
    _ACTS[order.kind](driver, _Act(order=order, device=device, image=image, progress=progress))


def _found(devices: Sequence[Device], order: JobOrder) -> Device:
    """The device that is meant.

    One that a guest has had does not say its UUID or serial number before it is given back: it is known by where it is,
    which is what its parts are named after.

    :raises DeviceGone: it is not there
    """
    for device in devices:
        if device.identity == order.device:
            return device
    for device in devices:
        if device.is_weakly_identified and order.deployable in {part.name for part in device.deployables}:
            return device
    raise DeviceGone(f"the driver {order.driver} does not see device {order.device} on {order.node}")


def _program(driver: Driver, act: _Act) -> None:
    image = _given("image", act.image)
    _able(driver, Programmable, act).program(act.device, act.part, image, act.progress)


def _blank(driver: Driver, act: _Act) -> None:
    _able(driver, Programmable, act).blank(act.device, act.part, act.progress)


def _partition(driver: Driver, act: _Act) -> None:
    layout = {kind: _count(kind, text) for kind, text in act.order.arguments.items()}
    _able(driver, Partitionable, act).partition(act.device, layout, act.progress)


def _set_vfs(driver: Driver, act: _Act) -> None:
    count = _count(ARGUMENT_COUNT, act.order.arguments.get(ARGUMENT_COUNT, ""))
    _able(driver, Virtualizable, act).set_vfs(act.device, count, act.progress)


def _reset(driver: Driver, act: _Act) -> None:
    _able(driver, Resettable, act).reset(act.device, act.progress)


def _scrub(driver: Driver, act: _Act) -> None:
    method = act.order.arguments.get(ARGUMENT_METHOD, "")
    if method == BLANK and isinstance(driver, Programmable):
        driver.blank(act.device, act.part, act.progress)
        return
    if method == RESET and isinstance(driver, Resettable) and not isinstance(driver, Scrubbable):
        if act.part.kind is not DeployableKind.CARD:
            raise ActRefused(f"{act.part.name} is a part of a card, and a reset takes the whole of it")
        driver.reset(act.device, act.progress)
        return
    able = _able(driver, Scrubbable, act)
    if method not in able.scrub_methods:
        raise InvalidValue(ARGUMENT_METHOD, method, f"one of {', '.join(able.scrub_methods)}")
    able.scrub(act.device, act.part, method, act.progress)


def _prepare(driver: Driver, act: _Act) -> None:
    handle, key = act.handle
    _able(driver, Preparable, act).prepare(act.device, act.part, handle, key)


def _release(driver: Driver, act: _Act) -> None:
    handle, key = act.handle
    _able(driver, Preparable, act).release(act.device, act.part, handle, key)


_ACTS: Mapping[JobKind, Callable[[Driver, _Act], None]] = {
    JobKind.PROGRAM: _program,
    JobKind.BLANK: _blank,
    JobKind.PARTITION: _partition,
    JobKind.SET_VFS: _set_vfs,
    JobKind.RESET: _reset,
    JobKind.SCRUB: _scrub,
    JobKind.PREPARE: _prepare,
    JobKind.RELEASE: _release,
}


def _able(driver: Driver, ability: type[Any], act: _Act) -> Any:
    """The driver, if it is able to; a type checker takes no protocol where a class is to be, hence Any."""
    if not isinstance(driver, ability):
        raise ActNotSupported(f"the driver {act.order.driver} cannot {act.order.kind} device {act.order.device}")
    return driver


def _given(what: str, value: Given | None) -> Given:
    if value is None:
        raise InvalidValue(what, value, "given: this kind of job needs it")
    return value


def _count(name: str, text: str) -> int:
    if not text.isascii() or not text.isdecimal() or len(text) > 6:
        raise InvalidValue(name, text, "a whole number, 0 or more")
    return int(text)
