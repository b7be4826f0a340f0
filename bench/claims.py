"""Accelerator requests over HTTP: accel-api and a database server, with RabbitMQ and accel-conductor beside them."""

import json
import socket
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import select

from accel.conductor.claims import Claims
from accel.db import profiles, requests
from accel.db.engine import Database
from accel.db.events import Origin
from accel.db.scope import EVERYTHING
from accel.db.tables import Deployable, Device, Node
from accel.db.transitions import Terms
from accel.model.profile import DeviceProfile
from accel.model.request import BindTarget, Caller, RequestChange, RequestChanges
from bench.figures import Figure, median_ms
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


class Place(NamedTuple):
    """A deployable that has one handle."""

    provider: str
    node: str


def figures(directory: Path) -> Iterator[Figure]:
    """One request at a time with few others and with many, then many clients at once."""
    with _installation(directory, MARIADB_URL, nodes=LIVE // CARDS + 64, workers=1) as (database, port):
        client, places = when_answering(port), _places(database)
        yield from _one_by_one(client, places, "few live")
        _bind_many(database, places[-LIVE:])
        client.close()  # the service has closed it if this took long
        yield from _one_by_one(client, places, f"{LIVE:,} live")
    with _installation(directory, POSTGRESQL_URL, nodes=64, workers=2) as (database, port):
        yield _storm(port, _places(database))


def _one_by_one(client: Client, places: Sequence[Place], among: str) -> Iterator[Figure]:
    few = among.startswith("few")
    made: list[str] = []
    yield Figure(
        what=f"POST of one accelerator request, MariaDB, {among}",
        value=median_ms(lambda: made.append(_create(client)), times=200),
        unit="ms",
        bound=3,
        reference="10–16 ms" if few else "",
    )
    unbound, free = iter(made), iter(places)
    bound: list[str] = []
    yield Figure(
        what=f"bind one, MariaDB, {among}",
        value=median_ms(lambda: bound.append(_bind(client, next(unbound), next(free))), times=100),
        unit="ms",
        bound=10,
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
    with ProcessPoolExecutor(CLIENTS) as pool:
        begin = time.time() + 2
        jobs = [pool.submit(_cycles, port, places[number * share :][:share], begin) for number in range(CLIENTS)]
        done = sum(job.result() for job in jobs)
    return Figure(
        what=f"create, bind and delete, {CLIENTS} clients, PostgreSQL",
        value=done / STORM_SECONDS,
        unit="cycles/s",
        bound=300,
        at_least=True,
    )


def _cycles(port: int, places: Sequence[Place], begin: float) -> int:
    """How many requests one client makes, binds and deletes; any error ends the measurement."""
    client = Client("127.0.0.1", port)
    time.sleep(max(0, begin - time.time()))
    for done in count():
        if time.time() > begin + STORM_SECONDS:
            return done
        request = _create(client)
        _bind(client, request, places[done % len(places)])
        client.send("DELETE", f"{_REQUESTS}?arqs={request}")
    raise AssertionError


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
    terms = Terms(
        worker="bench", work_limit=timedelta(seconds=60), tells_nova=False, steps_for=lambda _type, _group: ()
    )
    claims = Claims(database, _now, terms, steps={}, submit=_never)
    caller = Caller(request_id="req-bench", project_id="local", sees_all=True)
    for start in range(0, len(places), 100):
        some = places[start : start + 100]
        made = [_made(database) for _ in some]
        changes = tuple(
            RequestChange(
                request=request,
                target=BindTarget(hostname=place.node, device_rp_uuid=place.provider, instance_uuid=str(uuid.uuid4())),
            )
            for request, place in zip(made, some, strict=True)
        )
        claims.change_requests(RequestChanges(changes=changes, caller=caller))


def _made(database: Database) -> str:
    (row,) = database.write(
        lambda connection: requests.create(
            connection, PROFILE, project_id="local", scope=EVERYTHING, origin=Origin(at=_now())
        )
    )
    return row.uuid


def _never(_work: Callable[[], None]) -> None:
    raise AssertionError("nothing of this fleet needs work on its node")


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
        queue = stack.enter_context(topic())
        database, _ = stack.enter_context(recorded(url, fleet(directory, nodes=nodes, cards=CARDS)))
        database.write(lambda connection: profiles.create(connection, _profile(), origin=Origin(at=_now())))
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
        yield database, port


def _profile() -> DeviceProfile:
    groups: tuple[dict[str, str], ...] = ({"resources:PGPU": "1"},)
    return DeviceProfile(uuid=str(uuid.uuid4()), name=PROFILE, description=None, groups=groups)


def _now() -> datetime:
    return datetime.now(UTC)
