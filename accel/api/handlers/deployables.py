"""Deployables: list, show, program."""

from typing import Any

from accel.api.call import Call
from accel.api.uuids import checked_uuid
from accel.api.views import collection
from accel.api.views import deployables as views
from accel.db import deployables
from accel.db.deployables import DeployableRow
from accel.db.engine import Connection
from accel.errors import NotFound


def index(call: Call) -> dict[str, Any]:
    """All deployables that the query wants."""

    def read(connection: Connection) -> Any:
        page = deployables.find(connection, call.list_query)
        return page, _bodies(connection, call, page.rows)

    page, bodies = call.database.read(read)
    return collection.render(call, "deployables", page, bodies)


def show(call: Call) -> dict[str, Any]:
    """One deployable."""
    return body_of(call, checked_uuid("uuid", call.arguments["uuid"]))


def body_of(call: Call, uuid: str) -> dict[str, Any]:
    """The body of one deployable.

    :raises NotFound: there is none
    """
    bodies = call.database.read(lambda connection: _bodies(connection, call, [deployables.get(connection, uuid)]))
    if not bodies:
        raise NotFound("deployable", uuid)
    return bodies[0]


def _bodies(connection: Connection, call: Call, rows: list[DeployableRow]) -> list[dict[str, Any]]:
    bodies = [views.render(row, base_url=call.base_url) for row in rows]
    if not call.says_more:
        return bodies
    places = deployables.places_of(connection, rows)
    handles = deployables.handles_of(connection, rows)
    return [
        body | views.render_more(row, places[row.id], handles.get(row.id, ()))
        for row, body in zip(rows, bodies, strict=True)
        if row.id in places  # a conductor may have removed it since the first statement
    ]
