"""The steps of work on nodes that requests need: each is a job at the node's agent, or none.

A step knows its jobs by a key that is made of what the request holds the handle by, so whoever takes the work over
joins the job that is under way, and does not order what was done. What is bound once more has another key.

A step that is not done in time may still be done on its node, so it is only over when its job is: it is cancelled
before it has begun, or waited for. What cannot be undone leaves the handle in doubt, and the job that has failed fences
it: to do that again is to mend it.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from accel.conductor.claims import LeftInDoubt, Step, Task
from accel.conductor.jobs import Jobs
from accel.db import deployables, image_choice, jobs
from accel.db.engine import Connection, Database
from accel.db.events import Origin
from accel.db.history import CONDUCTOR
from accel.db.image_choice import Choice
from accel.db.jobs import JobRow
from accel.db.scope import EVERYTHING
from accel.errors import AccelError, Conflict
from accel.model.job import ARGUMENT_METHOD, HandleOrder, ImageOrder, JobKind, JobState, NewJob
from accel.model.steps import PREPARE, PROGRAM, SCRUB, WorkPolicy

_LONGEST_WAIT_SECONDS = 86400.0
"""How long giving back and scrubbing may wait for their node: nobody waits for them but whoever comes next."""
_PATIENCE = timedelta(seconds=15)
"""How long a thread waits for what is undone before it turns to something else and comes back."""

ChooseImage = Callable[[Connection, Task], Choice]
"""The image that the task's group names, or one that has the function that it names, for the task's part.

Raises an ``AccelError`` where there is none that the task's project may use, or none that fits; its text says why.
"""


def no_images(_connection: Connection, _task: Task) -> Choice:
    """Where there are no images."""
    raise Conflict("this conductor has no images to load")


def registered_images(*, requires_signature: bool) -> ChooseImage:
    """The images of the registry."""

    def chosen(connection: Connection, task: Task) -> Choice:
        part = deployables.get(connection, task.deployable_uuid)
        return image_choice.choose(
            connection, task.group, task.project_id, part.id, requires_signature=requires_signature
        )

    return chosen


@dataclass(frozen=True, slots=True, kw_only=True)
class StepTerms:
    """How steps are done."""

    policy: WorkPolicy
    limit_seconds: float
    """How long giving back and scrubbing may take on the node."""
    choose_image: ChooseImage = no_images


class _Ordered:
    """What the steps have in common: their jobs."""

    name: str

    def __init__(self, database: Database, work: Jobs, clock: Callable[[], datetime], terms: StepTerms) -> None:
        self._database = database
        self._work = work
        self._clock = clock
        self._terms = terms

    def _newest(self, task: Task, direction: str) -> JobRow | None:
        key = self._key(task, direction)
        return self._database.read(lambda connection: jobs.newest_of(connection, key))

    def _ordered(self, task: Task, direction: str, make: Callable[[Connection], NewJob], *, until: datetime) -> JobRow:
        """The job of one direction: the one that there is, or a new one, at its end or at a moment."""
        key = self._key(task, direction)

        def find_or_order(connection: Connection) -> str:
            known = jobs.newest_of(connection, key)
            return (
                known.uuid if known is not None else jobs.order_job(connection, make(connection), origin=self._origin())
            )

        return self._work.until_ended(self._database.write(find_or_order), until=until)

    def _undone(self, task: Task, make: Callable[[Connection], NewJob]) -> None:
        """Have the job of undoing done.

        :raises LeftInDoubt: it has failed
        :raises AccelError: it has not ended yet
        """
        soon = self._clock() + _PATIENCE
        row = self._ordered(task, "undo", make, until=min(task.deadline, soon))
        if not row.is_ended:
            raise AccelError(f"{self.name}: {_unfinished(row)}")
        if row.state != JobState.DONE:
            raise LeftInDoubt(f"{self.name}: job {row.uuid} has failed: {_why(row)}", row.uuid)

    def _settled(self, task: Task) -> JobRow | None:
        """The job of doing, which will do nothing any more; None where none was ordered.

        :raises AccelError: it is under way
        """
        row = self._newest(task, "do")
        if row is None or row.is_ended:
            return row
        try:
            cancelled = self._database.write(
                lambda connection: jobs.cancel(
                    connection, row.uuid, scope=EVERYTHING, origin=self._origin(), stops_begun=False
                )
            )
        except Conflict:  # it has begun, or ended since
            cancelled = row
        if not cancelled.is_ended:
            cancelled = self._work.until_ended(row.uuid, until=task.deadline)
        if not cancelled.is_ended:
            raise AccelError(f"{self.name}: {_unfinished(cancelled)}")
        return cancelled

    def _do(self, task: Task, make: Callable[[Connection], NewJob]) -> None:
        row = self._ordered(task, "do", make, until=task.deadline)
        if row.state != JobState.DONE:
            raise AccelError(f"{self.name}: {_why(row) if row.is_ended else _unfinished(row)}")

    def _new(
        self,
        task: Task,
        kind: JobKind,
        direction: str,
        *,
        arguments: Mapping[str, str] | None = None,
        image: ImageOrder | None = None,
    ) -> NewJob:
        """An order for what a task is about. What is done ahead has the time of the task; what is undone has all."""
        left = max((task.deadline - self._clock()).total_seconds(), 0.0)
        is_ahead = direction == "do"
        return NewJob(
            kind=kind,
            device_uuid=task.device_uuid,
            deployable_uuid=task.deployable_uuid,
            handle=HandleOrder(uuid=task.handle_uuid, type=task.handle_type, info=task.handle_info),
            arguments=arguments or {},
            image=image,
            time_limit_seconds=max(left, 1.0) if is_ahead else self._terms.limit_seconds,
            begins_within_seconds=left if is_ahead else _LONGEST_WAIT_SECONDS,
            project_id=task.project_id,
            request_uuid=task.request_uuid,
            fences=False,
            is_wanted_of_lost=not is_ahead,
            key=self._key(task, direction),
        )

    def _key(self, task: Task, direction: str) -> str:
        return f"{task.holder_uuid}:{self.name}:{direction}"

    def _origin(self) -> Origin:
        return Origin(at=self._clock(), service=CONDUCTOR)


class Prepare(_Ordered):
    """Makes a handle ready for a guest, and gives it back to the host."""

    name = PREPARE

    def do(self, task: Task) -> None:
        """See ``Step.do``."""
        self._do(task, lambda _: self._new(task, JobKind.PREPARE, "do"))

    def undo(self, task: Task) -> None:
        """See ``Step.undo``."""
        if _has_changed_something(self._settled(task)):
            self._undone(task, lambda _: self._new(task, JobKind.RELEASE, "undo"))


class Program(_Ordered):
    """Loads an image. What somebody has had stays: to take it out is what scrubbing is for.

    What is there already is not loaded again. While it is loaded nobody else gets anything of the device; an instance
    that gets several functions of one board has it loaded once.
    """

    name = PROGRAM

    def do(self, task: Task) -> None:
        """See ``Step.do``."""
        choice = self._database.read(lambda connection: self._terms.choose_image(connection, task))
        if choice.is_loaded and self._newest(task, "do") is None:
            return
        try:
            self._do(task, lambda connection: self._loading(self._terms.choose_image(connection, task), task))
        except Conflict:
            if not self._is_loaded_by_another(task, choice):
                raise

    def _loading(self, choice: Choice, task: Task) -> NewJob:
        new = self._new(task, JobKind.PROGRAM, "do", image=choice.order)
        return replace(new, deployable_uuid=choice.part.uuid, fences=True)

    def _is_loaded_by_another(self, task: Task, choice: Choice) -> bool:
        """Whether the same image has been loaded for another request of the same instance, once that has ended."""
        other = self._database.read(
            lambda connection: jobs.loading(connection, choice.part.uuid, choice.order.digest, task.request_uuid)
        )
        return other is not None and self._work.until_ended(other, until=task.deadline).state == JobState.DONE

    def undo(self, task: Task) -> None:
        """Take out what was loaded halfway, or in vain."""
        loaded = self._settled(task)
        if loaded is None:
            return
        new = self._new(task, JobKind.BLANK, "undo")
        blank = replace(new, deployable_uuid=loaded.deployable_uuid, fences=True)
        if loaded.is_state_unknown:
            self._undone(task, lambda _: blank)
        elif loaded.state == JobState.DONE and not task.was_bound:
            with suppress(Conflict):  # somebody else has something of the device, and may need what is loaded
                self._undone(task, lambda _: blank)


class Scrub(_Ordered):
    """Takes out what the last user has left. There is nothing to do ahead."""

    name = SCRUB

    def do(self, task: Task) -> None:
        """See ``Step.do``."""

    def undo(self, task: Task) -> None:
        """See ``Step.undo``; what nobody has had needs none, nor does what the policy does not name any more."""
        method = self._terms.policy.scrub_method(task.device_type, task.deployable_kind)
        if method and task.was_bound:
            arguments = {ARGUMENT_METHOD: method}
            self._undone(task, lambda _: self._new(task, JobKind.SCRUB, "undo", arguments=arguments))


def make_steps(database: Database, work: Jobs, clock: Callable[[], datetime], terms: StepTerms) -> Mapping[str, Step]:
    """All steps that there are, by name."""
    kinds: tuple[type[Prepare | Program | Scrub], ...] = (Scrub, Program, Prepare)
    return {kind.name: kind(database, work, clock, terms) for kind in kinds}


def _has_changed_something(row: JobRow | None) -> bool:
    """Whether there may be something to undo: a job that was refused, or never begun, has left all as it was."""
    return row is not None and (row.state == JobState.DONE or row.is_state_unknown)


def _why(row: JobRow) -> str:
    return row.error_text or f"job {row.uuid} is {row.state}"


def _unfinished(row: JobRow) -> str:
    about = f": {row.message}" if row.message else ""
    return f"job {row.uuid} is {row.state}{about}"
