"""Many clients at once, in several processes, over two processes each of accel-api and accel-conductor.

They bind, unbind and delete at random for ``TEST_STORM_SECONDS``. Meanwhile somebody looks into the database, again and
again, whether what must always hold does hold.
"""

import os
import sys
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from sqlalchemy import func, select
from support.broker import RABBITMQ_URL, broker_topic
from support.databases import opened_beside, url_of
from support.inventories import rows_in
from support.processes import free_port, service
from support.site import Site
from support.storm import REQUESTS, Connection, Place, Plan, Tally, storm

from accel.db import counts
from accel.db.engine import Database
from accel.db.tables import AcceleratorRequest, AttachHandle, Event, Holder, Quota
from accel.model.request import HOLDING, TRANSITIONS, WORKING, RequestState

SECONDS = float(os.environ.get("TEST_STORM_SECONDS", "5"))
PROCESSES, CLIENTS = 4, 64
NODES, CARDS, HANDLES = 10, 4, 5
QUOTAS = {"red": 10, "green": 30}
"""Of the projects that have one, by name."""
PROJECTS = [f"project-{name}" for name in (*QUOTAS, "blue")]
PROFILES = {"one": "1", "three": "3"}
"""How many accelerators each asks for."""

pytestmark = [pytest.mark.rabbitmq, pytest.mark.timeout(int(SECONDS) + 240)]  # the limit of every wait in here


@dataclass
class Observer:
    """Looks, until the block ends, whether what must always hold does. Each look is one statement."""

    database: Database
    looks: int = 0
    wrong: list[str] = field(default_factory=list)

    @contextmanager
    def looking(self) -> Iterator[None]:
        """Look all the time."""
        stop = threading.Event()
        thread = threading.Thread(target=self._run, args=(stop,))
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()

    def _run(self, stop: threading.Event) -> None:
        while not stop.wait(0.1):
            self.look()

    def look(self) -> None:
        """Look once."""
        with self.database.reader() as connection:
            self.wrong += [f"handle {key} has {amount} holders" for key, amount in connection.execute(_SHARED)]
            self.wrong += [f"request {uuid} is {state}, {n} holders" for uuid, state, n in connection.execute(_UNTRUE)]
            for project, held, limit in connection.execute(_OVER):
                self.wrong.append(f"project {project} holds {held} of {limit}")
        self.looks += 1


_IS_HOLDING = AcceleratorRequest.state.in_(sorted(HOLDING))
_SHARED = select(Holder.attach_handle_id, func.count()).group_by(Holder.attach_handle_id).having(func.count() > 1)
_HELD = select(func.count()).where(Holder.request_id == AcceleratorRequest.id).scalar_subquery()
_UNTRUE = select(AcceleratorRequest.uuid, AcceleratorRequest.state, _HELD).where((_HELD == 1) != _IS_HOLDING)
_OVER = (
    select(Quota.project_id, func.count(), Quota.limit)
    .join(AcceleratorRequest, AcceleratorRequest.project_id == Quota.project_id)
    .where(_IS_HOLDING, AcceleratorRequest.resource_class == Quota.resource_class)
    .group_by(Quota.project_id, Quota.limit)
    .having(func.count() > Quota.limit)
)


@contextmanager
def services(directory: Path, database: Database) -> Iterator[Sequence[int]]:
    """Two processes of each service on one database; the ports of the API."""
    ports = [free_port(), free_port()]
    with ExitStack() as ends:
        topic = ends.enter_context(broker_topic())
        for number, port in enumerate(ports, 1):
            config = directory / f"accel-{number}.conf"
            config.write_text(
                f"[DEFAULT]\nhost = conductor-{number}\nstate_path = {directory}\ntransport_url = {RABBITMQ_URL}\n"
                f"[database]\nconnection = {url_of(database)}\n[rpc]\ntopic = {topic}\n"
                f"[api]\nport = {port}\nworkers = 1\nthreads = 32\n"
            )
            for program in ("accel-conductor", "accel-api"):
                ends.enter_context(service(program, config))
        yield ports


def populate(database: Database) -> Sequence[Place]:
    """A fleet of 200 handles, profiles that make one request and three, and quotas; gives the places to bind to."""
    sites = [Site(database, name=f"storm{number}") for number in range(NODES)]
    for site in sites:
        site.report(*(site.gpu(slot, handles=HANDLES) for slot in range(CARDS)))
    for name, amount in PROFILES.items():
        site = Site(database, name=name)
        site.delete(*site.make(group={"resources:PGPU": amount}))
    for name, limit in QUOTAS.items():
        Site(database, name=name).limit(limit)
    return [Place(site.node, site.provider(slot)) for site in sites for slot in range(CARDS)]


def test_whatever_many_clients_do_at_once_no_handle_has_two_holders_and_nothing_is_left_over(
    any_database: Database, tmp_path: Path
) -> None:
    places = populate(any_database)
    with opened_beside(any_database) as seen, services(tmp_path, any_database) as ports:
        plan = Plan(ports, places, [f"profile-{name}" for name in PROFILES], PROJECTS, SECONDS)
        observer = Observer(seen)
        with observer.looking():
            tally = storm(plan, processes=PROCESSES, clients=CLIENTS)
        observer.look()
        sys.stdout.write(report(any_database, observer, tally))

        assert (tally.faults, observer.wrong) == ([], [])
        assert {("bind", 202), ("bind", 409), ("unbind", 202), ("delete", 204)} <= tally.answers.keys()
        states = states_in(any_database)
        assert not WORKING & states.keys()
        assert rows_in(any_database, Holder) == [states[RequestState.BOUND]]
        check_events(any_database)

        with closing(Connection(ports[0])) as connection:
            delete_all(connection)
    assert rows_in(any_database, AcceleratorRequest, Holder) == [0, 0]
    assert free_handles(any_database) == NODES * CARDS * HANDLES
    check_events(any_database)


def states_in(database: Database) -> Counter[str]:
    """How many requests are in each state."""
    with database.reader() as connection:
        return Counter(connection.scalars(select(AcceleratorRequest.state)).all())


def free_handles(database: Database) -> int:
    """How many attach handles could be bound to now."""
    free = counts.joined_to_handles(select(func.count(AttachHandle.id)).where(counts.IS_FREE))
    with database.reader() as connection:
        return connection.scalar(free) or 0


def delete_all(connection: Connection) -> None:
    """Delete every request, as an administrator does."""
    while uuids := [request["uuid"] for request in connection.send("GET", f"{REQUESTS}?limit=50")[1]["arqs"]]:
        assert connection.send("DELETE", f"{REQUESTS}?arqs={','.join(uuids)}") == (204, None)


def check_events(database: Database) -> None:
    """The events tell how each request came to where it is, by what the list of transitions allows."""
    allowed = {(one, to.after) for to in TRANSITIONS.values() for one in to.before} | {(None, RequestState.INITIAL)}
    told: dict[str, str | None] = {}
    with database.reader() as connection:
        events = select(Event.subject, Event.before, Event.after).where(Event.kind.startswith("request."))
        for subject, before, after in connection.execute(events.order_by(Event.id)):
            move = before and before["state"], after and after["state"]
            assert move in allowed
            assert told.get(subject) == move[0]
            told[subject] = move[1]
        known = dict(list(connection.execute(select(AcceleratorRequest.uuid, AcceleratorRequest.state))))
    assert {uuid: state for uuid, state in told.items() if state is not None} == known


def report(database: Database, observer: Observer, tally: Tally) -> str:
    """What came of it, for people."""
    acts = sorted(tally.answers.items())
    lines = [f"{database.engine.name}: {tally.answers.total() / SECONDS:.0f} answers/s in {SECONDS:g} s"]
    lines += [f"  {act} {status}: {amount}" for (act, status), amount in acts]
    lines += [f"  {observer.looks} looks, {dict(states_in(database))}", ""]
    return "\n".join(lines)
