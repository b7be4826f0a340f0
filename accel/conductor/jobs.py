"""Attends to jobs: orders them at the agents of their nodes, writes down how they go, and what they come to.

An agent is asked again and again with the whole order: asking twice is joining, so a conductor that dies leaves what
another one goes on with, and nothing is done twice. What an agent does not answer for is asked for again, until it
could not be under way any more.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from threading import Event
from typing import Any

from accel.conductor.backoff import growing_pause
from accel.db import job_work, jobs
from accel.db.engine import Connection, Database
from accel.db.events import Origin
from accel.db.history import CONDUCTOR
from accel.db.job_work import Ended
from accel.db.jobs import JobRow
from accel.errors import ActCancelled, ActInterrupted, AgentRefused, AgentUnavailable, Unavailable
from accel.model.job import JobKind, JobState, JobStatus
from accel.rpc.agents import Agents

_LOG = logging.getLogger(__name__)
_CANCELLED = JobStatus(uuid="", state=JobState.CANCELLED, error_code=ActCancelled.code)
_LEFT = "job %s is left to whoever looks for work next: %s"

JOB_POINTS = (
    "job.taken",
    "job.answered",
    "job.end.written",
    "job.end.committed",
)
"""The names of the moments at which a conductor may die and nothing be lost; tests let it die there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobTerms:
    """How jobs are attended to."""

    worker: str
    """The name of the conductor."""
    wait_seconds: float = 5.0
    """How long an agent is asked to wait for the end before it answers."""
    lease: timedelta = timedelta(seconds=120)
    """How long a conductor may keep silent before another one attends to its jobs: longer than an agent may take."""
    longest_pause: timedelta = timedelta(seconds=60)
    """How long an agent that does not answer is left alone at most."""
    grace: timedelta = timedelta(seconds=60)
    """How much longer than it may take a job may go without an answer, before it counts as failed."""
    kept_for: timedelta = timedelta(days=30)
    """How long the jobs that have ended are kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobHooks:
    """Who is told of what happens to jobs."""

    ended: Mapping[JobKind, Ended] = field(default_factory=dict)
    """Told of the end of jobs of a kind, in the transaction that writes it."""
    at: Callable[[str], None] = lambda _point: None
    """Told of each of ``JOB_POINTS`` as it comes."""
    stop: Event = field(default_factory=Event)
    """Set when the conductor ends: what it attends to is left to another one."""


class Jobs:
    """The conductor's work on jobs.

    :param clock: tells the time, with zone
    :param submit: runs a function some time soon, in another thread
    """

    def __init__(
        self,
        database: Database,
        clock: Callable[[], datetime],
        terms: JobTerms,
        *,
        agents: Agents,
        submit: Callable[[Callable[[], None]], object],
        hooks: JobHooks | None = None,
    ) -> None:
        self._database = database
        self._clock = clock
        self._terms = terms
        self._agents = agents
        self._submit = submit
        self._hooks = hooks or JobHooks()
        self._stop = self._hooks.stop

    def take_up_work(self, *, is_fresh: bool = False) -> None:
        """Begin to attend to jobs that nobody attends to.

        :param is_fresh: this conductor has just started: what it attended to before is to be taken up as well
        :raises DatabaseUnavailable: nothing was begun
        """
        worker = self._terms.worker if is_fresh else None
        for uuid in self._database.read(lambda connection: job_work.due(connection, worker=worker, now=self._clock())):
            row = self._take_over(uuid, is_fresh=is_fresh)
            if row is not None:
                self._submit(partial(self._attend, row))

    def forget_old(self) -> int:
        """Forget jobs that have ended long ago; gives how many.

        :raises DatabaseUnavailable: those that were not forgotten will be at the next time
        """
        before = self._clock() - self._terms.kept_for
        return self._database.write(lambda connection: jobs.forget_ended(connection, before=before))

    def until_ended(self, uuid: str, *, until: datetime) -> JobRow:
        """Attend to a job here and now, or watch another conductor do so; gives how it is at its end, or then.

        :raises DatabaseUnavailable: it goes on all the same
        """
        failures = 0
        while True:
            row = self._take_over(uuid)
            if row is not None:
                self._attend(row, until=until)
            now = self._database.read(lambda connection: jobs.get(connection, uuid))
            if now.is_ended or self._clock() >= until or self._stop.is_set():
                return now
            failures += 1
            self._stop.wait(min(growing_pause(failures, timedelta(seconds=1)).total_seconds(), 1.0) / 4)

    def _take_over(self, uuid: str, *, is_fresh: bool = False) -> JobRow | None:
        now = self._clock()
        row: JobRow | None = self._database.write(
            lambda connection: job_work.take_over(
                connection,
                uuid,
                worker=self._terms.worker,
                lease_until=now + self._terms.lease,
                now=now,
                is_fresh=is_fresh,
            )
        )
        if row is not None:
            self._hooks.at("job.taken")
        return row

    def _attend(self, row: JobRow, *, until: datetime | None = None) -> None:
        """Ask the agent until the job has ended, or somebody else attends to it, or a moment has come."""
        try:
            attended: JobRow | None = row
            while attended is not None and not self._stop.is_set():
                if until is not None and self._clock() >= until:
                    self._put_off(attended, attended.message, timedelta(0))
                    return
                attended = self._ask(attended)
        except Unavailable as error:
            _LOG.warning(_LEFT, row.uuid, error)

    def _ask(self, row: JobRow) -> JobRow | None:
        """Ask once; gives the job as it is then, None where there is nothing more to do here."""
        try:
            status = self._called_off(row)
            if status is None or not status.is_ended:
                status = self._agents.run_job(row.order, self._terms.wait_seconds)
        except AgentUnavailable as error:
            self._unanswered(row, error)
            return None
        except AgentRefused as error:
            refused = JobStatus(
                uuid=row.uuid, state=JobState.FAILED, error_code=error.remote_code, error_text=str(error)
            )
            self._end(row, refused)
            return None
        self._hooks.at("job.answered")
        if status.is_ended:
            self._end(row, status)
            return None
        now = self._clock()
        if (
            row.started_at
            and now >= row.started_at + timedelta(seconds=row.time_limit_seconds) + 10 * self._terms.grace
        ):
            self._lose(row, "its agent says that it goes on, long after it should have ended it")
            return None
        until = now + self._terms.lease
        return self._database.write(
            lambda connection: job_work.go_on(connection, row, status, lease_until=until, origin=self._origin())
        )

    def _called_off(self, row: JobRow) -> JobStatus | None:
        """Tell the agent of a job that is to be cancelled, and how it goes there; None where it goes on.

        The agent is told again each time that it is asked: what must go on now may be stopped later.
        """
        if not row.is_cancel_wanted:
            return None
        status = self._agents.cancel_job(row.node, row.uuid)
        if status is not None:
            return status
        if row.state == JobState.RUNNING:
            unknown = f"the agent of {row.node} does not know any more what it was at"
            return replace(_CANCELLED, uuid=row.uuid, error_text=unknown, is_state_unknown=True)
        return JobStatus(uuid=row.uuid, state=JobState.CANCELLED)

    def _unanswered(self, row: JobRow, error: AgentUnavailable) -> None:
        """Leave the agent alone for a while; what could not be under way any more has failed."""
        now = self._clock()
        begun = row.started_at or row.deadline_at
        if now >= begun + timedelta(seconds=row.time_limit_seconds) + self._terms.grace:
            self._lose(row, f"nobody has heard of it in time: {error}")
            return
        waited = max(1, int((now - row.created_at).total_seconds()).bit_length())
        self._put_off(row, f"waiting for its node: {error}", growing_pause(waited, self._terms.longest_pause))

    def _lose(self, row: JobRow, why: str) -> None:
        """Give a job up of which nobody knows what it has come to."""
        lost = JobStatus(
            uuid=row.uuid,
            state=JobState.FAILED,
            error_code=ActInterrupted.code,
            error_text=f"{why}; so the state of the device is unknown",
            is_state_unknown=True,
        )
        self._end(row, lost)

    def _put_off(self, row: JobRow, message: str, pause: timedelta) -> None:
        until = self._clock() + pause
        self._database.write(lambda connection: job_work.put_off(connection, row, message, until=until))

    def _end(self, row: JobRow, status: JobStatus) -> None:
        ended = self._hooks.ended.get(JobKind(row.kind))

        def write(connection: Connection) -> Any:
            job_work.end(connection, row, status, origin=self._origin(), ended=ended)
            self._hooks.at("job.end.written")

        self._database.write(write)
        self._hooks.at("job.end.committed")
        if status.state is JobState.FAILED:
            told = row.uuid, row.kind, row.device_uuid, row.node, status.error_text
            _LOG.warning("job %s, %s of device %s on %s, has failed: %s", *told)
        elif row.kind == JobKind.RELEASE:
            self.take_up_work()  # what was given back late is to be scrubbed once more

    def _origin(self) -> Origin:
        return Origin(at=self._clock(), service=CONDUCTOR)
