"""A real OpenStack Placement to measure ourselves beside: from PyPI, on MariaDB, with providers of its own."""

import json
import socket
import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from http import HTTPStatus
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import create_engine, make_url, text

from bench.material import MARIADB_URL, empty_database_on, service, until
from tests.support.environments import programs_of

PROCESSES = 2
"""As many as accel-api has workers in the same measurement."""
_VERSION = "placement 1.39"
_SERVE = """
import sys
port = sys.argv.pop()
from placement.wsgi.api import application
from waitress import serve
serve(application, host="127.0.0.1", port=int(port), threads=4)
"""
_ROWS = 1_000


class Running(NamedTuple):
    """A Placement with a fleet of nodes that have one device each."""

    ports: Sequence[int]
    """One for each of its processes."""
    providers: Sequence[str]


class PlacementClient:
    """One connection to a process of Placement, kept open."""

    def __init__(self, port: int) -> None:
        self._connection = HTTPConnection("127.0.0.1", port)

    def send(self, method: str, path: str, body: object = None) -> Any:
        """The answer to a request, which must be well."""
        headers = {"X-Auth-Token": "admin", "OpenStack-API-Version": _VERSION, "Content-Type": "application/json"}
        self._connection.request(method, path, None if body is None else json.dumps(body), headers)
        answer = self._connection.getresponse()
        content = answer.read()
        if answer.status >= HTTPStatus.MULTIPLE_CHOICES:
            raise SystemExit(f"{method} {path}: {answer.status}: {content!r}")
        return json.loads(content) if content else None

    def candidates(self, resource_class: str, limit: int) -> int:
        """How many candidates there are for one of a class."""
        found = self.send("GET", f"/allocation_candidates?resources={resource_class}:1&limit={limit}")
        return len(found["allocation_requests"])

    def allocate(self, provider: str, resource_class: str) -> None:
        """Allocate one of a class for a new consumer."""
        body = {
            "allocations": {provider: {"resources": {resource_class: 1}}},
            "project_id": "bench",
            "user_id": "bench",
            "consumer_generation": None,
            "consumer_type": "INSTANCE",
        }
        self.send("PUT", f"/allocations/{uuid.uuid4()}", body)


@contextmanager
def running(directory: Path, *, nodes: int, resource_class: str) -> Iterator[Running]:
    """A Placement that knows so many providers with one device each; all gone after the block."""
    with ExitStack() as stack:
        url = stack.enter_context(empty_database_on(MARIADB_URL))
        (directory / "placement.conf").write_text(
            "[api]\nauth_strategy = noauth2\n"
            f"[placement_database]\nsync_on_startup = true\nconnection = {url}\nmax_pool_size = 20\n"
        )
        ports = []
        for number in range(PROCESSES):
            port = _free_port()
            command = [programs_of("placement") / "python", "-c", _SERVE, str(port)]
            log = directory / f"placement-{number}.log"
            stack.enter_context(service(command, log, OS_PLACEMENT_CONFIG_DIR=str(directory)))
            until(lambda port=port: _answers(port), "OpenStack Placement answers", patience_seconds=60)
            ports.append(port)
        yield Running(ports, _fill(url, nodes, resource_class))


def _fill(url: str, nodes: int, resource_class: str) -> list[str]:
    """Write the providers by SQL, as its API would in many minutes; gives their UUIDs."""
    engine = create_engine(make_url(url))
    uuids = [str(uuid.uuid4()) for _ in range(nodes)]
    with engine.begin() as connection:
        class_id = connection.execute(
            text("SELECT id FROM resource_classes WHERE name = :name"), {"name": resource_class}
        ).scalar_one()
        rows = [{"id": number, "uuid": one, "name": f"n{number:05d}"} for number, one in enumerate(uuids, 1)]
        for start in range(0, nodes, _ROWS):
            connection.execute(
                text(
                    "INSERT INTO resource_providers (id, uuid, name, generation, root_provider_id)"
                    " VALUES (:id, :uuid, :name, 1, :id)"
                ),
                rows[start : start + _ROWS],
            )
        connection.execute(
            text(
                "INSERT INTO inventories (resource_provider_id, resource_class_id, total, reserved, min_unit, max_unit,"
                " step_size, allocation_ratio) SELECT id, :class_id, 1, 0, 1, 1, 1, 1.0 FROM resource_providers"
            ),
            {"class_id": class_id},
        )
    engine.dispose()
    return uuids


def _answers(port: int) -> bool:
    try:
        PlacementClient(port).send("GET", "/")
    except OSError:
        return False
    return True


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    return port
