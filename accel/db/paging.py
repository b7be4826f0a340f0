"""Lists in pages by key: filter, order and continue after a row, all in SQL.

A page does not begin at a number of rows but after a row, the marker, found by its UUID: neither the database nor we
walk over the pages before, and a row that comes or goes in between shifts nothing. NULLs come last in either
direction, on every database. Rows that are equal in the sort key are in the order of their creation.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Generic, TypeVar

from sqlalchemy import ColumnElement, Connection, DateTime, Row, Select, and_, false, or_, type_coerce
from sqlalchemy.orm import InstrumentedAttribute

from accel.errors import InvalidValue

Filter = Callable[[Any], ColumnElement[bool]]
AnySelect = Select[*tuple[Any, ...]]
R = TypeVar("R")

_MOST_KEYS_NAMED = 1000
"""With more keys than this, reading too many rows is cheaper than naming them; databases limit the number of values."""
_ROWS_AT_A_TIME = 500
_SPARSEST_RANGE = 4
"""How many keys may lie in a range for each one that is wanted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListQuery:
    """What a caller wants to see of a list."""

    filters: Sequence[tuple[str, Any]] = ()
    """Name and value; all of them must hold, so one name with two different values matches nothing."""
    limit: int | None = None
    """At most so many rows; None is all of them."""
    marker: str | None = None
    """The UUID of the row after which the page begins."""
    sort_key: str | None = None
    """A key of ``Listing.sort_keys``; None is the list's own order."""
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Page(Generic[R]):
    """The rows that were asked for, and whether there are more after them."""

    rows: list[R]
    has_more: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """How the rows of one table are found, filtered and ordered."""

    key: InstrumentedAttribute[int]
    """The integer key: the order of creation."""
    uuid: InstrumentedAttribute[str]
    filters: Mapping[str, Filter]
    sort_keys: Mapping[str, InstrumentedAttribute[Any]]
    newest_first_when_filtered: str | None = None
    """The sort key of a filtered list that names none: the wire contract has it so for some."""

    def read(
        self, connection: Connection, statement: AnySelect, query: ListQuery, *, make: Callable[[Iterable[Any]], R]
    ) -> Page[R]:
        """The rows of a statement that the query wants.

        One row more than the limit is asked for: it tells that there is another page.

        :param make: makes what is returned from a row
        :raises InvalidValue: no such sort key, or no row has the marker
        """
        found = [make(row) for row in rows_of(connection, self._apply(statement, query, connection))]
        return Page(found[: query.limit], query.limit is not None and len(found) > query.limit)

    def _apply(self, statement: AnySelect, query: ListQuery, connection: Connection) -> AnySelect:
        if query.sort_key is None and query.filters and self.newest_first_when_filtered:
            query = replace(query, sort_key=self.newest_first_when_filtered, descending=not query.descending)
        column = self._column(query.sort_key)
        page = statement.order_by(*self._order(query, column))
        for name, value in query.filters:
            page = page.where(self.filters[name](value))
        if query.marker is not None:
            place = statement.with_only_columns(self.key, self.key if column is None else column)
            found = connection.execute(place.where(self.uuid == query.marker.lower())).one_or_none()
            if found is None:
                raise InvalidValue("marker", query.marker, "the uuid of a row of this list")
            page = page.where(self._after((found[0], found[1]), query, column))
        return page if query.limit is None else page.limit(query.limit + 1)

    def _column(self, sort_key: str | None) -> InstrumentedAttribute[Any] | None:
        if sort_key is None:
            return None
        if sort_key not in self.sort_keys:
            raise InvalidValue("sort_key", sort_key, f"one of {', '.join(sorted(self.sort_keys))}")
        return self.sort_keys[sort_key]

    def _order(self, query: ListQuery, column: InstrumentedAttribute[Any] | None) -> list[ColumnElement[Any]]:
        if column is None:
            return [self.key.desc() if query.descending else self.key.asc()]
        nulls_last = [column.is_(None)] if column.nullable else []
        return [*nulls_last, column.desc() if query.descending else column.asc(), self.key.asc()]

    def _after(
        self, marker: tuple[int, Any], query: ListQuery, column: InstrumentedAttribute[Any] | None
    ) -> ColumnElement[bool]:
        """What is true of the rows that come after the one with this key and this value of the sort column."""
        key, value = marker
        older, newer = self.key < key, self.key > key
        if column is None:
            return older if query.descending else newer
        later_of_equals = and_(column.is_(None) if value is None else column == value, newer)
        if value is None:
            return later_of_equals
        beyond: ColumnElement[bool] = column < value if query.descending else column > value
        return or_(beyond, later_of_equals, *([column.is_(None)] if column.nullable else []))


def as_stored(column: InstrumentedAttribute[Any]) -> ColumnElement[datetime]:
    """A time in UTC without its zone, for long lists: putting the zone to each costs more than reading the row."""
    return type_coerce(column, DateTime)


def rows_of(
    connection: Connection, statement: AnySelect, values: Mapping[str, Any] | None = None
) -> Iterator[Row[*tuple[Any, ...]]]:
    """The rows of a statement, fetched some hundreds at a time: a long list is not in memory twice.

    :param values: of the statement's parameters
    """
    for rows in connection.execute(statement, values).partitions(_ROWS_AT_A_TIME):
        yield from rows


def belonging_to(keys: Sequence[int], statement: AnySelect, column: InstrumentedAttribute[int]) -> AnySelect:
    """The statement for the rows of these parents; it may give rows of other parents too."""
    if not keys:
        return statement.where(false())
    span = span_of(keys)
    return statement.where(column.in_(keys) if span is None else column.between(*span))


def span_of(keys: Sequence[int]) -> tuple[int, int] | None:
    """The first and the last of some keys, where asking for all that is between is better than naming them.

    Keys that lie close together are asked for as a range, which is one short statement for any number of them.
    """
    first, last = min(keys), max(keys)
    is_dense = last - first < _SPARSEST_RANGE * len(keys)
    return (first, last) if is_dense or len(keys) > _MOST_KEYS_NAMED else None
