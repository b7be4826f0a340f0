"""Nodes: list, show, topology."""

from dataclasses import replace
from typing import Any

from accel.api.call import Call
from accel.api.views import collection
from accel.api.views import nodes as views
from accel.db import nodes
from accel.db.counts import HandleCounts
from accel.db.engine import Connection
from accel.db.nodes import NodeRow
from accel.db.paging import ListQuery
from accel.db.summary import DeviceCounts

_LABEL = "label."


def index(call: Call) -> dict[str, Any]:
    """All nodes that the query wants."""

    def read(connection: Connection) -> Any:
        page = nodes.find(connection, _list_query(call))
        return page, _bodies(connection, call, page.rows)

    page, bodies = call.database.read(read)
    return collection.render(call, "nodes", page, bodies)


def show(call: Call) -> dict[str, Any]:
    """One node."""
    return call.database.read(
        lambda connection: _bodies(connection, call, [nodes.get(connection, call.arguments["node"])])[0]
    )


def topology(call: Call) -> dict[str, Any]:
    """Where the devices of a node sit."""

    def read(connection: Connection) -> Any:
        row = nodes.get(connection, call.arguments["node"])
        return row, nodes.values_of_devices(connection, row)

    return views.render_topology(*call.database.read(read))


def _list_query(call: Call) -> ListQuery:
    """The query, with ``label.<key>=<value>`` as the filter ``label``."""
    query = call.list_query
    filters = [
        ("label", (name.removeprefix(_LABEL), value)) if name.startswith(_LABEL) else (name, value)
        for name, value in query.filters
    ]
    return replace(query, filters=filters)


def _bodies(connection: Connection, call: Call, rows: list[NodeRow]) -> list[dict[str, Any]]:
    drivers = nodes.drivers_of(connection, rows)
    devices = nodes.devices_of(connection, rows)
    handles = nodes.handles_of(connection, rows)
    return [
        views.render(
            row,
            drivers.get(row.id, ()),
            devices.get(row.id, DeviceCounts()),
            handles.get(row.id, HandleCounts()),
            base_url=call.base_url,
        )
        for row in rows
    ]
