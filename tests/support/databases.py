"""Databases for tests: each test gets one of its own, empty or migrated, and it is gone afterwards.

The servers are those of TEST_POSTGRESQL_URL and TEST_MARIADB_URL, by default the ones of this machine. A server that
is not there skips the test and says so; where CI is set it fails the test.
"""

import atexit
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import pytest
from sqlalchemy import Connection, create_engine, event, exc, make_url, text

from accel.db import migrate
from accel.db.engine import Database, DatabaseOptions

POSTGRESQL_URL = os.environ.get("TEST_POSTGRESQL_URL", "postgresql+psycopg://postgres@127.0.0.1:5432/postgres")
MARIADB_URL = os.environ.get("TEST_MARIADB_URL", "mysql+pymysql://root@127.0.0.1:3306/mysql")

SQLITE = pytest.param("sqlite", id="sqlite")
POSTGRESQL = pytest.param("postgresql", id="postgresql", marks=pytest.mark.postgresql)
MARIADB = pytest.param("mariadb", id="mariadb", marks=pytest.mark.mariadb)
ALL_DATABASES = (SQLITE, POSTGRESQL, MARIADB)

_COUNT_ANEW = {
    "postgresql": "SELECT setval(pg_get_serial_sequence('{table}', 'id'), 1, false)",
    "mysql": "ALTER TABLE {table} AUTO_INCREMENT = 1",
}
_DISCONNECT_OTHERS_ON_POSTGRESQL = text(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
)
_OTHERS_ON_MARIADB = text(
    "SELECT id FROM information_schema.processlist WHERE db = DATABASE() AND id <> CONNECTION_ID()"
)


@contextmanager
def database_url(kind: str, directory: Path) -> Iterator[str]:
    """The URL of an empty database that exists within the block."""
    if kind == "sqlite":
        yield f"sqlite:///{directory}/{uuid.uuid4().hex}.sqlite"
        return
    server = POSTGRESQL_URL if kind == "postgresql" else MARIADB_URL
    name = f"accel_test_{uuid.uuid4().hex}"
    force = " WITH (FORCE)" if kind == "postgresql" else ""
    _on_server(server, f"CREATE DATABASE {name}")
    try:
        yield make_url(server).set(database=name).render_as_string(hide_password=False)
    finally:
        _on_server(server, f"DROP DATABASE {name}{force}")


@contextmanager
def opened(url: str, options: DatabaseOptions | None = None) -> Iterator[Database]:
    """A database object that leaves no connection behind."""
    database = Database(url, options)
    try:
        yield database
    finally:
        database.close()


def opened_beside(database: Database, options: DatabaseOptions | None = None) -> AbstractContextManager[Database]:
    """The same database by connections of another service."""
    return opened(url_of(database), options)


def url_of(database: Database) -> str:
    """Where it is, with the password, as another process has to know it."""
    return database.engine.url.render_as_string(hide_password=False)


@contextmanager
def migrated(kind: str, directory: Path) -> Iterator[Database]:
    """An empty database with the schema of this release."""
    with database_url(kind, directory) as url, opened(url) as database:
        if kind == "sqlite":
            shutil.copy(_migrated_file(), database.engine.url.database)
        else:
            migrate.upgrade(database)
        yield database


@cache
def _migrated_file() -> Path:
    """A SQLite database with the schema of this release, to copy: a copy takes a hundredth of what a migration does."""
    directory = Path(mkdtemp(prefix="accel-migrated-"))
    atexit.register(shutil.rmtree, directory)
    with database_url("sqlite", directory) as url, opened(url) as database:
        migrate.upgrade(database)
    (path,) = directory.glob("*.sqlite")
    return path


class LentDatabases:
    """A database on each server, made when it is first wanted, which one test has after the other.

    To empty one takes hundredths of a second, to make one takes seconds on a server that waits for its disk.
    """

    def __init__(self, ends: ExitStack) -> None:
        self._ends = ends
        self._urls: dict[str, str] = {}

    @contextmanager
    def lent(self, kind: str, directory: Path) -> Iterator[Database]:
        """An empty database with the schema of this release, until the next one is lent. A file is nobody else's."""
        if kind == "sqlite":
            with migrated(kind, directory) as database:
                yield database
            return
        if kind in self._urls:
            _empty(self._urls[kind])
        else:
            self._urls[kind] = self._made(kind, directory)
        with opened(self._urls[kind]) as database:
            yield database

    def _made(self, kind: str, directory: Path) -> str:
        url = self._ends.enter_context(database_url(kind, directory))
        with opened(url) as database:
            migrate.upgrade(database)
        return url


def _empty(url: str) -> None:
    """Delete all rows, and count from 1 again; whoever is still connected is so no longer."""
    engine = create_engine(url)
    try:
        with engine.begin() as connection:
            _disconnect_others(connection)
            for table in reversed(migrate.METADATA.sorted_tables):
                is_changed = connection.execute(table.delete()).rowcount > 0
                if is_changed and table.autoincrement_column is not None:
                    connection.execute(text(_COUNT_ANEW[connection.dialect.name].format(table=table.name)))
    finally:
        engine.dispose()


def _disconnect_others(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(_DISCONNECT_OTHERS_ON_POSTGRESQL)
        return
    for number in connection.scalars(_OTHERS_ON_MARIADB).all():
        with suppress(exc.OperationalError):  # it has gone by itself
            connection.execute(text(f"KILL {number}"))
    connection.execute(text("SET foreign_key_checks = 0"))  # rows of one table refer to one another


@contextmanager
def counted_statements(database: Database) -> Iterator[list[str]]:
    """Every statement that is sent within the block; BEGIN and COMMIT belong to the transaction and are not in it."""
    seen: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        seen.append(statement)

    event.listen(database.engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(database.engine, "before_cursor_execute", note)


def _on_server(url: str, statement: str) -> None:
    engine = create_engine(url, isolation_level="AUTOCOMMIT", connect_args={"connect_timeout": 5})
    try:
        with engine.connect() as connection:
            connection.execute(text(statement))
    except exc.OperationalError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"no server at {engine.url.render_as_string()}: {error.orig}")
    finally:
        engine.dispose()
