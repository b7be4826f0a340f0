"""A conductor that attends to jobs and can be told to die: it dies by SIGKILL at the point that a file names.

python -m support.fragile_attendant FAULT-FILE --config-file FILE
"""

import os
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from threading import Event

from accel import conf as configuration
from accel.cmd.conductor_jobs import make_agents, submitter
from accel.conductor.jobs import JobHooks, Jobs, JobTerms
from accel.db.engine import Database
from accel.rpc.messaging import transport_of


def main(fault: Path, arguments: list[str]) -> None:
    """Attend to the jobs that there are, until killed."""
    conf = configuration.load(arguments, prog="accel-conductor")

    def at(point: str) -> None:
        if fault.exists() and fault.read_text() == point:
            os.kill(os.getpid(), signal.SIGKILL)

    database = Database.configured(conf.database)
    jobs = Jobs(
        database,
        lambda: datetime.now(UTC),
        JobTerms(worker=conf.host, wait_seconds=1.0),
        agents=make_agents(database, conf, transport_of(conf)),
        submit=submitter(ThreadPoolExecutor(2)),
        hooks=JobHooks(at=at),
    )
    jobs.take_up_work(is_fresh=True)
    Event().wait()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
