"""How the rows of new claims are written: the claims, the requests that stand for what they hold, holders and events.

Whether a statement is about one row or about eight makes little difference to the service and to the server; how many
statements there are makes much. PostgreSQL is sent one for all rows, which is made once: what differs are its
parameters, the rows of each table as JSON. The other databases are sent one for each table.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import orjson
from sqlalchemy import CTE, Connection, Insert, Integer, String, Text, bindparam, cast, column, func, insert, select
from sqlalchemy.dialects import postgresql

from accel.db import history, placement_nodes
from accel.db.history import Entry
from accel.db.named import listed
from accel.db.paging import AnySelect
from accel.db.rows import Values
from accel.db.tables import AcceleratorRequest, Base, Event, Holder, PlacementClaim


class NewRows(NamedTuple):
    """All that is written of claims that are made together."""

    claims: Sequence[Values]
    requests: Sequence[Values]
    """Each with ``claim_uuid`` for the key of its claim, which is not known yet."""
    holders: Sequence[Values]
    """Each with ``request_uuid`` for the key of its request."""
    entries: Sequence[Entry]


def write(connection: Connection, rows: NewRows, now: datetime) -> Mapping[str, int]:
    """Write them; gives the keys of the claims by their UUIDs."""
    if connection.dialect.name == "postgresql":
        return _write_at_once(connection, rows, now)
    claims = _insert(connection, _NEW_CLAIM, rows.claims)
    requests = _insert(connection, _NEW_REQUEST, [_with_key(row, "claim", claims) for row in rows.requests])
    connection.execute(_NEW_HOLDER, [_with_key(row, "request", requests) for row in rows.holders])
    history.write(connection, rows.entries, now)
    return claims


_NEW_CLAIM = insert(PlacementClaim).returning(PlacementClaim.uuid, PlacementClaim.id)
_NEW_REQUEST = insert(AcceleratorRequest).returning(AcceleratorRequest.uuid, AcceleratorRequest.id)
_NEW_HOLDER = insert(Holder).inline()  # its key is not asked for


def _insert(connection: Connection, statement: Any, rows: Sequence[Values]) -> dict[str, int]:
    """Write rows of one table; gives their keys by their UUIDs."""
    return {row.uuid: row.id for row in connection.execute(statement, rows)}


def _with_key(row: Values, other: str, keys: Mapping[str, int]) -> Values:
    """A row that names the one that it belongs to by its key, and no more by its UUID."""
    own = {name: value for name, value in row.items() if name != f"{other}_uuid"}
    return own | {f"{other}_id": keys[row[f"{other}_uuid"]]}


def _write_at_once(connection: Connection, rows: NewRows, now: datetime) -> Mapping[str, int]:
    given = {
        "claims": rows.claims,
        "requests": rows.requests,
        "holders": rows.holders,
        "events": history.rows(rows.entries, now),
    }
    texts = {name: _json(its) for name, its in given.items()}
    changed = listed(sorted(history.nodes_to_tell_of(rows.entries)))
    return {row.uuid: row.id for row in connection.execute(_ALL, {**texts, "named": changed, "now": now})}


def _json(rows: Sequence[Values]) -> str:
    """Rows with their numbers. Of the text of a moment PostgreSQL leaves the zone aside; ours are all in UTC."""
    return orjson.dumps([{"number": number, **row} for number, row in enumerate(rows)]).decode()


def _new(name: str, table: type[Base], *, of: tuple[str, CTE] | None = None) -> CTE:
    """The rows of a table that are given as JSON by a parameter: written, each with its key and its UUID.

    :param of: what each belongs to: how it names that, and the rows that are written of it
    """
    other, parents = of or ("", None)
    columns = [each for each in Base.metadata.tables[table.__tablename__].c if each.name not in {"id", f"{other}_id"}]
    given = (
        func.json_to_recordset(cast(bindparam(name, type_=Text), postgresql.JSON))
        .table_valued(
            column("number", Integer),
            column(f"{other}_uuid", String(36)),
            *(column(each.name, each.type) for each in columns),
        )
        .render_derived(with_types=True)
    )
    rows: AnySelect = select(*(given.c[each.name] for each in columns)).order_by(given.c.number)
    names = [each.name for each in columns]
    if parents is not None:
        rows = rows.add_columns(parents.c.id).join(parents, parents.c.uuid == given.c[f"{other}_uuid"])
        names.append(f"{other}_id")
    written: Insert = insert(table).from_select(names, rows)
    made = Base.metadata.tables[table.__tablename__].c
    return written.returning(made.id, made.uuid).cte(f"new_{name}")


def _all() -> AnySelect:
    claims = _new("claims", PlacementClaim)
    requests = _new("requests", AcceleratorRequest, of=("claim", claims))
    holders = _new("holders", Holder, of=("request", requests))
    marked = placement_nodes.MARK.of_list.cte("marked")
    return select(claims.c.id, claims.c.uuid).add_cte(holders, _new("events", Event), marked)


_ALL = _all()
