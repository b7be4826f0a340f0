"""The database goes away, at the start and in the middle."""

import sqlite3
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import Queue
from uuid import uuid4

import pytest
from sqlalchemy import Connection, event, make_url, text
from support.clocks import Clock
from support.databases import ALL_DATABASES, MARIADB, POSTGRESQL, database_url, opened, opened_beside
from support.inventories import event_kinds, rows_in, state
from support.nova import HOME, connected, options, running_nova
from support.outbox import about, waiting, write
from support.proxy import Proxy
from support.reports import answer, gpu, report

from accel.conductor.manager import Limits, Manager
from accel.conductor.notifier import Notifier, Patience
from accel.conductor.service import Periodic
from accel.db import migrate
from accel.db.engine import Database, DatabaseOptions
from accel.db.tables import Device
from accel.errors import ConfigurationError, Conflict, DatabaseUnavailable
from accel.model.report import Verdict

PATIENCE_SECONDS = 20
"""How long a test waits for what must happen soon."""


@pytest.fixture(params=[POSTGRESQL, MARIADB])
def way(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Proxy, Database]]:
    """A migrated database, and the way to it that can be cut."""
    with database_url(request.param, tmp_path) as url:
        with opened(url) as direct:
            migrate.upgrade(direct)
        server = make_url(url)
        with Proxy(server.host or "127.0.0.1", server.port or 0) as proxy:
            through = server.set(host="127.0.0.1", port=proxy.port).render_as_string(hide_password=False)
            with opened(through, DatabaseOptions(attempts=3)) as database:
                yield proxy, database


def test_a_report_during_an_outage_is_refused_and_taken_when_it_is_over(way: tuple[Proxy, Database]) -> None:
    proxy, database = way
    manager = Manager(database, Clock(), Limits())
    manager.report(report(answer(gpu(1))))
    proxy.cut()
    with pytest.raises(DatabaseUnavailable):
        manager.report(report(answer(gpu(1), gpu(2)), sequence=2))
    proxy.mend()
    assert manager.report(report(answer(gpu(1), gpu(2)), sequence=2)).verdict is Verdict.ACCEPTED
    assert rows_in(database, Device) == [2]
    assert event_kinds(database).count("device.added") == 2


def test_a_connection_that_breaks_within_a_transaction_costs_nobody_anything(way: tuple[Proxy, Database]) -> None:
    proxy, database = way
    attempts: list[int] = []

    def transaction(connection: Connection) -> int:
        attempts.append(len(attempts))
        if len(attempts) == 1:
            proxy.break_connections()
        return connection.execute(text("SELECT 1")).scalar_one()

    assert database.write(transaction) == 1
    assert attempts == [0, 1]


def test_idle_connections_that_broke_are_not_noticed(way: tuple[Proxy, Database]) -> None:
    proxy, other = way
    with opened_beside(other, DatabaseOptions(attempts=1, idle_seconds=0)) as database:
        assert rows_in(database, Device) == [0]
        proxy.break_connections()
        assert rows_in(database, Device) == [0]


def test_busy_connections_that_broke_cost_a_repetition(way: tuple[Proxy, Database]) -> None:
    proxy, other = way
    with opened_beside(other, DatabaseOptions(idle_seconds=3600)) as database:
        assert rows_in(database, Device) == [0]
        proxy.break_connections()
        assert rows_in(database, Device) == [0]


def test_a_service_that_starts_before_its_database_waits_for_it(way: tuple[Proxy, Database]) -> None:
    proxy, database = way
    proxy.cut()
    ready: Queue[bool] = Queue()
    stop = threading.Event()
    waiting = threading.Thread(target=lambda: ready.put(database.wait_until_ready(stop, pause_seconds=0.01)))
    waiting.start()
    assert proxy.refused.wait(PATIENCE_SECONDS)
    proxy.mend()
    assert ready.get(timeout=PATIENCE_SECONDS) is True
    waiting.join()


def test_a_service_that_waits_for_its_database_can_be_stopped(way: tuple[Proxy, Database]) -> None:
    proxy, database = way
    proxy.cut()
    ready: Queue[bool] = Queue()
    stop = threading.Event()
    waiting = threading.Thread(target=lambda: ready.put(database.wait_until_ready(stop)))
    waiting.start()
    assert proxy.refused.wait(PATIENCE_SECONDS)
    stop.set()
    assert ready.get(timeout=PATIENCE_SECONDS) is False
    waiting.join()


def test_periodic_work_goes_on_after_an_outage(way: tuple[Proxy, Database]) -> None:
    proxy, direct = way
    clock = Clock()
    Manager(direct, clock, Limits()).report(report(answer(gpu(1))))
    clock.pass_(hours=1)
    proxy.cut()
    rounds: Queue[object] = Queue()
    with opened_beside(direct, DatabaseOptions(attempts=1)) as database:
        tasks = (Manager(database, clock, Limits()).mark_offline_nodes, lambda: rounds.put("done"))
        periodic = Periodic(tasks, interval_seconds=0.01, stop=threading.Event())
        periodic.start()
        for _ in range(2):
            assert proxy.refused.wait(PATIENCE_SECONDS)
            proxy.refused.clear()
        assert rounds.empty()
        proxy.mend()
        rounds.get(timeout=PATIENCE_SECONDS)
        periodic.stop()
    assert (state(direct), periodic.has_failed) == ("offline", False)


def test_what_nova_took_while_the_database_went_away_is_told_again(way: tuple[Proxy, Database], tmp_path: Path) -> None:
    proxy, database = way
    clock, instance = Clock(), str(uuid4())
    write(database, about(instance), clock.now)
    with running_nova() as nova, ThreadPoolExecutor(1) as pool:
        nova.servers = {instance: HOME}
        nova.script.append("hang")
        listener = connected(tmp_path, options(nova.url))
        notifier = Notifier(database, listener, clock, Patience(), stop=threading.Event())
        telling = pool.submit(notifier.tell_due)
        nova.next_post()
        proxy.cut()
        nova.let_go.set()
        with pytest.raises(DatabaseUnavailable):
            telling.result(PATIENCE_SECONDS)
        proxy.mend()
        assert len(waiting(database)) == 1
        clock.pass_(minutes=1)
        notifier.tell_due()
        assert len(nova.told) == 2
    assert waiting(database) == []


def test_a_locked_sqlite_file_is_an_outage_that_ends_with_the_lock(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/a.sqlite"
    locker = sqlite3.connect(tmp_path / "a.sqlite", isolation_level=None)
    impatient = DatabaseOptions(lock_timeout_seconds=0, attempts=2)
    with opened(url) as patient, opened(url, impatient) as database:
        migrate.upgrade(patient)
        manager = Manager(database, Clock(), Limits())
        locker.execute("BEGIN IMMEDIATE")
        with pytest.raises(DatabaseUnavailable, match="locked"):
            manager.report(report(answer(gpu(1))))
        locker.execute("ROLLBACK")
        assert manager.report(report(answer(gpu(1)))).verdict is Verdict.ACCEPTED
    locker.close()


def test_the_first_connections_to_a_sqlite_file_wait_for_one_another(tmp_path: Path) -> None:
    """To turn the log on SQLite would not wait."""
    locker = sqlite3.connect(tmp_path / "a.sqlite", isolation_level=None)
    locker.execute("BEGIN IMMEDIATE")
    refused_or_waiting = threading.Event()

    def look(connection: sqlite3.Connection, _record: object) -> None:
        connection.set_trace_callback(lambda statement: statement.startswith("BEGIN") and refused_or_waiting.set())

    def read() -> str:
        try:
            with database.reader() as connection:
                return str(connection.execute(text("PRAGMA journal_mode")).scalar_one())
        finally:
            refused_or_waiting.set()

    with opened(f"sqlite:///{tmp_path}/a.sqlite") as database, ThreadPoolExecutor() as pool:
        event.listen(database.engine, "connect", look, insert=True)
        reading = pool.submit(read)
        refused_or_waiting.wait(PATIENCE_SECONDS)
        locker.execute("ROLLBACK")
        assert reading.result() == "wal"
    locker.close()


def test_on_sqlite_a_second_writer_waits_before_it_has_read_anything_and_readers_never_wait(tmp_path: Path) -> None:
    """With SQLite's plain BEGIN both would read, and then one of them could never write."""
    impatient = DatabaseOptions(lock_timeout_seconds=0, attempts=1)
    with opened(f"sqlite:///{tmp_path}/a.sqlite", impatient) as database, database.writer():
        with pytest.raises(DatabaseUnavailable, match="locked"), database.writer():
            pytest.fail("two writers are at work")
        with database.reader() as connection:
            assert connection.execute(text("SELECT 1")).scalar_one() == 1


@pytest.mark.parametrize("kind", ALL_DATABASES)
def test_transactions_that_deadlock_are_repeated_until_both_are_through(kind: str, tmp_path: Path) -> None:
    with database_url(kind, tmp_path) as url, opened(url) as database:
        migrate.upgrade(database)
        manager = Manager(database, Clock(), Limits())
        for name in ("a", "b"):
            manager.report(report(answer(), name=name, sequence=0))
        barrier = threading.Barrier(2)

        def cross(first: str, second: str) -> None:
            met: list[bool] = []

            def transaction(connection: Connection) -> None:
                add = text("UPDATE nodes SET sequence = sequence + 1 WHERE name = :name")
                connection.execute(add, {"name": first})
                if not met and kind != "sqlite":  # on SQLite the second waits at the door
                    met.append(True)
                    barrier.wait(PATIENCE_SECONDS)
                connection.execute(add, {"name": second})

            database.write(transaction)

        threads = [threading.Thread(target=cross, args=pair) for pair in (("a", "b"), ("b", "a"))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        with database.reader() as connection:
            assert connection.scalars(text("SELECT sequence FROM nodes")).all() == [2, 2]


@pytest.mark.parametrize(
    "url",
    ["", "nonsense", "oracle://host/name", "sqlite://", "sqlite:///:memory:", "postgresql+nodriver://host/name"],
)
def test_a_url_of_no_supported_database_is_a_mistake_in_the_configuration(url: str) -> None:
    with pytest.raises(ConfigurationError, match=r"\[database\] connection"):
        Database(url)


def test_a_constraint_that_no_repetition_satisfies_is_a_conflict(database: Database) -> None:
    manager = Manager(database, Clock(), Limits())
    manager.report(report(answer(gpu(1))))
    with pytest.raises(Conflict):
        database.write(lambda connection: connection.execute(text("DELETE FROM nodes")))


def test_a_mistake_in_a_statement_is_no_outage(database: Database) -> None:
    with pytest.raises(Exception, match="no such table") as caught:
        database.read(lambda connection: connection.execute(text("SELECT * FROM nowhere")))
    assert not isinstance(caught.value, DatabaseUnavailable)


def test_the_name_of_a_database_shows_no_password() -> None:
    assert "secret" not in Database("postgresql+psycopg://user:secret@host/name").name
