"""What the conductor does for requests: it takes and gives back attach handles, and does the work on the node.

What needs no work is one transaction. What does is two, with the work between them: a request is claimed, its handle
is made ready step by step, then it is bound; or, when a step fails or takes too long, all that was done is undone and
the handle given back. Each step and its undoing can be repeated, so a conductor that dies in between leaves what
another one finishes.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Protocol

from accel.conductor.audit import Auditor, Gone
from accel.db import claims, releasing, work
from accel.db.engine import Connection, Database
from accel.db.events import Origin
from accel.db.history import CONDUCTOR
from accel.db.scope import Scope
from accel.db.transitions import Terms
from accel.db.work import Work
from accel.errors import AccelError, Unavailable
from accel.model.audit import Audit, AuditSubject, AuditWanted
from accel.model.profile import Group
from accel.model.request import RequestChanges, RequestState

_LOG = logging.getLogger(__name__)
_LEFT = "the work on accelerator request %s stops here and is taken up after its deadline: %s"

_NO_PLACEMENT = "Placement: the conductor that answers has none; [placement] auth_type is not set"

POINTS = (
    "claim.written",
    "claim.committed",
    "bind.prepared",
    "bind.written",
    "bind.committed",
    "undo.done",
    "undo.written",
    "undo.committed",
)
"""The names of the moments at which a conductor may die and nothing be lost; tests let it die there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What a step of work is about."""

    request_uuid: str
    node: str
    handle_uuid: str
    """The key of all that is made for it on the node."""
    handle_type: str
    handle_info: Mapping[str, str]
    group: Group
    """What the profile wants of the accelerator."""
    deadline: datetime
    """From then on another conductor may be at work on the handle, or hand it to somebody else."""
    project_id: str = ""
    holder_uuid: str = ""
    """What the request holds the handle by: another one each time that it is bound."""
    device_uuid: str = ""
    device_type: str = ""
    deployable_uuid: str = ""
    deployable_kind: str = ""
    was_bound: bool = True
    """Whether somebody may have used it."""


class LeftInDoubt(AccelError):
    """A step could not be undone, and nobody knows what the handle is like now: it is offered to nobody.

    :param job: the job that has failed: who mends that, mends this
    """

    code = "accel.left_in_doubt"

    def __init__(self, message: str, job: str) -> None:
        super().__init__(message)
        self.job = job


class Step(Protocol):
    """One step of work on a node. It may be done and undone any number of times, by one conductor after another.

    It changes nothing any more once the deadline of its task has come: it fails then, however long it has waited.
    """

    def do(self, task: Task) -> None:
        """Do it, unless it is done.

        :raises AccelError: it cannot be done; the text says why
        """
        ...

    def undo(self, task: Task) -> None:
        """Undo it, unless it never was done or is undone.

        :raises LeftInDoubt: it cannot be undone, and trying again will not help
        :raises AccelError: it cannot be undone now
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Hooks:
    """Who is told of what happens to requests, and who is asked about instances."""

    wake_notifier: Callable[[], None] = lambda: None
    """Told that there may be something to tell Nova."""
    at: Callable[[str], None] = lambda _point: None
    """Told of each of ``POINTS`` as it comes."""
    gone: Gone | None = None
    """Nova; None: there is none."""
    take_up_jobs: Callable[[bool], None] = lambda _is_fresh: None
    """Begins to attend to jobs that nobody attends to; told whether this conductor has just started."""
    audit_placement: Callable[[AuditWanted], Audit] | None = None
    """Compares what OpenStack Placement has; None: there is none."""


class Claims:
    """The conductor's work on requests.

    :param clock: tells the time, with zone
    :param steps: the steps of work by name; ``terms`` says which of them a handle needs
    :param submit: runs a function some time soon, in another thread
    """

    def __init__(
        self,
        database: Database,
        clock: Callable[[], datetime],
        terms: Terms,
        *,
        steps: Mapping[str, Step],
        submit: Callable[[Callable[[], None]], object],
        hooks: Hooks | None = None,
    ) -> None:
        self._database = database
        self._clock = clock
        self._terms = terms
        self._steps = steps
        self._submit = submit
        self._hooks = hooks or Hooks()
        self._auditor = Auditor(database, clock, terms, take_up_work=self.take_up_work, gone=self._hooks.gone)

    def change_requests(self, wanted: RequestChanges) -> None:
        """Bind and unbind requests, all or none. What needs work on a node is begun; the rest is done.

        :raises NotFound: there is no such request, or no such provider
        :raises InvalidValue: an instance has other requests already
        :raises Conflict: a request is in a state that does not allow it, or cannot be bound there; the text says why
        :raises DatabaseUnavailable: nothing was changed
        """
        caller = wanted.caller
        origin = Origin(at=self._clock(), request_id=caller.request_id, user_id=caller.user_id)
        scope = Scope(project_id=caller.project_id, sees_all=caller.sees_all)
        begun = self._write(
            "claim",
            lambda connection: claims.change(connection, wanted.changes, scope=scope, terms=self._terms, origin=origin),
        )
        self._hooks.wake_notifier()
        for uuid in begun:
            self._submit(partial(self._begin, uuid, lease=self._terms.deadline(origin.at)))

    def take_up_work(self, *, is_fresh: bool = False) -> None:
        """Begin the work on requests that nobody is at, or that somebody has not ended in time. Jobs are taken up, too,
        and Nova is told of others.

        :param is_fresh: this conductor has just started: what it was at before is to be taken up as well
        :raises DatabaseUnavailable: nothing was begun
        """
        self._hooks.wake_notifier()
        self._hooks.take_up_jobs(is_fresh)
        worker = self._terms.worker if is_fresh else None
        for uuid in self._database.read(lambda connection: work.due(connection, worker=worker, now=self._clock())):
            taken = self._database.write(partial(self._take_over, uuid=uuid, is_fresh=is_fresh))
            if taken is not None:
                self._submit(partial(self._go_on, taken))

    def release_expired_claims(self) -> int:
        """Give back what claims of placement hold that nobody has renewed in time; gives how many claims those were.

        Work on nodes that this needs is for whoever takes up work next.

        :raises DatabaseUnavailable: those that were not released will be at the next time
        """
        released = 0
        while True:
            count, _ = self._database.write(
                lambda connection: releasing.release_expired(connection, origin=self._origin())
            )
            released += count
            if count < releasing.EXPIRED_AT_ONCE:
                return released

    def audit(self, wanted: AuditWanted) -> Audit:
        """What does not add up, and mend it, where that is wanted.

        :raises DatabaseUnavailable: some of it may be mended
        :raises PlacementUnavailable: it was to be compared, and does not answer
        """
        if wanted.of is AuditSubject.PLACEMENT:
            return (
                self._hooks.audit_placement(wanted) if self._hooks.audit_placement else Audit(left_out=(_NO_PLACEMENT,))
            )
        found = self._auditor.audit(wanted)
        self._hooks.wake_notifier()
        return found

    def _take_over(self, connection: Connection, *, uuid: str, is_fresh: bool) -> Work | None:
        return work.take_over(connection, uuid, terms=self._terms, origin=self._origin(), is_fresh=is_fresh)

    def _begin(self, uuid: str, *, lease: datetime) -> None:
        try:
            begun = self._resumed(uuid, lease)
        except Unavailable as error:
            _LOG.warning(_LEFT, uuid, error)
        else:
            self._go_on(begun)

    def _go_on(self, begun: Work | None) -> None:
        """Work on a request until there is nothing to do for it, also when it is to be something else meanwhile."""
        while begun is not None:
            uuid = begun.request.uuid
            try:
                begun = self._next(begun)
            except Unavailable as error:
                _LOG.warning(_LEFT, uuid, error)
                return

    def _next(self, begun: Work) -> Work | None:
        """Do some work; gives what is to be done next."""
        if begun.lease <= self._clock():
            return self._resumed(begun.request.uuid, begun.lease)
        if begun.request.state != RequestState.BIND_STARTED:
            return self._undo(begun, then=work.finish)
        if begun.is_late:
            return self._fail(begun, _too_late(begun, self._terms))
        for name in begun.request.steps:
            if begun.lease <= self._clock():
                return self._resumed(begun.request.uuid, begun.lease)
            try:
                self._step(name).do(_task(begun))
            except AccelError as error:
                _LOG.warning("accelerator request %s cannot be bound: %s", begun.request.uuid, error)
                return self._give_up(begun, str(error))
        self._hooks.at("bind.prepared")
        return self._end("bind", begun, work.finish)

    def _give_up(self, begun: Work, reason: str) -> Work | None:
        """Undo what is done, under a lease of its own, unless the request is to be something else now."""
        again = self._resumed(begun.request.uuid, begun.lease)
        if again is None or again.request.state != RequestState.BIND_STARTED:
            return again
        return self._fail(again, reason)

    def _fail(self, begun: Work, reason: str) -> Work | None:
        return self._undo(begun, then=partial(work.fail, reason=reason), why=reason)

    def _undo(self, begun: Work, *, then: Callable[..., bool], why: str = "") -> Work | None:
        fence = ""
        try:
            for name in reversed(begun.request.steps):
                fence = self._undone(name, begun) or fence
        except AccelError as error:
            _LOG.warning("accelerator request %s keeps its handle: %s", begun.request.uuid, error)
            text = f"{why}; it keeps its handle for now: {error}" if why else str(error)
            self._database.write(lambda connection: work.hold_up(connection, begun, text))
            return None
        self._hooks.at("undo.done")
        return self._end("undo", begun, partial(then, fence=fence))

    def _undone(self, name: str, begun: Work) -> str:
        """Undo a step; gives the job that has left the handle in doubt, if one has: the other steps are undone after it
        all the same, so that mending it mends all.
        """
        try:
            self._step(name).undo(_task(begun))
        except LeftInDoubt as error:
            _LOG.error("accelerator request %s leaves its handle fenced: %s", begun.request.uuid, error)
            return error.job
        return ""

    def _end(self, name: str, begun: Work, end: Callable[..., bool]) -> Work | None:
        is_ended: bool = self._write(
            name, lambda connection: end(connection, begun, terms=self._terms, origin=self._origin())
        )
        self._hooks.wake_notifier()
        return None if is_ended else self._resumed(begun.request.uuid, begun.lease)

    def _resumed(self, uuid: str, lease: datetime) -> Work | None:
        return self._database.write(
            lambda connection: work.resume(connection, uuid, lease=lease, terms=self._terms, origin=self._origin())
        )

    def _step(self, name: str) -> Step:
        if name not in self._steps:
            raise AccelError(f"conductor {self._terms.worker} knows no step {name!r}; it knows {sorted(self._steps)}")
        return self._steps[name]

    def _write(self, name: str, transaction: Callable[[Connection], Any]) -> Any:
        def told(connection: Connection) -> Any:
            result = transaction(connection)
            self._hooks.at(f"{name}.written")
            return result

        result = self._database.write(told)
        self._hooks.at(f"{name}.committed")
        return result

    def _origin(self) -> Origin:
        return Origin(at=self._clock(), service=CONDUCTOR)


def _task(begun: Work) -> Task:
    request, handle = begun.request, begun.handle
    if handle is None:
        raise AccelError(f"accelerator request {request.uuid} is {request.state} and holds nothing; an audit mends it")
    return Task(
        request_uuid=request.uuid,
        node=request.hostname or "",
        handle_uuid=handle.uuid,
        handle_type=handle.type,
        handle_info=handle.info,
        group=request.group,
        deadline=begun.lease,
        project_id=request.project_id,
        holder_uuid=handle.holder_uuid,
        device_uuid=handle.device_uuid,
        device_type=handle.device_type,
        deployable_uuid=handle.deployable_uuid,
        deployable_kind=handle.kind,
        was_bound=request.state != RequestState.BIND_STARTED,
    )


def _too_late(begun: Work, terms: Terms) -> str:
    """Why it has failed; what has held it up, if anything has, was written down."""
    because = f": {begun.request.reason}" if begun.request.reason else ""
    return f"it was not ready within {terms.work_limit.total_seconds():g} seconds{because}"
