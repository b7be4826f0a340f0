"""The fleet in figures."""

from typing import Any

from accel.api.call import Call
from accel.api.refusals import BadRequest
from accel.api.views import summary as views
from accel.db import summary
from accel.db.engine import Connection


def show(call: Call) -> dict[str, Any]:
    """Devices and attach handles in groups, who holds them, nodes by state.

    :raises BadRequest: there is no such group, or it is named twice
    """
    names = dict(call.query).get("group", ",".join(summary.GROUPS)).split(",")
    if len(set(names)) < len(names) or not summary.GROUPS.keys() >= set(names):
        raise BadRequest(f"group: {','.join(names)[:100]!r} is no list of some of {', '.join(summary.GROUPS)}")

    def read(connection: Connection) -> Any:
        return summary.groups(connection, names), summary.holdings(connection), summary.nodes_by_state(connection)

    return views.render(names, *call.database.read(read))
