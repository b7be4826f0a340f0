"""A conductor that can be told to die: the pieces of ``accel-conductor``, with a step of work that leaves files.

It dies by SIGKILL at the point that the file ``FAULT`` in its directory names. It tells NOTIFY_SOCKET of each point
that it comes to, and what it tells Nova. Its step fails while there is a file ``REFUSAL``. Under a profile that wants
CUSTOM_PLAIN nothing is to be done on the node.

    python -m support.fragile_conductor DIRECTORY --config-file FILE
"""

import os
import signal
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event

from support.steps import FileStep

from accel import conf as configuration
from accel.cmd import systemd
from accel.cmd.conductor_jobs import submitter
from accel.cmd.conductor_parts import make_manager, take_up_left_work
from accel.conductor.claims import Claims, Hooks, Task
from accel.conductor.notifier import Notifier, Patience
from accel.conductor.service import Periodic, begin
from accel.db.engine import Database
from accel.db.transitions import Terms
from accel.errors import AccelError
from accel.model.notification import Notification, Reception, Reply
from accel.rpc.messaging import transport_of
from accel.rpc.server import serve

FAULT, REFUSAL = "fault", "refusal"
PLAIN = "trait:CUSTOM_PLAIN"


class RefusingStep(FileStep):
    """Writes a file, and fails then if it is told to."""

    def do(self, task: Task) -> None:
        """Write the file."""
        super().do(task)
        if (self.directory / REFUSAL).exists():
            raise AccelError("the node refuses")


class Nova:
    """Takes everything, and lets it be known."""

    def tell(self, notifications: Sequence[Notification]) -> list[Reply]:
        """Take it."""
        for told in notifications:
            systemd.notify(f"NOVA={told.request_uuid} {told.status}")
        return [Reply(Reception.TAKEN) for _ in notifications]


def main(directory: Path, arguments: list[str]) -> None:
    """Serve until killed."""
    conf = configuration.load(arguments, prog="accel-conductor")
    database = Database.configured(conf.database)

    def at(point: str) -> None:
        systemd.notify(f"POINT={point}")
        fault = directory / FAULT
        if fault.exists() and fault.read_text() == point:
            os.kill(os.getpid(), signal.SIGKILL)

    stop, patience = Event(), Patience(lease=timedelta(seconds=1))
    notifier = Notifier(database, Nova(), _now, patience, stop=stop)
    telling = Periodic([notifier.tell_due], interval_seconds=1, stop=stop)
    telling.start()
    terms = Terms(
        worker=conf.host,
        work_limit=timedelta(minutes=10),
        tells_nova=True,
        steps_for=lambda _handle_type, group, _place: () if PLAIN in group else ("file",),
    )
    claims = Claims(
        database,
        _now,
        terms,
        steps={"file": RefusingStep(directory, "file")},
        submit=submitter(ThreadPoolExecutor(2)),
        hooks=Hooks(at=at, wake_notifier=telling.wake),
    )
    take_up_left_work(claims)
    server = serve(transport_of(conf), make_manager(database, conf), conf.host, topic=conf.rpc.topic, claims=claims)
    begin(server.start, stop, awaited="the broker")
    systemd.notify(systemd.READY)
    stop.wait()


def _now() -> datetime:
    return datetime.now(UTC)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
