"""The schema, on every database we support."""

import threading
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Column, Connection, MetaData, func, inspect, select
from support.databases import ALL_DATABASES, database_url, opened

from accel.db import migrate
from accel.db.engine import Database, DatabaseOptions
from accel.db.tables import Base

REVISIONS = [revision.name for revision in migrate.revisions()]

VALUES = {
    int: 1,
    bool: True,
    float: 0.5,
    Decimal: Decimal("0.5"),
    str: "{}",  # MariaDB's JSON columns look like text and check that it is JSON
    bytes: b"\x00\xff",
    object: {"key": "value"},
    datetime: datetime(2026, 11, 21, 12, 0, 0, 1),  # noqa: DTZ001 - the columns hold UTC without a zone
}


@pytest.fixture(params=ALL_DATABASES)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    with database_url(request.param, tmp_path) as url:
        yield url


@pytest.fixture
def empty(url: str) -> Iterator[Database]:
    with opened(url) as database:
        yield database


def test_migrating_from_empty_and_creating_from_metadata_give_the_same_schema(
    empty: Database, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    migrate.upgrade(empty)
    kind = request.node.callspec.params["url"]
    with database_url(kind, tmp_path) as url, opened(url) as created:
        Base.metadata.create_all(created.engine)
        assert schema(empty) == schema(created)


@pytest.mark.parametrize("start", REVISIONS)
def test_every_migration_runs_with_rows_in_all_tables(empty: Database, start: str) -> None:
    migrate.upgrade(empty, start)
    with empty.writer() as connection:
        filled = fill_every_table(connection)
    migrate.upgrade(empty)
    assert migrate.status(empty).is_current
    with empty.reader() as connection:
        metadata = reflected(connection)
        kept = [metadata.tables[name] for name in filled if name in metadata.tables]
        assert [connection.scalar(select(func.count()).select_from(table)) for table in kept] == [1] * len(kept)


def test_status_names_what_is_pending_until_an_upgrade_ran_it(empty: Database) -> None:
    before = migrate.status(empty)
    assert (before.current, [revision.name for revision in before.pending]) == (None, REVISIONS)
    migrate.upgrade(empty)
    after = migrate.status(empty)
    assert (after.current, after.pending, after.is_current) == (REVISIONS[-1], (), True)


def test_upgrading_twice_changes_nothing(empty: Database) -> None:
    migrate.upgrade(empty)
    once = schema(empty)
    migrate.upgrade(empty)
    assert schema(empty) == once


def test_upgrades_at_the_same_time_wait_for_each_other(url: str) -> None:
    """However impatient a transaction of theirs would be otherwise."""
    failures: list[BaseException] = []

    def upgrade() -> None:
        with opened(url, DatabaseOptions(lock_timeout_seconds=0)) as database:
            try:
                migrate.upgrade(database)
            except BaseException as error:  # noqa: BLE001 - a thread's failure must reach the assertion
                failures.append(error)

    threads = [threading.Thread(target=upgrade) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_a_database_of_a_later_release_has_nothing_pending_and_is_not_current(empty: Database) -> None:
    migrate.upgrade(empty)
    with empty.writer() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    status = migrate.status(empty)
    assert (status.current, status.pending, status.is_current) == ("9999", (), False)


def schema(database: Database) -> dict[str, Any]:
    """Everything about the tables that a database can tell, in an order of ours."""
    with database.reader() as connection:
        inspector = inspect(connection)
        tables = sorted(set(inspector.get_table_names()) - {"alembic_version"})
        return {
            name: {
                "columns": {
                    column["name"]: (repr(column["type"]), column["nullable"], column["default"])
                    for column in inspector.get_columns(name)
                },
                "key": inspector.get_pk_constraint(name),
                "indexes": by_name(inspector.get_indexes(name)),
                "uniques": by_name(inspector.get_unique_constraints(name)),
                "references": by_name(inspector.get_foreign_keys(name)),
                "options": {
                    key: value
                    for key, value in inspector.get_table_options(name).items()
                    if key != "mysql_auto_increment"
                },
            }
            for name in tables
        }


def by_name(things: Any) -> list[Any]:
    return sorted(things, key=lambda thing: str(thing["name"]))


def reflected(connection: Connection) -> MetaData:
    metadata = MetaData()
    metadata.reflect(connection)
    return metadata


def fill_every_table(connection: Connection) -> list[str]:
    """One row in each table as it stands at this revision, every column filled, references among them."""
    tables = [table for table in reflected(connection).sorted_tables if table.name != "alembic_version"]
    for table in tables:
        connection.execute(table.insert().values({column.name: value_for(column) for column in table.columns}))
    return [table.name for table in tables]


def value_for(column: Column[Any]) -> Any:
    if column.primary_key or column.foreign_keys:
        return None if refers_to_itself(column) else 1
    return VALUES[column.type.python_type]


def refers_to_itself(column: Column[Any]) -> bool:
    return any(key.references(column.table) for key in column.foreign_keys)
