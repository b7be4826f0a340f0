"""Devices: list, show, enable, disable."""

from typing import Any

from accel.api.call import Call
from accel.api.views import collection
from accel.api.views import devices as views
from accel.db import devices
from accel.db.devices import DeviceRow
from accel.db.engine import Connection
from accel.model.node import DeviceStatus


def index(call: Call) -> dict[str, Any]:
    """All devices that the query wants."""

    def read(connection: Connection) -> Any:
        if not call.says_more:
            brief = devices.find_brief(connection, call.list_query)
            return brief, [views.render(row, version=call.version, base_url=call.base_url) for row in brief.rows]
        page = devices.find(connection, call.list_query)
        return page, _whole(connection, call, page.rows)

    page, bodies = call.database.read(read)
    return collection.render(call, "devices", page, bodies)


def show(call: Call) -> dict[str, Any]:
    """One device."""

    def read(connection: Connection) -> dict[str, Any]:
        row = devices.get(connection, call.arguments["uuid"])
        if not call.says_more:
            return views.render(row, version=call.version, base_url=call.base_url)
        return _whole(connection, call, [row])[0]

    return call.database.read(read)


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


def _whole(connection: Connection, call: Call, rows: list[DeviceRow]) -> list[dict[str, Any]]:
    counts = devices.handles_of(connection, rows)
    return [
        views.render(row, version=call.version, base_url=call.base_url, more=views.more(row, counts.get(row.id)))
        for row in rows
    ]
