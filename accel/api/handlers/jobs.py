"""Jobs: list, show, cancel; do again, and lift what one has left fenced."""

from typing import Any

from accel.api.call import Call
from accel.api.views import collection
from accel.api.views import jobs as views
from accel.db import image_orders, jobs
from accel.db.engine import Connection
from accel.db.jobs import JobRow


def index(call: Call) -> dict[str, Any]:
    """All jobs that the query wants."""

    def read(connection: Connection) -> Any:
        page = jobs.find(connection, call.list_query, scope=call.scope)
        return page, _bodies(connection, call, page.rows)

    page, bodies = call.database.read(read)
    return collection.render(call, "jobs", page, bodies)


def show(call: Call) -> dict[str, Any]:
    """One job."""
    return call.database.read(
        lambda connection: _body(connection, call, jobs.get(connection, call.arguments["uuid"], scope=call.scope))
    )


def cancel(call: Call) -> dict[str, Any]:
    """Cancel a job; one that has reached its node is cancelled when a conductor has told the node."""

    def change(connection: Connection) -> dict[str, Any]:
        row = jobs.cancel(connection, call.arguments["uuid"], scope=call.scope, origin=call.origin)
        return _body(connection, call, row)

    body = call.database.write(change)
    call.claiming.leave_to_conductors()
    return body


def retry(call: Call) -> dict[str, Any]:
    """Order once more what has failed; gives the new job."""

    def change(connection: Connection) -> dict[str, Any]:
        image_orders.check_again(connection, jobs.get(connection, call.arguments["uuid"], scope=call.scope).image)
        uuid = jobs.retry(connection, call.arguments["uuid"], scope=call.scope, origin=call.origin)
        return _body(connection, call, jobs.get(connection, uuid))

    body = call.database.write(change)
    call.claiming.leave_to_conductors()
    return body


def lift(call: Call) -> dict[str, Any]:
    """Offer again what a job has left fenced."""

    def change(connection: Connection) -> dict[str, Any]:
        uuid = call.arguments["uuid"]
        jobs.lift(connection, uuid, scope=call.scope, origin=call.origin)
        return _body(connection, call, jobs.get(connection, uuid))

    return call.database.write(change)


def _body(connection: Connection, call: Call, row: JobRow) -> dict[str, Any]:
    return _bodies(connection, call, [row])[0]


def _bodies(connection: Connection, call: Call, rows: list[JobRow]) -> list[dict[str, Any]]:
    fenced = jobs.fenced_by(connection, [row.uuid for row in rows])
    return [views.render(row, fenced[row.uuid], base_url=call.base_url) for row in rows]
