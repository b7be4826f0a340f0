"""Which nodes history tells of since somebody has last asked.

Everything that placement looks at is changed in one transaction with an event that names the node. Events are numbered
before their transaction ends, and transactions do not end in the order of their numbers: a number that is missing when
a later one is there may be an event that is still to be seen. It is asked for by its number until it is so old that its
transaction cannot have lasted so long, and has been rolled back. Nobody ever looks through a window of what is past.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, func, select

from accel.db.batches import batches
from accel.db.paging import AnySelect
from accel.db.tables import Event

_LONGEST_TRANSACTION = timedelta(minutes=1)
_UNDER_WAY = 10_000
"""So many events at most are written by transactions that are under way at one time."""

_OF_HOLDING = ("request.", "claim.", "holder.", "job.")
"""How the kinds of events begin that tell of nothing else than who holds what."""

_NEWER: AnySelect = select(Event.id, Event.node, Event.kind).where(Event.id >= bindparam("newest")).order_by(Event.id)
_MISSING: AnySelect = select(Event.id, Event.node, Event.kind).where(Event.id.in_(bindparam("missing", expanding=True)))
_NEWEST: AnySelect = select(func.max(Event.id))
_NUMBERS: AnySelect = select(Event.id).where(Event.id >= bindparam("first"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """How far history has been read."""

    newest: int = 0
    """The largest number that was seen; 0 where there was none."""
    missing: Mapping[int, datetime] = field(default_factory=dict)
    """Numbers below it that were not there, and since when they are missed."""


class Changes(NamedTuple):
    """What history tells."""

    nodes: frozenset[str]
    """The names of the nodes that have changed."""
    occupied: frozenset[str]
    """The names of others of which only has changed what is held there and by whom."""
    position: Position | None
    """None: this is not the history that was read before, so everything may have changed."""


def now_at(connection: Connection, *, now: datetime) -> Position:
    """Where history is now. What is read after this was asked for is as new as that or newer."""
    newest = connection.execute(_NEWEST).scalar_one() or 0
    first = max(newest - _UNDER_WAY, 1)
    there = set(connection.scalars(_NUMBERS, {"first": first}))
    newest = max(there, default=0)
    return Position(newest=newest, missing={number: now for number in range(first, newest) if number not in there})


def since(connection: Connection, position: Position, *, now: datetime) -> Changes:
    """What has changed: one statement, and one more while a number is missing."""
    newer = connection.execute(_NEWER, {"newest": position.newest}).all()
    if position.newest and (not newer or newer[0].id != position.newest):
        return Changes(frozenset(), frozenset(), None)
    late = [
        row for numbers in batches(list(position.missing)) for row in connection.execute(_MISSING, {"missing": numbers})
    ]
    found = [*newer, *late]
    seen = {row.id for row in found}
    newest = max(seen, default=position.newest)
    missing = {number: moment for number, moment in position.missing.items() if number not in seen}
    missing |= {number: now for number in range(position.newest + 1, newest) if number not in seen}
    young = {number: moment for number, moment in missing.items() if now - moment < _LONGEST_TRANSACTION}
    told = [row for row in found if row.node is not None and row.id != position.newest]
    nodes = frozenset(row.node for row in told if not row.kind.startswith(_OF_HOLDING))
    occupied = frozenset(row.node for row in told) - nodes
    return Changes(nodes, occupied, Position(newest=newest, missing=young))
