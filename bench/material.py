"""What is measured with: fleets, reports, databases and services, each gone after its block."""

import http.client
import json
import os
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path

import kombu
from sqlalchemy import create_engine, make_url, text

from accel.conductor.manager import Limits, Manager
from accel.db import migrate
from accel.db.engine import Database
from accel.drivers.fleet import Fleet, load
from accel.model.report import DriverReport, NodeReport

POSTGRESQL_URL = os.environ.get("TEST_POSTGRESQL_URL", "postgresql+psycopg://postgres@127.0.0.1:5432/postgres")
MARIADB_URL = os.environ.get("TEST_MARIADB_URL", "mysql+pymysql://root@127.0.0.1:3306/")
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
    """A service of ours as a process, which leads a session of its own, ended after the block."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, stdout=output, stderr=output, env=os.environ | environment, start_new_session=True
        )
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


@contextmanager
def empty_database_on(server_url: str) -> Iterator[str]:
    """The URL of a database of its own on a server; it is dropped after the block."""
    name = f"accel_bench_{uuid.uuid4().hex}"
    server = create_engine(server_url, isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    try:
        yield make_url(server_url).set(database=name).render_as_string(hide_password=False)
    finally:
        force = " WITH (FORCE)" if server.dialect.name == "postgresql" else ""
        with server.connect() as connection:
            connection.execute(text(f"DROP DATABASE {name}{force}"))
        server.dispose()


@contextmanager
def database_on(server_url: str) -> Iterator[str]:
    """The URL of a migrated database of its own on a server; it is dropped after the block."""
    with empty_database_on(server_url) as url:
        database = Database(url)
        migrate.upgrade(database)
        database.close()
        yield url


@contextmanager
def topic() -> Iterator[str]:
    """The name of a queue that nobody else uses; it is gone after the block."""
    name = f"accel-bench-{uuid.uuid4().hex}"
    try:
        yield name
    finally:
        with kombu.Connection(RABBITMQ_URL.replace("rabbit://", "amqp://", 1)) as broker:
            for queue in (name, f"{name}.{socket.gethostname()}"):
                broker.channel().queue_delete(queue)


def when_answering(port: int) -> "Client":
    """A client of the API on a port of this machine, as soon as it answers."""
    client = Client("127.0.0.1", port)

    def answers() -> bool:
        try:
            client.get("/")
        except (OSError, http.client.HTTPException):
            client.close()
            return False
        return True

    until(answers, "accel-api answers", patience_seconds=30)
    return client


class Client:
    """One connection to the API, kept open."""

    def __init__(self, host: str, port: int, *, version: str = "2.3") -> None:
        self._connection = http.client.HTTPConnection(host, port)
        self._version = f"accelerator {version}"

    def close(self) -> None:
        """Connect anew with the next request."""
        self._connection.close()

    def get(self, path: str) -> bytes:
        """The body of the answer."""
        return self.send("GET", path)

    def send(self, method: str, path: str, body: object = None) -> bytes:
        """The body of the answer to a request, which must be well."""
        headers = {"OpenStack-API-Version": self._version, "Content-Type": "application/json"}
        self._connection.request(method, path, None if body is None else json.dumps(body), headers)
        answer = self._connection.getresponse()
        content = answer.read()
        if answer.status >= HTTPStatus.MULTIPLE_CHOICES:
            raise SystemExit(f"{method} {path}: {answer.status}: {content!r}")
        return content
