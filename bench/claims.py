"""Accelerator requests over HTTP: accel-api and a database server, with RabbitMQ and accel-conductor beside them."""

import json
import socket
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import select

from accel.db import claims, profiles, requests
from accel.db.engine import Connection, Database
from accel.db.events import Origin
from accel.db.scope import EVERYTHING
from accel.db.tables import Deployable, Device, Node
from accel.db.transitions import Terms
from accel.model.profile import DeviceProfile
from accel.model.request import BindTarget, RequestChange
from bench.figures import Figure, median_ms
from bench.floors import FLOOR, floor_ms
from bench.material import (
    BIN,
    MARIADB_URL,
    POSTGRESQL_URL,
    RABBITMQ_URL,
    Client,
    database_on,
    fleet,
    recorded,
    service,
    topic,
    when_answering,
)

PROFILE = "bench"
CARDS = 8
LIVE = 5_000
CLIENTS = 8
STORM_SECONDS = 10
_REQUESTS = "/v2/accelerator_requests"
_TERMS = Terms(
    worker=None, work_limit=timedelta(seconds=60), tells_nova=False, steps_for=lambda _type, _group, _place: ()
)


class Place(NamedTuple):
    """A deployable that has one handle."""

    provider: str
    node: str


def figures(directory: Path) -> Iterator[Figure]:
    """One request at a time with few others and with many, then many clients at once."""
    with _installation(directory, MARIADB_URL, nodes=LIVE // CARDS + 64, workers=1) as (database, port):
        client, places = when_answering(port), _places(database)
        yield from _one_by_one(client, database, places, "few live")
        _bind_many(database, places[-LIVE:])
        client.close()  # the service has closed it if this took long
        yield from _one_by_one(client, database, places, f"{LIVE:,} live")
    with _installation(directory, POSTGRESQL_URL, nodes=64, workers=2) as (database, port):
        yield _storm(port, _places(database))


def _one_by_one(client: Client, database: Database, places: Sequence[Place], among: str) -> Iterator[Figure]:
    few = among.startswith("few")
    made: list[str] = []
    yield Figure(
        what=f"POST of one accelerator request, MariaDB, {among}",
        value=median_ms(lambda: made.append(_create(client)), times=200),
        unit="ms",
        bound=3,
        floor=floor_ms(database, _make),
        floor_what=FLOOR,
        reference="10–16 ms" if few else "",
    )
    unbound, free = iter(made), iter(places)
    bound: list[str] = []
    yield Figure(
        what=f"bind one, MariaDB, {among}",
        value=median_ms(lambda: bound.append(_bind(client, next(unbound), next(free))), times=100),
        unit="ms",
        bound=10,
        floor=_floor_of_bind(database, places[-LIVE - 1]),
        floor_what=FLOOR,
        reference="89–95 ms" if few else "16 s",
    )
    instances = iter(bound)
    yield Figure(
        what=f"list those of an instance, MariaDB, {among}",
        value=median_ms(lambda: client.get(f"{_REQUESTS}?instance={next(instances)}"), times=90),
        unit="ms",
        bound=5,
        reference="" if few else "16 ms",
    )
    for start in range(0, len(made), 100):
        client.send("DELETE", f"{_REQUESTS}?arqs={','.join(made[start : start + 100])}")


def _storm(port: int, places: Sequence[Place]) -> Figure:
    """Clients in processes of their own, each on nodes of its own."""
    share = len(places) // CLIENTS
    shares = [places[number * share :][:share] for number in range(CLIENTS)]
    return Figure(
        what=f"create, bind and delete, {CLIENTS} clients, PostgreSQL",
        value=_rate(_cycle, port, shares),
        unit="cycles/s",
        bound=300,
        floor=_rate(_idle_cycle, port, shares),
        floor_what="three GET /",
        at_least=True,
    )


Cycle = Callable[[Client, Place], None]


def _rate(cycle: Cycle, port: int, shares: Sequence[Sequence[Place]]) -> float:
    """How often a second clients do something, one for each share of places."""
    with ProcessPoolExecutor(len(shares)) as pool:
        begin = time.time() + 2
        jobs = [pool.submit(_cycles, cycle, port, places, begin) for places in shares]
        return sum(job.result() for job in jobs) / STORM_SECONDS


def _cycles(cycle: Cycle, port: int, places: Sequence[Place], begin: float) -> int:
    """How often one client does it; any error ends the measurement."""
    client = Client("127.0.0.1", port)
    time.sleep(max(0, begin - time.time()))
    for done in count():
        if time.time() > begin + STORM_SECONDS:
            return done
        cycle(client, places[done % len(places)])
    raise AssertionError


def _cycle(client: Client, place: Place) -> None:
    """Make a request, bind and delete it."""
    request = _create(client)
    _bind(client, request, place)
    client.send("DELETE", f"{_REQUESTS}?arqs={request}")


def _idle_cycle(client: Client, _place: Place) -> None:
    """As many requests of which the service does nothing."""
    for _ in range(3):
        client.get("/")


def _create(client: Client) -> str:
    made: str = json.loads(client.send("POST", _REQUESTS, {"device_profile_name": PROFILE}))["arqs"][0]["uuid"]
    return made


def _bind(client: Client, request: str, place: Place) -> str:
    """Bind a request for an instance of its own, whose UUID is given."""
    instance = str(uuid.uuid4())
    values = {"hostname": place.node, "device_rp_uuid": place.provider, "instance_uuid": instance}
    operations = [{"path": f"/{name}", "op": "add", "value": value} for name, value in values.items()]
    client.send("PATCH", _REQUESTS, {request: operations})
    return instance


def _bind_many(database: Database, places: Sequence[Place]) -> None:
    """Bind a request for each place, in this process."""
    for start in range(0, len(places), 100):
        some = places[start : start + 100]
        changes = [_bound_to(place, database.write(_make)) for place in some]
        database.write(partial(_change, changes=changes))


def _floor_of_bind(database: Database, place: Place) -> float:
    request = database.write(_make)
    return floor_ms(database, partial(_change, changes=[_bound_to(place, request)]))


def _make(connection: Connection) -> str:
    (row,) = requests.create(connection, PROFILE, project_id="local", scope=EVERYTHING, origin=Origin(at=_now()))
    return row.uuid


def _bound_to(place: Place, request: str) -> RequestChange:
    target = BindTarget(hostname=place.node, device_rp_uuid=place.provider, instance_uuid=str(uuid.uuid4()))
    return RequestChange(request=request, target=target)


def _change(connection: Connection, changes: Sequence[RequestChange]) -> None:
    origin = Origin(at=_now(), request_id="req-bench")
    claims.change(connection, changes, scope=EVERYTHING, terms=_TERMS, origin=origin)


def _places(database: Database) -> list[Place]:
    statement = (
        select(Deployable.rp_uuid, Node.name)
        .join(Device, Device.id == Deployable.device_id)
        .join(Node, Node.id == Device.node_id)
        .order_by(Deployable.id)
    )
    with database.reader() as connection:
        return [Place._make(row) for row in connection.execute(statement)]


@contextmanager
def _installation(directory: Path, server_url: str, *, nodes: int, workers: int) -> Iterator[tuple[Database, int]]:
    """A fleet in a database, with the services on it: the database and the port of the API."""
    with ExitStack() as stack:
        url = stack.enter_context(database_on(server_url))
        database, _ = stack.enter_context(recorded(url, fleet(directory, nodes=nodes, cards=CARDS)))
        database.write(lambda connection: profiles.create(connection, _profile(), origin=Origin(at=_now())))
        yield database, stack.enter_context(installed(directory, url, workers=workers))


@contextmanager
def installed(directory: Path, url: str, *, workers: int) -> Iterator[int]:
    """The services on a database: the port of the API."""
    with ExitStack() as stack:
        queue = stack.enter_context(topic())
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        settings = directory / f"claims-{port}.conf"
        settings.write_text(
            f"[DEFAULT]\nstate_path = {directory}\ntransport_url = {RABBITMQ_URL}\n"
            f"[database]\nconnection = {url}\n"
            f"[rpc]\ntopic = {queue}\n"
            f"[api]\nport = {port}\nworkers = {workers}\n"
        )
        for name in ("accel-conductor", "accel-api"):
            log = directory / f"{name}-{port}.log"
            stack.enter_context(service([BIN / name, "--config-file", settings], log))
        when_answering(port).close()
        yield port


def _profile() -> DeviceProfile:
    groups: tuple[dict[str, str], ...] = ({"resources:PGPU": "1"},)
    return DeviceProfile(uuid=str(uuid.uuid4()), name=PROFILE, description=None, groups=groups)


def _now() -> datetime:
    return datetime.now(UTC)
