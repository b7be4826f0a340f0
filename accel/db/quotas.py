"""Quotas: how many accelerators of a resource class a project may hold at once.

What a project holds is counted from its requests, so it cannot differ from the truth. A claim locks the rows of the
limits that it is under before it counts, so two claims cannot both take the last place.
"""

from collections.abc import Mapping

from sqlalchemy import Connection, bindparam, func, select, tuple_

from accel.db.paging import AnySelect
from accel.db.tables import AcceleratorRequest, Quota
from accel.errors import Conflict
from accel.model.request import HOLDING

ProjectAndClass = tuple[str, str]
"""The id of a project and the name of a resource class."""

_LIMITS: AnySelect = (
    select(Quota.project_id, Quota.resource_class, Quota.limit)
    .where(tuple_(Quota.project_id, Quota.resource_class).in_(bindparam("wanted", expanding=True)))
    .order_by(Quota.id)
    .with_for_update()
)


def check(connection: Connection, wanted: Mapping[ProjectAndClass, int]) -> None:
    """Make sure that projects may hold so many accelerators more; nobody else takes any before the transaction ends.

    :raises Conflict: a project would hold more than it may; the text says how many it holds
    """
    found = connection.execute(_LIMITS, {"wanted": sorted(wanted)})
    limits = {(row.project_id, row.resource_class): row.limit for row in found}
    if not limits:
        return
    used = usage(connection, limits)
    for (project_id, resource_class), limit in limits.items():
        held, more = used.get((project_id, resource_class), 0), wanted[project_id, resource_class]
        if held + more > limit:
            raise Conflict(
                f"quota of project {project_id}: {limit} of {resource_class}, {held} held and {more} more wanted; "
                "give some back, or have the limit raised"
            )


def usage(connection: Connection, keys: Mapping[ProjectAndClass, object]) -> dict[ProjectAndClass, int]:
    """How many accelerators of these classes these projects hold; nothing is left out but zeros."""
    of_request = tuple_(AcceleratorRequest.project_id, AcceleratorRequest.resource_class)
    counted = connection.execute(
        select(AcceleratorRequest.project_id, AcceleratorRequest.resource_class, func.count())
        .where(of_request.in_(sorted(keys)), AcceleratorRequest.state.in_(sorted(HOLDING)))
        .group_by(AcceleratorRequest.project_id, AcceleratorRequest.resource_class)
    )
    return {(project_id, resource_class): count for project_id, resource_class, count in counted}
