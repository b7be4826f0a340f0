"""Sixty-four claimers at once, through two processes of accel-api: nothing is had twice or lost, and nobody starves."""

import os
import signal
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select
from support.claimers import CLAIMS, Claimer, let_run
from support.databases import MARIADB, POSTGRESQL, url_of
from support.inventories import rows_in
from support.inventory import Inventory
from support.processes import free_port, service
from support.snapshots import free_in_database
from support.storm import Connection
from support.waiting import until

from accel.db.engine import Database
from accel.db.tables import AcceleratorRequest, AttachHandle, Holder, PlacementClaim

CLAIMERS, SHARE = 64, 3
NODES, CARDS = 8, 4
PATIENCE_SECONDS = 240

pytestmark = [
    pytest.mark.timeout(PATIENCE_SECONDS + 120),
    pytest.mark.parametrize("any_database", [POSTGRESQL, MARIADB], indirect=True),
]


@contextmanager
def processes(directory: Path, database: Database) -> Iterator[Sequence[tuple[int, Any]]]:
    """Two processes of the API on one database: the port of each, and the process."""
    url = url_of(database)
    with ExitStack() as ends:
        started = []
        for number in (1, 2):
            port, config = free_port(), directory / f"accel-{number}.conf"
            config.write_text(
                f"[DEFAULT]\nstate_path = {directory}\n[database]\nconnection = {url}\n"
                f"[api]\nport = {port}\nworkers = 1\nthreads = 16\n"
            )
            started.append((port, ends.enter_context(service("accel-api", config))))
        yield started


def populate(database: Database) -> None:
    inventory = Inventory(database)
    inventory.fleet(NODES, CARDS)
    inventory.settle()


def ask(port: int, method: str, path: str, body: object = None) -> tuple[int, Any]:
    """The status of an answer, and its body."""
    with closing(Connection(port)) as connection:
        return connection.send(method, path, body)


def check(database: Database) -> None:
    """Every claim holds all that it asked for, and nothing else is held."""
    held = select(AcceleratorRequest.claim_id, func.count(Holder.id)).outerjoin(
        Holder, Holder.request_id == AcceleratorRequest.id
    )
    with database.reader() as connection:
        found = dict(list(connection.execute(held.group_by(AcceleratorRequest.claim_id))))
        wanted = {
            row.id: row.request["groups"][0]["resources"]["PGPU"] * row.request.get("nodes", 1)
            for row in connection.execute(select(PlacementClaim.id, PlacementClaim.request))
        }
    assert found == wanted
    assert rows_in(database, Holder) == [sum(wanted.values())]
    assert len(free_in_database(database)) == rows_in(database, AttachHandle)[0] - sum(wanted.values())


def test_sixty_four_claimers_get_their_share_and_nothing_is_had_twice_or_lost(
    any_database: Database, tmp_path: Path
) -> None:
    populate(any_database)
    with processes(tmp_path, any_database) as started:
        ports = [port for port, _ in started]
        claimers = [Claimer(ports, number, SHARE) for number in range(CLAIMERS)]
        let_run(claimers, patience_seconds=PATIENCE_SECONDS)

        assert [fault for claimer in claimers for fault in claimer.faults] == []
        assert Counter(claimer.had for claimer in claimers) == {SHARE: CLAIMERS}
        check(any_database)
        assert rows_in(any_database, PlacementClaim, AcceleratorRequest, Holder) == [0, 0, 0]
        whole = {"groups": [{"resources": {"PGPU": CARDS}}], "limit": NODES}
        for port in ports:
            status, found = ask(port, "POST", "/v2/placements/candidates", whole)
            assert (status, len(found["candidates"])) == (200, NODES)


def test_an_api_process_that_is_killed_in_the_middle_leaves_nothing_half(
    any_database: Database, tmp_path: Path
) -> None:
    populate(any_database)
    with processes(tmp_path, any_database) as started:
        (port, victim), (other, _) = started
        claimers = [Claimer([port, other], number, 2, keeps=int(number < 4)) for number in range(16)]
        runs = threading.Thread(target=let_run, args=(claimers,), kwargs={"patience_seconds": PATIENCE_SECONDS})
        runs.start()
        until(lambda: any(claimer.had for claimer in claimers))
        [worker] = Path(f"/proc/{victim.pid}/task/{victim.pid}/children").read_text().split()
        os.kill(int(worker), signal.SIGKILL)
        runs.join()

        assert [fault for claimer in claimers for fault in claimer.faults] == []
        assert {claimer.had for claimer in claimers} == {2}
        check(any_database)
        status, listed = ask(other, "GET", CLAIMS)
        assert status == 200
        assert {claim["state"] for claim in listed["claims"]} == {"ready"}
        assert {claim["consumer"] for claim in listed["claims"]} == {f"claimer-{number}" for number in range(4)}
