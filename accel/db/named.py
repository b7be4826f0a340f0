"""Statements about rows that are named by their values in a column."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Generic, TypeVar

import orjson
from sqlalchemy import (
    ColumnElement,
    Connection,
    CursorResult,
    Delete,
    Select,
    String,
    Text,
    Update,
    bindparam,
    cast,
    func,
    select,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import InstrumentedAttribute

S = TypeVar("S", Select[*tuple[Any, ...]], Update, Delete)


class Named(Generic[S]):
    """A statement that is made once, in forms for one row and for several.

    Usually there is one. An IN whose length is not known before is put together anew whenever it is sent, which takes
    twice as long as sending it; and for each length the server thinks anew about how to do it. PostgreSQL can take a
    list of any length as one value.

    :param make: makes the statement from what is true of the named rows
    :param is_list: PostgreSQL is given a list. It takes that for ten values, however many there are: right where ten
        rows are found by their keys as one is, and where it has no better idea while it knows nothing of its tables
    """

    def __init__(
        self,
        column: InstrumentedAttribute[Any],
        make: Callable[[ColumnElement[bool]], S],
        *,
        is_list: bool = False,
    ) -> None:
        self._is_list = is_list
        self._of_one: S = make(column == bindparam("named"))
        self._of_several: S = make(column.in_(bindparam("named", expanding=True)))
        self.of_list: S = make(_is_listed(column))
        """That of PostgreSQL: its parameter ``named`` is what ``listed`` gives."""

    def execute(self, connection: Connection, named: Sequence[Any], **others: Any) -> CursorResult[Any]:
        """Run it for the rows with these values.

        :param others: the statement's other parameters
        """
        if len(named) == 1:
            return connection.execute(self._of_one, {"named": named[0], **others})
        if self._is_list and connection.dialect.name == "postgresql":
            return connection.execute(self.of_list, {"named": listed(named), **others})
        return connection.execute(self._of_several, {"named": list(named), **others})


def listed(values: Iterable[Any]) -> str:
    """Values as one."""
    return orjson.dumps(list(values)).decode()


def _is_listed(column: InstrumentedAttribute[Any]) -> ColumnElement[bool]:
    """Whether a value is in a JSON list.

    That the list becomes an array in a question of its own lets PostgreSQL plan once for lists of any length. An array
    that is given as such it looks into, and plans anew each time.
    """
    given: ColumnElement[Any] = func.json_array_elements_text(cast(bindparam("named", type_=Text), postgresql.JSON))
    value = given if isinstance(column.type, String) else cast(given, column.type)
    return column == func.any(func.array(select(value).scalar_subquery()))
