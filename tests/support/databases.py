"""Databases for tests: each test gets one of its own, empty or migrated, and it is gone afterwards.

The servers are those of TEST_POSTGRESQL_URL and TEST_MARIADB_URL, by default the ones of this machine. A server that
is not there skips the test and says so; where CI is set it fails the test.
"""

import atexit
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import pytest
from sqlalchemy import create_engine, event, exc, make_url, text

from accel.db import migrate
from accel.db.engine import Database, DatabaseOptions

POSTGRESQL_URL = os.environ.get("TEST_POSTGRESQL_URL", "postgresql+psycopg://postgres@127.0.0.1:5432/postgres")
MARIADB_URL = os.environ.get("TEST_MARIADB_URL", "mysql+pymysql://root@127.0.0.1:3306/mysql")

SQLITE = pytest.param("sqlite", id="sqlite")
POSTGRESQL = pytest.param("postgresql", id="postgresql", marks=pytest.mark.postgresql)
MARIADB = pytest.param("mariadb", id="mariadb", marks=pytest.mark.mariadb)
ALL_DATABASES = (SQLITE, POSTGRESQL, MARIADB)


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
