"""Deployables: list, show, program."""

from typing import Any, NoReturn

from accel.api.call import Call
from accel.api.uuids import checked_uuid
from accel.api.views import collection
from accel.api.views import deployables as views
from accel.db import deployables
from accel.db.deployables import DeployableRow
from accel.db.engine import Connection
from accel.errors import Conflict


def index(call: Call) -> dict[str, Any]:
    """All deployables that the query wants."""

    def read(connection: Connection) -> Any:
        page = deployables.find(connection, call.list_query)
        return page, _bodies(connection, call, page.rows)

    page, bodies = call.database.read(read)
    return collection.render(call, "deployables", page, bodies)


def show(call: Call) -> dict[str, Any]:
    """One deployable."""
    uuid = checked_uuid("uuid", call.arguments["uuid"])
    return call.database.read(lambda connection: _bodies(connection, call, [deployables.get(connection, uuid)])[0])


def program(call: Call) -> NoReturn:
    """Load an image into a deployable.

    :raises Conflict: always, for a deployable that there is: its driver cannot
    """
    uuid = checked_uuid("uuid", call.arguments["uuid"])
    row = call.database.read(lambda connection: deployables.get(connection, uuid))
    raise Conflict(
        f"Deployable {row.uuid} cannot be programmed: its driver, {row.driver_name}, does not program devices"
    )


def _bodies(connection: Connection, call: Call, rows: list[DeployableRow]) -> list[dict[str, Any]]:
    attributes = deployables.attributes_of(connection, rows)
    bodies = [views.render(row, attributes.get(row.id, ()), base_url=call.base_url) for row in rows]
    if call.says_more:
        handles = deployables.handles_of(connection, rows)
        more = (views.render_more(row, attributes.get(row.id, ()), handles.get(row.id, ())) for row in rows)
        bodies = [{**body, **added} for body, added in zip(bodies, more, strict=True)]
    return bodies
