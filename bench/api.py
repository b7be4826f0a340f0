"""Reading over HTTP: one accel-api worker, SQLite, one connection."""

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import text

from accel.db.engine import Database
from bench.figures import Figure, median_ms
from bench.material import BIN, Client, fleet, recorded, service, when_answering


def figures(directory: Path) -> Iterator[Figure]:
    """Lists, pages and single things at 1,000 and at 10,000 devices."""
    references = {"devices": ("140 ms", "1.5 s", "3.3 ms"), "deployables": ("1.25 s", "", "")}
    for devices in (1_000, 10_000):
        url = f"sqlite:///{directory}/api-{devices}.sqlite"
        with (
            recorded(url, fleet(directory, nodes=devices // 8, cards=8)) as (database, _),
            served(directory, url) as client,
        ):
            for resource, (small, large, one) in references.items():
                floor = _floor_ms(database, resource)
                yield Figure(
                    what=f"GET /v2/{resource}, {devices:,}",
                    value=median_ms(lambda path=f"/v2/{resource}": client.get(path), times=20),
                    unit="ms",
                    bound=14 if devices == 1_000 else 150,
                    floor=floor,
                    floor_what="SELECT * and json.dumps",
                    reference=small if devices == 1_000 else large,
                )
                if devices == 10_000:
                    yield from _pages_and_single(client, resource, one)


def _pages_and_single(client: Client, resource: str, reference: str) -> Iterator[Figure]:
    page = f"/v2/{resource}?limit=100"
    rows = json.loads(client.get(page))[resource]
    for what, path, bound in (
        ("first page of 100 of 10,000", page, 5),
        ("second page of 100 of 10,000", f"{page}&marker={rows[-1]['uuid']}", 5),
        ("one of 10,000", f"/v2/{resource}/{rows[50]['uuid']}", 2),
    ):
        yield Figure(
            what=f"GET {resource}, {what}",
            value=median_ms(lambda path=path: client.get(path), times=200),
            unit="ms",
            bound=bound,
            reference=reference if bound == 2 else "",
        )


def _floor_ms(database: Database, resource: str) -> float:
    """The rows of the table out of SQLite and into JSON by the plainest means, in this process."""

    def barest() -> str:
        with database.reader() as connection:
            return json.dumps([dict(row._mapping) for row in connection.execute(text(f"SELECT * FROM {resource}"))])  # noqa: S608, SLF001 - a name of ours; the documented way to a dict

    return median_ms(barest, times=10)


@contextmanager
def served(directory: Path, url: str) -> Iterator[Client]:
    """A running accel-api on a database."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = directory / f"api-{port}.conf"
    settings.write_text(f"[api]\nport = {port}\nworkers = 1\n[database]\nconnection = {url}\n")
    with service([BIN / "accel-api", "--config-file", settings], directory / f"api-{port}.log"):
        yield when_answering(port)
