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

from accel.db import claims, work
from accel.db.engine import Connection, Database
from accel.db.events import Origin
from accel.db.history import CONDUCTOR
from accel.db.scope import Scope
from accel.db.transitions import Terms
from accel.db.work import Work
from accel.errors import AccelError
from accel.model.profile import Group
from accel.model.request import RequestChanges, RequestState

_LOG = logging.getLogger(__name__)

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


class Step(Protocol):
    """One step of work on a node. It may be done and undone any number of times, also by two conductors."""

    def do(self, task: Task) -> None:
        """Do it, unless it is done.

        :raises AccelError: it cannot be done; the text says why
        """
        ...

    def undo(self, task: Task) -> None:
        """Undo it, unless it never was done or is undone.

        :raises AccelError: it cannot be undone now
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Hooks:
    """Who is told of what happens to requests."""

    wake_notifier: Callable[[], None] = lambda: None
    """Told that there may be something to tell Nova."""
    at: Callable[[str], None] = lambda _point: None
    """Told of each of ``POINTS`` as it comes."""


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
            self._submit(partial(self._work_on, uuid))

    def take_up_work(self, *, is_fresh: bool = False) -> None:
        """Begin the work on requests that nobody is at, or that somebody has not ended in time.

        :param is_fresh: this conductor has just started: what it was at before is to be taken up as well
        :raises DatabaseUnavailable: nothing was begun
        """
        worker = self._terms.worker if is_fresh else None
        for uuid in self._database.read(lambda connection: work.due(connection, worker=worker, now=self._clock())):
            taken = self._database.write(partial(self._take_over, uuid=uuid, is_fresh=is_fresh))
            if taken is not None:
                self._submit(partial(self._work_on, uuid, taken))

    def _take_over(self, connection: Connection, *, uuid: str, is_fresh: bool) -> Work | None:
        return work.take_over(connection, uuid, terms=self._terms, origin=self._origin(), is_fresh=is_fresh)

    def _work_on(self, uuid: str, taken: Work | None = None) -> None:
        """Work on a request until there is nothing to do for it, also when it is to be something else meanwhile."""
        is_done = False
        while not is_done:
            begun = taken or self._database.write(lambda connection: work.begun(connection, uuid, terms=self._terms))
            taken = None
            is_done = begun is None or self._has_done(begun)

    def _has_done(self, begun: Work) -> bool:
        """Do some work; False when something else is to be done now."""
        if begun.request.state != RequestState.BIND_STARTED:
            return self._undo(begun, then=work.finish)
        if begun.is_late:
            return self._fail(begun, f"it was not ready within {self._terms.work_limit.total_seconds():g} seconds")
        try:
            for name in begun.request.steps:
                self._steps[name].do(_task(begun))
        except AccelError as error:
            _LOG.warning("accelerator request %s cannot be bound: %s", begun.request.uuid, error)
            return self._fail(begun, str(error))
        self._hooks.at("bind.prepared")
        return self._end("bind", begun, work.finish)

    def _fail(self, begun: Work, reason: str) -> bool:
        return self._undo(begun, then=partial(work.fail, reason=reason))

    def _undo(self, begun: Work, *, then: Callable[..., bool]) -> bool:
        try:
            for name in reversed(begun.request.steps):
                self._steps[name].undo(_task(begun))
        except AccelError as error:
            _LOG.warning("accelerator request %s keeps its handle: %s", begun.request.uuid, error)
            text = str(error)
            self._database.write(lambda connection: work.hold_up(connection, begun, text))
            return True
        self._hooks.at("undo.done")
        return self._end("undo", begun, then)

    def _end(self, name: str, begun: Work, end: Callable[..., bool]) -> bool:
        is_ended: bool = self._write(
            name, lambda connection: end(connection, begun, terms=self._terms, origin=self._origin())
        )
        self._hooks.wake_notifier()
        return is_ended

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
    )
