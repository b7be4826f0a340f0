"""Quotas: how many accelerators of a resource class a project may hold at once.

What a project holds is counted from its requests, so it cannot differ from the truth. A claim locks the rows of the
limits that it is under before it counts, so two claims cannot both take the last place.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    and_,
    bindparam,
    delete,
    func,
    insert,
    select,
    true,
    tuple_,
    union,
    update,
)
from sqlalchemy.orm import InstrumentedAttribute

from accel.db import history
from accel.db.events import Origin
from accel.db.history import Entry
from accel.db.paging import AnySelect, ListQuery, Page
from accel.db.scope import Scope
from accel.db.tables import AcceleratorRequest, Quota
from accel.errors import Conflict, NotFound
from accel.model.event import EventKind
from accel.model.request import HOLDING

ProjectAndClass = tuple[str, str]
"""The id of a project and the name of a resource class."""

_LIMITS: AnySelect = (
    select(Quota.project_id, Quota.resource_class, Quota.limit)
    .where(tuple_(Quota.project_id, Quota.resource_class).in_(bindparam("wanted", expanding=True)))
    .order_by(Quota.id)
    .with_for_update()
)

NO_LIMIT = -1

_IS_HELD = AcceleratorRequest.state.in_(sorted(HOLDING))
_USAGE = (
    select(AcceleratorRequest.project_id, AcceleratorRequest.resource_class, func.count())
    .where(_IS_HELD)
    .group_by(AcceleratorRequest.project_id, AcceleratorRequest.resource_class)
)
"""How many accelerators projects hold, by resource class."""


class QuotaRow(NamedTuple):
    """What a project may hold of a resource class, and what it holds."""

    resource_class: str
    limit: int
    """``NO_LIMIT`` for as many as there are."""
    used: int


class ProjectQuotas(NamedTuple):
    """A project's quotas: of every class that it has a limit for, or holds something of."""

    project_id: str
    quotas: list[QuotaRow]


class Allowance:
    """How many accelerators projects may hold more; nobody else takes any before the transaction ends.

    :param wanted: who may want more, of what
    """

    def __init__(self, connection: Connection, wanted: Iterable[ProjectAndClass]) -> None:
        keys = sorted(set(wanted))
        found = connection.execute(_LIMITS, {"wanted": keys}) if keys else ()
        self._limits = {(row.project_id, row.resource_class): row.limit for row in found}
        self._held = usage(connection, self._limits) if self._limits else {}

    def take(self, wanted: Mapping[ProjectAndClass, int]) -> None:
        """Count so many more as held.

        :raises Conflict: a project would hold more than it may; the text says how many it holds. Nothing is counted
        """
        limited = {key: more for key, more in wanted.items() if key in self._limits}
        for (project_id, resource_class), more in limited.items():
            limit, held = self._limits[project_id, resource_class], self._held.get((project_id, resource_class), 0)
            if held + more > limit:
                raise Conflict(
                    f"quota of project {project_id}: {limit} of {resource_class}, {held} held and {more} more wanted; "
                    "give some back, or have the limit raised"
                )
        for key, more in limited.items():
            self._held[key] = self._held.get(key, 0) + more


def check(connection: Connection, wanted: Mapping[ProjectAndClass, int]) -> None:
    """Make sure that projects may hold so many accelerators more; nobody else takes any before the transaction ends.

    :raises Conflict: a project would hold more than it may; the text says how many it holds
    """
    Allowance(connection, wanted).take(wanted)


def usage(connection: Connection, keys: Mapping[ProjectAndClass, object]) -> dict[ProjectAndClass, int]:
    """How many accelerators of these classes these projects hold; nothing is left out but zeros."""
    of_request = tuple_(AcceleratorRequest.project_id, AcceleratorRequest.resource_class)
    counted = connection.execute(_USAGE.where(of_request.in_(sorted(keys))))
    return {(project_id, resource_class): count for project_id, resource_class, count in counted}


def find(connection: Connection, query: ListQuery, *, scope: Scope) -> Page[ProjectQuotas]:
    """The quotas of projects that have some or hold something, in the order of their ids.

    :param query: its filter may be ``project_id``, its marker is the id of a project; it is sorted by nothing else
    """
    concerned = union(
        select(Quota.project_id).where(*_wanted(Quota.project_id, query, scope)),
        select(AcceleratorRequest.project_id).where(_IS_HELD, *_wanted(AcceleratorRequest.project_id, query, scope)),
    ).subquery()
    statement = select(concerned.c.project_id).order_by(concerned.c.project_id)
    if query.limit is not None:
        statement = statement.limit(query.limit + 1)
    projects = list(connection.scalars(statement))
    has_more = query.limit is not None and len(projects) > query.limit
    return Page(_of(connection, projects[: query.limit]), has_more=has_more)


def get(connection: Connection, project_id: str, *, scope: Scope) -> ProjectQuotas:
    """The quotas of a project; whether there is one of this id is not known here.

    :raises NotFound: it is not the caller's
    """
    if not scope.knows(project_id):
        raise NotFound("project", project_id)
    return _of(connection, [project_id])[0]


def change(connection: Connection, project_id: str, limits: Mapping[str, int], *, origin: Origin) -> ProjectQuotas:
    """Set the limits of a project that are given, and leave the others; with one event, where something changes.

    What a project holds already it keeps, however little it may hold from now on.

    :param limits: by resource class; ``NO_LIMIT`` takes the limit away
    """
    known = _locked(connection, project_id, limits)
    before = {name: known.get(name, NO_LIMIT) for name in limits}
    after = {name: limit for name, limit in limits.items() if limit != before[name]}
    of_project = Quota.project_id == project_id
    gone = sorted(name for name, limit in after.items() if limit == NO_LIMIT)
    if gone:
        connection.execute(delete(Quota).where(of_project, Quota.resource_class.in_(gone)))
    other = [{"its_name": name, "new": limit} for name, limit in after.items() if name in known and limit != NO_LIMIT]
    if other:
        its_row = and_(of_project, Quota.resource_class == bindparam("its_name"))
        connection.execute(update(Quota).where(its_row).values(limit=bindparam("new"), updated_at=origin.at), other)
    new = [{"resource_class": name, "limit": limit} for name, limit in after.items() if name not in known]
    if new:
        connection.execute(insert(Quota).values(project_id=project_id, created_at=origin.at), new)
    if after:
        _record(connection, project_id, {name: before[name] for name in after}, after, origin=origin)
    return _of(connection, [project_id])[0]


def _locked(connection: Connection, project_id: str, names: Iterable[str]) -> dict[str, int]:
    """The limits of a project by resource class, which nobody else changes or claims under for now."""
    wanted = select(Quota.resource_class, Quota.limit).where(
        Quota.project_id == project_id, Quota.resource_class.in_(sorted(names))
    )
    return dict(connection.execute(wanted.order_by(Quota.id).with_for_update()).all())


def _record(
    connection: Connection, project_id: str, before: Mapping[str, int], after: Mapping[str, int], *, origin: Origin
) -> None:
    entry = Entry(
        kind=EventKind.QUOTA_CHANGED,
        subject=project_id,
        source=origin.source,
        node=None,
        before={name: None if limit == NO_LIMIT else limit for name, limit in before.items()},
        after={name: None if limit == NO_LIMIT else limit for name, limit in after.items()},
        request_id=origin.request_id,
        project_id=project_id,
    )
    history.write(connection, [entry], origin.at)


def _wanted(column: InstrumentedAttribute[str], query: ListQuery, scope: Scope) -> list[ColumnElement[bool]]:
    """What is true of the rows of a list; ``column`` is that of the project."""
    named = [column == project_id for _, project_id in query.filters]
    return [scope.owns(column), *named, column > query.marker if query.marker is not None else true()]


def _of(connection: Connection, projects: Sequence[str]) -> list[ProjectQuotas]:
    """The quotas of projects that come one after the other in the order of their ids."""
    if not projects:
        return []
    found: dict[str, dict[str, QuotaRow]] = {project_id: {} for project_id in projects}
    limits = select(Quota.project_id, Quota.resource_class, Quota.limit)
    for project_id, name, limit in connection.execute(limits.where(_between(Quota.project_id, projects))):
        found[project_id][name] = QuotaRow(name, limit, 0)
    for project_id, name, count in connection.execute(_USAGE.where(_between(AcceleratorRequest.project_id, projects))):
        row = found[project_id].get(name, QuotaRow(name, NO_LIMIT, 0))
        found[project_id][name] = row._replace(used=count)
    return [ProjectQuotas(project_id, sorted(rows.values())) for project_id, rows in found.items()]


def _between(column: InstrumentedAttribute[str], projects: Sequence[str]) -> ColumnElement[bool]:
    return column.between(projects[0], projects[-1])
