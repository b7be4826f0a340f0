"""One database, as the rest of accel sees it: transactions that read, transactions that write, errors of our own.

A transaction is a function, so that it can be run again::

    def rename(connection: Connection) -> None: ...

    database.write(rename)

``write`` and ``read`` run the function in a transaction of its own and repeat the whole of it when the database says
that the transaction never happened: the connection broke, the server restarted, two transactions deadlocked, a lock
was not to be had in time, or a constraint decided a race. The function must therefore do nothing but SQL. ``reader``
and ``writer`` are the same transactions as context managers, without the repetition.

Three databases are supported. What differs between them:

SQLite
    Write-ahead log, so that readers never wait. A writer begins with BEGIN IMMEDIATE: it waits for the other writer
    at the door, where waiting is safe. With SQLite's plain BEGIN two transactions that have both read cannot both
    write: one fails at once, however long it is ready to wait. So does whoever turns the log on while another writes
    or turns it on, too, which is why that waits at the door as well.
PostgreSQL, MariaDB
    READ COMMITTED. Every writer first locks the row that it is about (SELECT … FOR UPDATE) and reads after that; at
    this level what it then reads is what the last holder of the lock committed. MariaDB's own default, REPEATABLE
    READ, would add gap locks, which make writers of different nodes wait for and deadlock with one another.
"""

import logging
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, fields, replace
from random import Random
from threading import Event
from typing import Any, TypeVar

import orjson
from oslo_config import cfg
from sqlalchemy import URL, Connection, Engine, create_engine, event, exc, make_url
from sqlalchemy.pool import ConnectionPoolEntry

from accel.errors import ConfigurationError, Conflict, DatabaseUnavailable, InvalidValue

__all__ = ["Connection", "Database", "DatabaseOptions"]

LOG = logging.getLogger(__name__)

T = TypeVar("T")
_WRITES = "accel_writes"
_GIVEN_BACK = "accel_given_back"
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.05, 2.0
"""Between two attempts of a transaction, at most: twice as long after each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseOptions:
    """How a database is used; option group ``database`` explains each."""

    pool_size: int = 8
    max_overflow: int = 20
    connect_timeout_seconds: int = 5
    lock_timeout_seconds: int = 10
    attempts: int = 5
    """How often a transaction is tried."""
    idle_seconds: float = 1
    """A connection that nobody has used for so long is tried before it is used again."""


class Database:
    """A database by its URL. Connects when it is first used; any number of threads may use it at once.

    :param url: ``sqlite:////path``, ``postgresql+psycopg://user:password@host/name`` or ``mysql+pymysql://…``
    :param pause: waits so many seconds between two attempts of a transaction
    :raises ConfigurationError: the URL is none, or of a kind of database that is not supported
    """

    def __init__(
        self,
        url: str,
        options: DatabaseOptions | None = None,
        *,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        options = options or DatabaseOptions()
        self._url, self._options, self._pause = url, options, pause
        self.engine = _make_engine(url, options)
        self._writing = self.engine.execution_options(**{_WRITES: True})
        self._chance = Random()  # noqa: S311 - that transactions which were in each other's way try again apart

    @classmethod
    def configured(cls, group: cfg.ConfigOpts.GroupAttr) -> "Database":
        """The database of option group ``database``.

        :raises ConfigurationError: see above
        """
        return cls(
            group.connection, DatabaseOptions(**{field.name: group[field.name] for field in fields(DatabaseOptions)})
        )

    @property
    def name(self) -> str:
        """The URL without its password, for people."""
        return self.engine.url.render_as_string(hide_password=True)

    @contextmanager
    def patient(self, lock_timeout_seconds: int) -> Iterator["Database"]:
        """The same database for the length of a block, over connections that wait so long for what others lock."""
        other = Database(self._url, replace(self._options, lock_timeout_seconds=lock_timeout_seconds))
        try:
            yield other
        finally:
            other.close()

    @contextmanager
    def reader(self) -> Iterator[Connection]:
        """One transaction that reads.

        :raises DatabaseUnavailable: the database does not answer
        """
        with self._own_errors(), self.engine.begin() as connection:
            yield connection

    @contextmanager
    def writer(self) -> Iterator[Connection]:
        """One transaction that writes: committed at the end of the block, rolled back by an exception.

        :raises DatabaseUnavailable: the database does not answer, or other writers were in the way for too long
        :raises Conflict: a constraint does not allow what was written
        """
        with self._own_errors(), self._writing.begin() as connection:
            yield connection

    def read(self, transaction: Callable[[Connection], T]) -> T:
        """Run a function that reads, repeating it as the module's text says; raises what ``reader`` raises."""
        return self._repeat(self.reader, transaction)

    def write(self, transaction: Callable[[Connection], T]) -> T:
        """Run a function that writes, repeating it as the module's text says; raises what ``writer`` raises."""
        return self._repeat(self.writer, transaction)

    def wait_until_ready(self, stop: Event, *, pause_seconds: float = 0.5, longest_pause_seconds: float = 10) -> bool:
        """Wait for the database to answer, saying so in the log at every attempt.

        :param stop: ends the waiting when it is set
        :param pause_seconds: between the first two attempts; it doubles from one to the next
        :return: whether the database answers
        """
        pause = pause_seconds
        while not stop.is_set():
            try:
                with self.reader():
                    LOG.info("database %s is ready", self.name)
                    return True
            except DatabaseUnavailable as error:
                LOG.warning("the database does not answer, next attempt in %g s: %s", pause, error)
            stop.wait(pause)
            pause = min(pause * 2, longest_pause_seconds)
        return False

    def _repeat(
        self, begin: Callable[[], AbstractContextManager[Connection]], transaction: Callable[[Connection], T]
    ) -> T:
        for attempt in range(1, self._options.attempts):
            try:
                with begin() as connection:
                    return transaction(connection)
            except (DatabaseUnavailable, _Raced) as error:
                pause = self._chance.uniform(0, min(_LONGEST_PAUSE_SECONDS, _FIRST_PAUSE_SECONDS * 2 ** (attempt - 1)))
                LOG.warning("transaction failed (attempt %d), repeating it in %.2f s: %s", attempt, pause, error)
            self._pause(pause)
        with begin() as connection:
            return transaction(connection)

    @contextmanager
    def _own_errors(self) -> Iterator[None]:
        """Make the errors of drivers and pool ours, here at the border."""
        try:
            yield
        except exc.IntegrityError as error:
            raise _Raced(f"the database refuses: {error.orig}") from error
        except exc.DataError as error:
            raise InvalidValue("value", str(error.orig), "one that fits its column") from error
        except (exc.OperationalError, exc.InterfaceError) as error:
            if not _may_pass(error):
                raise
            raise DatabaseUnavailable(f"database {self.name}: {' '.join(str(error.orig).split())}") from error
        except exc.TimeoutError as error:
            raise DatabaseUnavailable(f"database {self.name}: all connections of the pool are in use") from error

    def close(self) -> None:
        """Give back all connections that are not in use."""
        self.engine.dispose()


class _Raced(Conflict):
    """A constraint was violated: usually another transaction was first, and a repetition sees what it wrote."""


def _may_pass(error: exc.DBAPIError) -> bool:
    """Whether the failure is one of state (locked, away, full) and not of the statement.

    SQLite has one class for both and tells them apart by its code only.
    """
    cause = error.orig
    return not isinstance(cause, sqlite3.Error) or cause.sqlite_errorcode != sqlite3.SQLITE_ERROR


def _make_engine(url: str, options: DatabaseOptions) -> Engine:
    try:
        parsed = make_url(url)
        engine = _ENGINES[parsed.get_backend_name()](parsed, options)
    except (exc.ArgumentError, exc.NoSuchModuleError, KeyError, ImportError) as error:
        known = "sqlite:////path, postgresql+psycopg://user:password@host/name, mysql+pymysql://user:password@host/name"
        raise ConfigurationError(f"[database] connection: no URL of a supported database ({error}): {known}") from error
    return engine


def _sqlite(url: URL, options: DatabaseOptions) -> Engine:
    if url.database in {None, "", ":memory:"}:
        raise exc.ArgumentError("a database in memory is a different one for each connection")
    engine = create_engine(url, **_common(options), connect_args={"timeout": options.lock_timeout_seconds})

    @event.listens_for(engine, "connect")
    def configure(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None  # Python's module begins transactions only before a change; we begin them
        _use_log(connection, options.lock_timeout_seconds)
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA foreign_keys = ON")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get(_WRITES, False)
        driver: Any = connection.connection.driver_connection
        try:
            driver.execute("BEGIN IMMEDIATE" if writes else "BEGIN")
        except sqlite3.OperationalError as error:
            raise exc.OperationalError("BEGIN", None, error) from error

    return engine


def _use_log(connection: sqlite3.Connection, patience_seconds: float) -> None:
    """Turn the write-ahead log on. The file remembers it: only its first connection changes anything.

    SQLite reads, then writes for that, and so does not wait for another writer, whatever its timeout.
    """
    until = time.monotonic() + patience_seconds
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() >= until:
                raise
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("ROLLBACK")
        else:
            return


def _postgresql(url: URL, options: DatabaseOptions) -> Engine:
    # To compile a statement takes PostgreSQL a fifth of a second, far longer than any of ours runs.
    settings = f"-c lock_timeout={options.lock_timeout_seconds}s -c jit=off"
    arguments = {"connect_timeout": options.connect_timeout_seconds, "options": settings}
    return _server(url, options, arguments)


def _mariadb(url: URL, options: DatabaseOptions) -> Engine:
    arguments = {
        "connect_timeout": options.connect_timeout_seconds,
        "init_command": f"SET SESSION innodb_lock_wait_timeout = {options.lock_timeout_seconds}",
    }
    return _server(url, options, arguments)


def _server(url: URL, options: DatabaseOptions, arguments: dict[str, Any]) -> Engine:
    """An engine whose idle connections are tried before use, so that a server restarted meanwhile is not noticed.

    SQLAlchemy's own ``pool_pre_ping`` tries every connection every time, which costs a busy service a round trip with
    each transaction; there the transaction itself finds out, and is repeated.
    """
    engine = create_engine(
        url,
        **_common(options),
        connect_args=arguments,
        isolation_level="READ COMMITTED",
        pool_reset_on_return=None,  # every transaction of ours is ended by its block: no need to roll it back once more
    )

    @event.listens_for(engine, "checkin")
    def note_time(_connection: object, record: ConnectionPoolEntry) -> None:
        record.info[_GIVEN_BACK] = time.monotonic()

    @event.listens_for(engine, "checkout")
    def try_idle(connection: Any, record: ConnectionPoolEntry, _proxy: object) -> None:
        given_back = record.info.get(_GIVEN_BACK)
        if given_back is None or time.monotonic() - given_back < options.idle_seconds:
            return
        try:
            engine.dialect.do_ping(connection)
        except engine.dialect.loaded_dbapi.Error as error:
            raise exc.InvalidatePoolError from error

    return engine


_ENGINES = {"sqlite": _sqlite, "postgresql": _postgresql, "mysql": _mariadb, "mariadb": _mariadb}


def _common(options: DatabaseOptions) -> dict[str, Any]:
    return {
        "pool_size": options.pool_size,
        "max_overflow": options.max_overflow,
        "pool_use_lifo": True,  # what one connection has prepared is of use to the next caller
        "json_serializer": _to_json,
        "json_deserializer": orjson.loads,
    }


def _to_json(value: object) -> str:
    return orjson.dumps(value).decode()
