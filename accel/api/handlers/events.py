"""Events: list."""

from typing import Any

from accel.api.call import Call
from accel.api.views import collection
from accel.api.views import events as views
from accel.db import events


def index(call: Call) -> dict[str, Any]:
    """All events that the query wants, oldest first unless it says otherwise."""
    page = call.database.read(lambda connection: events.find(connection, call.list_query, scope=call.scope))
    return collection.render(call, "events", page, [views.render(row) for row in page.rows])
