"""Attach handles: list, show."""

from typing import Any

from accel.api.call import Call
from accel.api.uuids import checked_uuid
from accel.api.views import attach_handles as views
from accel.api.views import collection
from accel.db import handles
from accel.db.handles import HandleRow


def index(call: Call) -> dict[str, Any]:
    """All attach handles that the query wants, with who has them."""
    page = call.database.read(lambda connection: handles.find(connection, call.list_query))
    return collection.render(call, "attach_handles", page, [_body(call, row) for row in page.rows])


def show(call: Call) -> dict[str, Any]:
    """One attach handle."""
    uuid = checked_uuid("uuid", call.arguments["uuid"])
    return _body(call, call.database.read(lambda connection: handles.get(connection, uuid)))


def _body(call: Call, row: HandleRow) -> dict[str, Any]:
    return views.render(row, scope=call.scope, base_url=call.base_url)
