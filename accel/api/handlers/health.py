"""The health of devices: list, show."""

from typing import Any

from accel.api.call import Call
from accel.api.views import collection
from accel.api.views import health as views
from accel.db import health


def index(call: Call) -> dict[str, Any]:
    """The health of all devices that the query wants."""
    page = call.database.read(lambda connection: health.find(connection, call.list_query))
    return collection.render(call, "health", page, [views.render(row) for row in page.rows])


def show(call: Call) -> dict[str, Any]:
    """The health of one device."""
    return views.render(call.database.read(lambda connection: health.get(connection, call.arguments["uuid"])))
