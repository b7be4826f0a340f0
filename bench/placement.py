"""Questions and claims of placement over HTTP on a large fleet, and the same beside a real OpenStack Placement."""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path
from typing import Any

from sqlalchemy import text

from accel.db.engine import Database
from bench.claims import installed
from bench.copies import multiply
from bench.figures import Figure, median_ms
from bench.material import POSTGRESQL_URL, Client, database_on, fleet, recorded
from bench.openstack_placement import PROCESSES, PlacementClient, running

NODES = 10_000
CARDS = 8
REPORTED = 100
"""Nodes that are reported; the others are copies of them."""
CLIENTS = 8
SECONDS = 6
"""So long that there are enough devices for all that is claimed meanwhile."""
_CLASS = "PGPU"
_SMALL = {"groups": [{"resources": {_CLASS: 1}}]}
_LINKED = {"groups": [{"resources": {_CLASS: 4}, "near": "numa"}]}
_NOWHERE = {"groups": [{"resources": {_CLASS: 4}, "required": ["CUSTOM_NOBODY_HAS_IT"]}]}


def figures(directory: Path) -> Iterator[Figure]:
    """A large fleet that is empty and one that is full; then nodes of one device, beside OpenStack Placement."""
    with _fleet_of(directory, cards=CARDS) as (url, database):
        with installed(directory, url, workers=1) as port:
            yield from _questions(_client(port), "all free", 8)
        _fill(database, but=NODES // 100)
        with installed(directory, url, workers=1) as port:
            yield from _questions(_client(port), "99 % full", 8)
    with _fleet_of(directory, cards=1) as (url, _), installed(directory, url, workers=PROCESSES) as port:
        ours = _ours(port)
    with running(directory, nodes=NODES, resource_class=_CLASS) as placement:
        theirs = _theirs(placement.ports, placement.providers)
    yield Figure(
        what=f"candidates, limit 10, {NODES:,} nodes of one device: times as fast as OpenStack Placement "
        f"({ours[0]:.3g} ms, {theirs[0]:.4g} ms)",
        value=theirs[0] / ours[0],
        unit="×",
        bound=150,
        at_least=True,
    )
    yield Figure(
        what=f"claims, {CLIENTS} clients, {PROCESSES} processes, RabbitMQ and PostgreSQL: times as many as PUT "
        f"/allocations of OpenStack Placement on MariaDB ({ours[1]:.4g}/s, {theirs[1]:.4g}/s)",
        value=ours[1] / theirs[1],
        unit="×",
        bound=10,
        at_least=True,
    )


def _questions(client: Client, how_full: str, bound: float) -> Iterator[Figure]:
    _ask(client, "candidates", _SMALL)  # waits until the fleet has been read
    for limit, most in ((10, bound), (1_000, bound * 10)):
        yield Figure(
            what=f"candidates for 4 on one NUMA node, limit {limit:,}, {NODES:,} × {CARDS} devices, {how_full}",
            value=median_ms(lambda limit=limit: _ask(client, "candidates", {**_LINKED, "limit": limit}), times=50),
            unit="ms",
            bound=most,
        )
    yield Figure(
        what=f"explain, {NODES:,} × {CARDS} devices, {how_full}",
        value=median_ms(lambda: _ask(client, "explain", _NOWHERE), times=20),
        unit="ms",
        bound=150,
    )


def _client(port: int) -> Client:
    return Client("127.0.0.1", port, version="2.4")


def _ask(client: Client, what: str, body: object) -> Any:
    return json.loads(client.send("POST", f"/v2/placements/{what}", body))


def _ours(port: int) -> tuple[float, float]:
    """Milliseconds for a question, and claims a second."""
    client = _client(port)
    for _ in range(2 * PROCESSES):  # each process reads the fleet for itself
        _ask(_client(port), "candidates", _SMALL)
    question = median_ms(lambda: _ask(client, "candidates", {**_SMALL, "limit": 10}), times=50)
    return question, _by_many([(_claim_for_a_while, port, ()) for _ in range(CLIENTS)])


def _theirs(ports: Sequence[int], providers: Sequence[str]) -> tuple[float, float]:
    client = PlacementClient(ports[0])
    question = median_ms(lambda: client.candidates(_CLASS, 10), times=5, warm_up=1)
    share = len(providers) // CLIENTS
    jobs = [
        (_allocate_for_a_while, ports[number % len(ports)], providers[number * share :][:share])
        for number in range(CLIENTS)
    ]
    return question, _by_many(jobs)


def _by_many(jobs: Sequence[tuple[Callable[[int, Sequence[str], float], int], int, Sequence[str]]]) -> float:
    """What clients in processes of their own get done in a second, together."""
    with ProcessPoolExecutor(len(jobs)) as pool:
        begin = time.time() + 2
        done = [pool.submit(work, port, providers, begin) for work, port, providers in jobs]
        return sum(job.result() for job in done) / SECONDS


def _claim_for_a_while(port: int, _providers: Sequence[str], begin: float) -> int:
    client = _client(port)
    return _for_a_while(begin, lambda _number: _ask(client, "claims", _SMALL))


def _allocate_for_a_while(port: int, providers: Sequence[str], begin: float) -> int:
    client = PlacementClient(port)
    return _for_a_while(begin, lambda number: client.allocate(providers[number], _CLASS))


def _for_a_while(begin: float, work: Callable[[int], object]) -> int:
    time.sleep(max(0, begin - time.time()))
    for done in count():
        if time.time() > begin + SECONDS:
            return done
        work(done)
    raise AssertionError


def _fill(database: Database, *, but: int) -> None:
    """Have somebody hold all that is there but on so many nodes."""
    with database.writer() as connection:
        connection.execute(
            text(
                "INSERT INTO holders (uuid, attach_handle_id, kind, name, created_at)"
                " SELECT gen_random_uuid()::text, h.id, 'instance', 'bench', now() FROM attach_handles h"
                " JOIN deployables p ON p.id = h.deployable_id JOIN devices d ON d.id = p.device_id"
                " WHERE d.node_id NOT IN (SELECT id FROM nodes ORDER BY id LIMIT :free)"
            ),
            {"free": but},
        )


@contextmanager
def _fleet_of(directory: Path, *, cards: int) -> Iterator[tuple[str, Database]]:
    """A database with a large fleet."""
    with ExitStack() as stack:
        url = stack.enter_context(database_on(POSTGRESQL_URL))
        database, _ = stack.enter_context(recorded(url, fleet(directory, nodes=REPORTED, cards=cards)))
        multiply(database, NODES // REPORTED)
        yield url, database
