"""The least that a transaction could cost: its statements by the bare driver, one after the other."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection, event

from accel.db.engine import Database
from bench.figures import median_ms

FLOOR = "its statements by the bare driver"


def floor_ms(database: Database, transaction: Callable[[Connection], object]) -> float:
    """The median duration of the statements of a transaction, without its commit: they can be sent again then."""
    seen: list[tuple[str, Any, bool]] = []

    def note(_connection: object, _cursor: object, statement: str, values: Any, _context: object, many: bool) -> None:  # noqa: FBT001 - the event passes it so
        seen.append((statement, values, many))

    event.listen(database.engine, "before_cursor_execute", note)
    with database.engine.connect() as connection:
        transaction(connection)
        event.remove(database.engine, "before_cursor_execute", note)
        connection.rollback()
        driver = connection.connection.driver_connection
        return median_ms(lambda: _send(driver, seen), times=50)


def _send(driver: Any, seen: list[tuple[str, Any, bool]]) -> None:
    cursor = driver.cursor()
    for statement, values, many in seen:
        (cursor.executemany if many else cursor.execute)(statement, values)
        if cursor.description is not None:
            cursor.fetchall()
    driver.rollback()
