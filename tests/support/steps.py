"""Steps of work on a node that can be looked at: each leaves a file for a handle, named after it."""

import threading
from collections import deque
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from accel.conductor.claims import Task
from accel.db.engine import Database
from accel.errors import AccelError

PATIENCE_SECONDS = 30


@dataclass
class FileStep:
    """Makes a handle ready by a file that says for which request it is, and tidies up by removing it."""

    directory: Path
    name: str = "step"
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)

    def do(self, task: Task) -> None:
        """Write the file, unless the time is over."""
        if self.clock() >= task.deadline:
            raise AccelError(f"{self.name}: the time is over")
        self.path(task.handle_uuid).write_text(task.request_uuid)

    def undo(self, task: Task) -> None:
        """Remove it, unless the time is over."""
        if self.clock() >= task.deadline:
            raise AccelError(f"{self.name}: the time is over")
        self.path(task.handle_uuid).unlink(missing_ok=True)

    def path(self, handle_uuid: str) -> Path:
        """The file of a handle."""
        return self.directory / f"{handle_uuid}.{self.name}"


@dataclass
class FailingStep(FileStep):
    """Does half of its work and fails."""

    reason: str = "no room on the node"

    def do(self, task: Task) -> None:
        """Write the file and fail."""
        super().do(task)
        raise AccelError(self.reason)


@dataclass
class StuckStep(FileStep):
    """Waits with its work until it is let go on; in the meantime it may have lost its time."""

    reached: threading.Event = field(default_factory=threading.Event)
    released: threading.Event = field(default_factory=threading.Event)

    def do(self, task: Task) -> None:
        """Wait the first time, then write the file."""
        if not self.reached.is_set():
            self.reached.set()
            assert self.released.wait(PATIENCE_SECONDS)
        super().do(task)


@dataclass
class AwayStep(FileStep):
    """Cannot be undone while the node is away."""

    is_away: bool = True

    def undo(self, task: Task) -> None:
        """Remove the file if the node answers."""
        if self.is_away:
            raise AccelError("the node does not answer")
        super().undo(task)


@dataclass
class OutageStep(FileStep):
    """After its work the database takes nothing, until the outage is closed."""

    database: Database | None = None
    outage: ExitStack = field(default_factory=ExitStack)

    def do(self, task: Task) -> None:
        """Write the file, and keep every other writer of SQLite waiting."""
        super().do(task)
        assert self.database is not None
        self.outage.enter_context(self.database.writer())


@dataclass
class UponStep(FileStep):
    """Can be done and undone only while another step is done."""

    upon: str = ""

    def do(self, task: Task) -> None:
        """Write the file beside the other one."""
        self._check(task)
        super().do(task)

    def undo(self, task: Task) -> None:
        """Remove the file while the other one is there."""
        self._check(task)
        super().undo(task)

    def _check(self, task: Task) -> None:
        if not (self.directory / f"{task.handle_uuid}.{self.upon}").exists():
            raise AccelError(f"{self.name}: {self.upon} is not done")


@dataclass
class Later:
    """Takes work and does it when it is told to. Give it as ``submit``."""

    waiting: deque[Callable[[], None]] = field(default_factory=deque)

    def __call__(self, work: Callable[[], None]) -> None:
        """Keep it."""
        self.waiting.append(work)

    def run(self) -> None:
        """Do all that waits."""
        while self.waiting:
            self.waiting.popleft()()
