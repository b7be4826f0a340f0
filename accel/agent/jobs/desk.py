"""Where jobs are ordered: each device does one at a time, in the order in which they came, many devices at once.

A job is told to be at its end only after the drivers have looked again and what they saw was reported, so whoever
hears of the end finds the device in the record as it is then.
"""

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from accel.agent.jobs.acts import Acts, Process, end_left_over, interrupted
from accel.agent.jobs.perform import Ending, failed
from accel.agent.jobs.store import KeptJob, Store
from accel.errors import AccelError, ActCancelled, ActRefused, InvalidValue, NotFound, Unavailable
from accel.model.job import ImageOrder, JobOrder, JobState, JobStatus

_LOG = logging.getLogger(__name__)

MOST_AT_ONCE = 16
"""How many acts are done at once on a node."""
LONGEST_WAIT_SECONDS = 20.0
"""Nobody is kept waiting for longer, whatever he asks for."""
_LOOKING_AGAIN = "looking at the device again"


class Images(Protocol):
    """Where a node gets images."""

    def fetch(self, image: ImageOrder) -> Path:
        """A file with the image, whose digest and signature are right; it stays until ``done_with`` is called.

        :raises AccelError: it is not to be had, or it is another one than it should be
        """
        ...

    def done_with(self, image: ImageOrder) -> None:
        """Nobody needs what was fetched any more."""
        ...


class NoImages:
    """There are none."""

    def fetch(self, image: ImageOrder) -> Path:
        """See ``Images.fetch``."""
        raise ActRefused(f"this node cannot fetch image {image.name} ({image.digest})")

    def done_with(self, image: ImageOrder) -> None:
        """See ``Images.done_with``; there was none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a desk needs of the agent around it."""

    rediscover: Callable[[], object] = lambda: None
    """Lets all drivers look and waits until what they saw is reported, if somebody takes it."""
    images: Images = NoImages()  # noqa: RUF009 - it has no state
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    lost: Callable[[], Iterable[JobOrder]] = tuple
    """What a restart of the host has undone: jobs that come before all others."""
    done: Callable[[JobOrder], None] = lambda _order: None
    """Told of each job that was done."""
    takes: Callable[[str], bool] = lambda _node: True
    """Whether jobs for a node of this name are taken here."""


class Desk:
    """The jobs of a node.

    :param store: not opened yet
    """

    def __init__(self, store: Store, acts: Acts, around: Surroundings) -> None:
        self._store = store
        self._acts = acts
        self._around = around
        self._changed = threading.Condition()
        self._queues: dict[tuple[str, str], deque[str]] = {}
        self._slots = threading.BoundedSemaphore(MOST_AT_ONCE)
        self._is_stopping = False
        self._threads: list[threading.Thread] = []
        self._untold: set[str] = set()
        """The jobs that have ended and of whose end nobody hears before the drivers have looked again."""

    def open(self) -> None:
        """Take up what an earlier run of the agent has left: what waited waits on; what was under way has failed."""
        with self._changed:
            self._store.open()
            for order in self._around.lost():
                self._take(order)
            for job in sorted(self._store, key=lambda job: job.status.started_at or datetime.min.replace(tzinfo=UTC)):
                if job.status.state is JobState.RUNNING:
                    self._give_up(job)
                elif job.status.state is JobState.QUEUED:
                    self._enqueue(job.order)
            self._store.forget_old(self._around.clock())
            self._untold = {job.order.uuid for job in self._store if job.status.is_ended}
        if self._untold:
            self._begin(lambda: self._tell(self._untold.copy()), "look")

    def run_job(self, order: JobOrder, wait_seconds: float) -> JobStatus:
        """Begin a job, or join the one with its UUID; wait for its end for a while.

        :return: how it goes
        :raises InvalidValue: the order is for another node, or it has a UUID that is none or another order's
        :raises Unavailable: no job is taken now
        """
        with self._changed:
            known = self._store.get(order.uuid)
            if known is None:
                self._take(order)
            elif (known.order.kind, known.order.device) != (order.kind, order.device):
                raise InvalidValue("uuid", order.uuid, f"new: it is that of a job to {known.order.kind}")
            self._changed.wait_for(lambda: self._status(order.uuid).is_ended, min(wait_seconds, LONGEST_WAIT_SECONDS))
            return self._status(order.uuid)

    def cancel_job(self, uuid: str) -> JobStatus:
        """End a job; one that is under way is stopped as soon as it can be, or goes on to its end where it cannot.

        :return: how it goes: it may take its time to stop
        :raises NotFound: no such job is known
        """
        with self._changed:
            job = self._store.get(uuid)
            if job is None:
                raise NotFound("job", uuid)
            if job.status.state is JobState.QUEUED:
                now = self._around.clock()
                status = replace(job.status, state=JobState.CANCELLED, message="", finished_at=now)
                self._store.change(uuid, status=status)
                self._changed.notify_all()
            elif job.status.state is JobState.RUNNING:
                self._store.call_off(uuid)
            return self._status(uuid)

    def stop(self, patience_seconds: float = 0.0) -> None:
        """Take no more jobs, let those under way end for a while, then end them by force."""
        with self._changed:
            self._is_stopping = True
            self._changed.wait_for(lambda: not self._queues, patience_seconds)
        self._acts.stop()
        for thread in self._threads:
            thread.join()

    def _kept(self, uuid: str) -> KeptJob:
        job = self._store.get(uuid)
        if job is None:  # forgotten while somebody waited for it
            raise NotFound("job", uuid)
        return job

    def _status(self, uuid: str) -> JobStatus:
        job = self._kept(uuid)
        if uuid in self._untold:
            return replace(job.status, state=JobState.RUNNING, message=_LOOKING_AGAIN, error_code="", error_text="")
        return job.status

    def _take(self, order: JobOrder) -> None:
        if self._is_stopping:
            raise Unavailable(f"the agent of {order.node} is ending")
        if not self._around.takes(order.node):
            raise InvalidValue("node", order.node, "a node of this agent")
        self._store.forget_old(self._around.clock())
        self._store.add(KeptJob(order=order, status=JobStatus(uuid=order.uuid, state=JobState.QUEUED)))
        self._enqueue(order)

    def _give_up(self, job: KeptJob) -> None:
        if job.process is not None:
            end_left_over(job.process)
        ending = failed(interrupted(job.order))
        _LOG.error("Job %s: %s", job.order.uuid, ending.error_text)
        self._store.change(job.order.uuid, status=_ended(job, ending, self._around.clock()))

    def _enqueue(self, order: JobOrder) -> None:
        """Let the device do it when its turn comes; a device that has nothing to do has no thread."""
        device = order.node, order.device
        queue = self._queues.get(device)
        if queue is not None:
            queue.append(order.uuid)
            return
        self._queues[device] = deque([order.uuid])
        self._begin(lambda: self._work(device), order.device)

    def _begin(self, work: Callable[[], None], name: str) -> None:
        self._threads = [thread for thread in self._threads if thread.is_alive()]
        thread = threading.Thread(target=work, name=f"jobs-{name}", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _tell(self, uuids: set[str]) -> None:
        """Let the drivers look, and let whoever waits hear of the end of jobs then."""
        if not self._is_stopping:
            self._around.rediscover()
        with self._changed:
            self._untold -= uuids
            self._changed.notify_all()

    def _work(self, device: tuple[str, str]) -> None:
        """Do all that is ordered for a device."""
        while True:
            with self._changed:
                queue = self._queues[device]
                if not queue or self._is_stopping:
                    del self._queues[device]
                    self._changed.notify_all()
                    return
                uuid = queue.popleft()
            with self._slots:
                self._do(uuid)

    def _do(self, uuid: str) -> None:
        with self._changed:
            job = self._store.get(uuid)
            if job is None or job.status.state is not JobState.QUEUED:
                return
            if self._is_stopping:
                return  # it waits for the next run of the agent
            order, now = job.order, self._around.clock()
            running = replace(job.status, state=JobState.RUNNING, started_at=now)
            self._store.change(uuid, status=running)
            self._changed.notify_all()
        ending = self._ending(order, running)
        if ending.traceback:
            _LOG.error("Job %s, %s of %s, raised:\n%s", uuid, order.kind, order.device, ending.traceback)
        if not ending.error_code:
            self._around.done(order)
        with self._changed:
            done = _ended(replace(self._kept(uuid), status=running), ending, self._around.clock())
            self._untold.add(uuid)
            self._store.change(uuid, status=done)
        self._tell({uuid})

    def _ending(self, order: JobOrder, running: JobStatus) -> Ending:
        if order.deadline is not None and self._around.clock() >= order.deadline:
            return failed(ActRefused(f"the turn of {order.kind} came after its deadline, {order.deadline.isoformat()}"))

        def progress(message: str, fraction: float | None = None, *, must_go_on: str = "") -> None:
            with self._changed:
                status = replace(running, message=message, fraction=fraction, must_go_on=must_go_on)
                self._store.remember(status)

        def begun(process: Process) -> None:
            with self._changed:
                self._store.change(order.uuid, status=running, process=process)

        def is_unwanted() -> bool:
            with self._changed:
                return self._kept(order.uuid).is_called_off

        try:
            image = self._around.images.fetch(order.image) if order.image is not None else None
        except AccelError as error:
            return replace(failed(error), is_state_unknown=False)  # nothing has been done to the device
        try:
            if is_unwanted():
                return replace(failed(ActCancelled("it was stopped before it began")), is_state_unknown=False)
            return self._acts.do(order, image, progress, begun=begun, is_unwanted=is_unwanted)
        finally:
            if order.image is not None:
                self._around.images.done_with(order.image)


def _ended(job: KeptJob, ending: Ending, now: datetime) -> JobStatus:
    """What has not come to its end although it was called off was cancelled, whatever else it says."""
    is_done, is_cancelled = not ending.error_code, bool(ending.error_code) and job.is_called_off
    return replace(
        job.status,
        state=JobState.DONE if is_done else JobState.CANCELLED if is_cancelled else JobState.FAILED,
        message="",
        fraction=1.0 if is_done else job.status.fraction,
        error_code=ActCancelled.code if is_cancelled else ending.error_code,
        error_text=ending.error_text,
        is_state_unknown=ending.is_state_unknown,
        finished_at=now,
    )
