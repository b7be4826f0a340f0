"""A large fleet in a database in seconds: nodes that were reported, and copies of their rows.

Only what is measured on needs to be large. How long reports of so many nodes take is measured elsewhere.
"""

from sqlalchemy import Connection, text

from accel.db.engine import Database
from accel.db.tables import AttachHandle, Attribute, Base, Deployable, Device, Node, NodeDriver

_TABLES: tuple[type[Base], ...] = (Node, NodeDriver, Device, Deployable, Attribute, AttachHandle)
"""Those whose rows are copied, each after those that it refers to."""
_NAMED = {"nodes": "name", "deployables": "name"}
"""Columns in which each copy has a name of its own: the number of the copy is put before it."""
_UNIQUE = {"uuid", "rp_uuid"}


def multiply(database: Database, times: int) -> None:
    """Make so many nodes of each that is there. PostgreSQL only: it counts, and makes UUIDs, by itself."""
    with database.writer() as connection:
        step = {table.__tablename__: _step(connection, table.__tablename__) for table in _TABLES}
        for table in _TABLES:
            _copy(connection, table.__tablename__, times, step)
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        # Autovacuum looks at no table either that nothing was written to: one that was looked at while it was empty is
        # taken for empty, and read from end to end, until somebody looks again.
        connection.execute(text(f"ANALYZE {', '.join(table.__tablename__ for table in _TABLES)}"))


def _step(connection: Connection, table: str) -> int:
    """How far the keys of one copy are from those of the next."""
    highest: int = connection.execute(text(f"SELECT coalesce(max(id), 0) FROM {table}")).scalar_one()  # noqa: S608 - a name of ours
    return highest


def _copy(connection: Connection, table: str, times: int, step: dict[str, int]) -> None:
    columns = [column.name for column in Base.metadata.tables[table].columns]
    values = ", ".join(_value(table, column, step) for column in columns)
    names = ", ".join(f'"{column}"' for column in columns)
    connection.execute(
        text(
            f"INSERT INTO {table} ({names})"  # noqa: S608 - names of ours
            f" SELECT {values} FROM {table} t CROSS JOIN generate_series(1, :copies) AS c(n)"
        ),
        {"copies": times - 1},
    )
    connection.execute(text(f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), (SELECT max(id) FROM {table}))"))  # noqa: S608 - names of ours


def _value(table: str, column: str, step: dict[str, int]) -> str:
    """What stands in a column of a copy."""
    if column == "id":
        return f"t.id + c.n * {step[table]}"
    if column in _UNIQUE:
        return "gen_random_uuid()::text"
    if _NAMED.get(table) == column:
        return "'c' || c.n || '-' || t.name"
    for key in Base.metadata.tables[table].columns[column].foreign_keys:
        return f't."{column}" + c.n * {step[key.column.table.name]}'
    return f't."{column}"'
