"""The jobs of this node on disk: a file for each, written whole, so that an agent that is killed knows what it was at.

A job is begun only once the disk has it: what could not be found again after a crash is refused.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

from accel.agent.files import write_whole
from accel.agent.jobs.acts import Process
from accel.errors import InvalidValue, Unavailable
from accel.model.job import JobOrder, JobStatus
from accel.rpc import wire

_LOG = logging.getLogger(__name__)

MOST_KEPT = 1000
"""How many ended jobs are kept; of more, the oldest are forgotten."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptJob:
    """A job as the disk has it."""

    order: JobOrder
    status: JobStatus
    process: Process | None = None
    """What does it, while it is being done."""
    is_called_off: bool = False
    """Whether somebody wants it stopped."""


class Store:
    """The jobs, by their UUIDs. One thread at a time.

    :param directory: made when it is not there
    :param kept_for: how long an ended job is remembered
    """

    def __init__(self, directory: Path, *, kept_for: timedelta = timedelta(days=1)) -> None:
        self._directory = directory
        self._kept_for = kept_for
        self._jobs: dict[str, KeptJob] = {}

    def open(self) -> None:
        """Read what an earlier run of the agent has left."""
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            paths = sorted(self._directory.glob("*.json"))
        except OSError as error:
            _LOG.error("The jobs in %s cannot be read: %s. None is taken until they can", self._directory, error)
            return
        for path in paths:
            self._read(path)

    def get(self, uuid: str) -> KeptJob | None:
        """A job that is known."""
        return self._jobs.get(uuid)

    def __iter__(self) -> Iterator[KeptJob]:
        return iter(tuple(self._jobs.values()))

    def add(self, job: KeptJob) -> None:
        """Keep a new job.

        :raises InvalidValue: its UUID is none
        :raises Unavailable: it cannot be written
        """
        self._path(job.order.uuid)
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._write(job)
        except OSError as error:
            raise Unavailable(f"the agent of {job.order.node} cannot keep jobs: {error}") from error
        self._jobs[job.order.uuid] = job

    def change(self, uuid: str, *, status: JobStatus, process: Process | None = None) -> None:
        """Keep how it goes; where the disk does not take it, memory does."""
        job = self._jobs[uuid] = replace(self._jobs[uuid], status=status, process=process)
        try:
            self._write(job)
        except OSError as error:
            _LOG.error("Job %s is %s, which cannot be written down: %s", uuid, status.state, error)

    def call_off(self, uuid: str) -> None:
        """Keep that somebody wants it stopped."""
        job = self._jobs[uuid] = replace(self._jobs[uuid], is_called_off=True)
        try:
            self._write(job)
        except OSError as error:
            _LOG.error("Job %s is called off, which cannot be written down: %s", uuid, error)

    def remember(self, status: JobStatus) -> None:
        """Keep it in memory only: how far a job is."""
        self._jobs[status.uuid] = replace(self._jobs[status.uuid], status=status)

    def forget_old(self, now: datetime) -> None:
        """Forget jobs that have ended long ago: nobody asks any more."""
        ended = [(job.status.finished_at, job) for job in self if job.status.is_ended and job.status.finished_at]
        ended.sort(key=lambda pair: pair[0], reverse=True)
        for number, (finished_at, job) in enumerate(ended):
            if number >= MOST_KEPT or now - finished_at > self._kept_for:
                del self._jobs[job.order.uuid]
                try:
                    self._path(job.order.uuid).unlink(missing_ok=True)
                except OSError as error:
                    _LOG.error("Job %s cannot be forgotten: %s", job.order.uuid, error)

    def _read(self, path: Path) -> None:
        try:
            job = wire.decode_bytes(KeptJob, path.read_bytes())
        except (OSError, InvalidValue) as error:
            _LOG.error("%s cannot be read and is left out: %s", path, error)
            return
        self._jobs[job.order.uuid] = job

    def _write(self, job: KeptJob) -> None:
        write_whole(self._path(job.order.uuid), wire.encode_bytes(job))

    def _path(self, uuid: str) -> Path:
        """Its file; what is no UUID names none."""
        try:
            return self._directory / f"{UUID(uuid)}.json"
        except ValueError as error:
            raise InvalidValue("uuid", uuid, "a UUID") from error
