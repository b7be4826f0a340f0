"""What programs on the node want done to devices, done by the same desk as what the control plane orders."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Protocol
from uuid import UUID, uuid4

from accel.agent.returns import Wish
from accel.errors import ActRefused, DeviceGone, Unavailable
from accel.model.job import ARGUMENT_METHOD, HandleOrder, JobKind, JobOrder, JobState, JobStatus

_OF_DEVICE = frozenset({JobKind.RESET})
"""What is done to the whole device, whichever part is meant."""


class Desk(Protocol):
    """Takes jobs."""

    def run_job(self, order: JobOrder, wait_seconds: float) -> JobStatus:
        """See ``accel.agent.jobs.desk.Desk.run_job``."""
        ...

    def cancel_job(self, uuid: str) -> JobStatus:
        """See ``accel.agent.jobs.desk.Desk.cancel_job``."""
        ...


class DeskPreparer:
    """Orders a job for each wish, and waits for it.

    :param driver_of: the driver of a device, by its identity
    :param node: the node's name
    """

    def __init__(self, desk: Desk, driver_of: Callable[[str], str], node: str) -> None:
        self._desk = desk
        self._driver_of = driver_of
        self._node = node

    def act(self, wish: Wish) -> None:
        """Do it.

        :raises DeviceGone: no driver sees the device any more
        :raises ActRefused: it was not done; the text says why
        :raises Unavailable: it takes longer than it may; it is stopped, unless it must go on
        """
        order = self._order(wish)
        end = monotonic() + wish.timeout_seconds
        status = self._desk.run_job(order, wish.timeout_seconds)
        while not status.is_ended and (left := end - monotonic()) > 0:
            status = self._desk.run_job(order, left)
        if not status.is_ended:
            status = self._desk.cancel_job(order.uuid)
            what = status.message or status.state
            raise Unavailable(
                f"{wish.kind} of {wish.thing.part.name} takes longer than {wish.timeout_seconds:g} s: {what}"
            )
        if status.state is not JobState.DONE:
            why = f"{status.error_text} ({status.error_code})" if status.error_text else status.state
            raise ActRefused(f"{wish.kind} of {wish.thing.part.name}: {why}")

    def _order(self, wish: Wish) -> JobOrder:
        thing = wish.thing
        try:
            driver = self._driver_of(thing.device.identity)
        except KeyError:
            raise DeviceGone(f"no driver sees {thing.device.identity} any more") from None
        return JobOrder(
            uuid=str(uuid4()),
            kind=wish.kind,
            node=self._node,
            driver=driver,
            device=thing.device.identity,
            deployable=None if wish.kind in _OF_DEVICE else thing.part.name,
            handle=HandleOrder(uuid=str(UUID(thing.key)), type=thing.handle.type, info=thing.handle.info),
            arguments={ARGUMENT_METHOD: wish.method} if wish.method else {},
            image=wish.image,
            time_limit_seconds=wish.timeout_seconds,
            deadline=datetime.now(UTC) + timedelta(seconds=wish.timeout_seconds),
        )
