"""Statements about rows that are named by their values in a column."""

from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

from sqlalchemy import ColumnElement, Connection, CursorResult, Delete, Select, bindparam
from sqlalchemy.orm import InstrumentedAttribute

S = TypeVar("S", Select[*tuple[Any, ...]], Delete)


class Named(Generic[S]):
    """A statement that is made once, in two forms: for one row and for several.

    Usually there is one. An IN whose length is not known before is put together anew whenever it is sent, which takes
    twice as long as sending it.

    :param make: makes the statement from what is true of the named rows
    """

    def __init__(
        self,
        column: InstrumentedAttribute[Any],
        make: Callable[[ColumnElement[bool]], S],
    ) -> None:
        self._of_one: S = make(column == bindparam("named"))
        self._of_several: S = make(column.in_(bindparam("named", expanding=True)))

    def execute(self, connection: Connection, named: Sequence[Any], **others: Any) -> CursorResult[Any]:
        """Run it for the rows with these values.

        :param others: the statement's other parameters
        """
        if len(named) == 1:
            return connection.execute(self._of_one, {"named": named[0], **others})
        return connection.execute(self._of_several, {"named": list(named), **others})
