"""What is measured with: fleets, reports, databases and services, each gone after its block."""

import http.client
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from accel.conductor.manager import Limits, Manager
from accel.db import migrate
from accel.db.engine import Database
from accel.drivers.fleet import Fleet, load
from accel.model.report import DriverReport, NodeReport

RABBITMQ_URL = os.environ.get("TEST_RABBITMQ_URL", "rabbit://guest:guest@127.0.0.1:5672/")
BIN = Path(sys.executable).parent
_GROUP = 64  # as many cards as one entry of a fleet file may stand for


def fleet_file(directory: Path, *, nodes: int, cards: int) -> Path:
    """A file of so many nodes with so many GPUs each."""
    groups = "".join(
        f"      - {{model: L40S, count: {min(cards - first, _GROUP)}}}\n" for first in range(0, cards, _GROUP)
    )
    path = directory / f"fleet-{nodes}x{cards}.yaml"
    path.write_text(f"nodes:\n  - name: n{{0:05d}}\n    count: {nodes}\n    cards:\n{groups}")
    return path


def fleet(directory: Path, *, nodes: int, cards: int) -> Fleet:
    """So many nodes with so many GPUs each."""
    return load(fleet_file(directory, nodes=nodes, cards=cards))


def reports(of: Fleet, *, sequence: int = 1) -> Iterator[NodeReport]:
    """One report for each node."""
    for node in of.nodes:
        drivers = (DriverReport(driver="simulated", devices=node.devices()),)
        yield NodeReport(node=node.info("bench"), boot_id=f"boot-{node.name}", sequence=sequence, drivers=drivers)


@contextmanager
def recorded(url: str, of: Fleet | None = None) -> Iterator[tuple[Database, Manager]]:
    """A migrated database, and a conductor on it that has taken the first report of every node."""
    database = Database(url)
    try:
        migrate.upgrade(database)
        manager = Manager(database, lambda: datetime.now(UTC), Limits())
        for report in reports(of) if of else ():
            manager.report(report)
        yield database, manager
    finally:
        database.close()


@contextmanager
def service(command: Sequence[str | Path], log: Path, **environment: str) -> Iterator["subprocess.Popen[bytes]"]:
    """A service of ours as a process, ended after the block."""
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, env=os.environ | environment)
        try:
            yield process
        finally:
            process.terminate()
            process.wait(timeout=30)


def until(holds: Callable[[], bool], what: str, *, patience_seconds: float = 300) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + patience_seconds
    while not holds():
        if time.monotonic() > deadline:
            raise SystemExit(f"waited {patience_seconds:g} s in vain: {what}")
        time.sleep(0.1)


class Client:
    """One connection to the API, kept open."""

    def __init__(self, host: str, port: int) -> None:
        self._connection = http.client.HTTPConnection(host, port)

    def close(self) -> None:
        """Connect anew with the next request."""
        self._connection.close()

    def get(self, path: str) -> bytes:
        """The body of the answer."""
        self._connection.request("GET", path, headers={"OpenStack-API-Version": "accelerator 2.3"})
        answer = self._connection.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise SystemExit(f"GET {path}: {answer.status}: {body!r}")
        return body
