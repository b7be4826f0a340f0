"""Devices: list, show, enable, disable."""

from typing import Any

from accel.api.call import Call
from accel.api.views import collection
from accel.api.views import devices as views
from accel.db import devices
from accel.db.engine import Connection
from accel.model.node import DeviceStatus


def index(call: Call) -> dict[str, Any]:
    """All devices that the query wants."""

    def read(connection: Connection) -> Any:
        page = devices.find(connection, call.list_query)
        return page, devices.handles_of(connection, page.rows) if call.says_more else {}

    page, counts = call.database.read(read)
    bodies = [views.render(row, counts.get(row.id), version=call.version, base_url=call.base_url) for row in page.rows]
    return collection.render(call, "devices", page, bodies)


def show(call: Call) -> dict[str, Any]:
    """One device."""

    def read(connection: Connection) -> Any:
        row = devices.get(connection, call.arguments["uuid"])
        return row, devices.handles_of(connection, [row]) if call.says_more else {}

    row, counts = call.database.read(read)
    return views.render(row, counts.get(row.id), version=call.version, base_url=call.base_url)


def enable(call: Call) -> None:
    """Let the device be offered again."""
    _set_status(call, DeviceStatus.ENABLED)


def disable(call: Call) -> None:
    """Offer the device to nobody new; who has it keeps it."""
    _set_status(call, DeviceStatus.MAINTAINING)


def _set_status(call: Call, status: DeviceStatus) -> None:
    call.database.write(
        lambda connection: devices.set_status(connection, call.arguments["uuid"], status, origin=call.origin)
    )
