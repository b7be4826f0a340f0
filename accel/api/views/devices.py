"""The body of a device."""

from typing import Any

from accel.api.microversion import SAYS_MORE, Version
from accel.db.counts import HandleCounts
from accel.db.devices import DeviceRow

SHOWS_STATUS = Version(2, 3)

_NO_HANDLES = HandleCounts()


def render(row: DeviceRow, counts: HandleCounts | None, *, version: Version, base_url: str) -> dict[str, Any]:
    """A device as a version shows it.

    :param counts: of its attach handles; None where it has none
    """
    body: dict[str, Any] = {
        "uuid": row.uuid,
        "type": row.type,
        "vendor": row.vendor,
        "model": row.model,
        "std_board_info": row.std_board_info,
        "vendor_board_info": row.vendor_board_info,
        "hostname": row.node,
    }
    if version >= SHOWS_STATUS:
        body["status"] = row.status
    if version >= SAYS_MORE:
        body |= _more(row, counts or _NO_HANDLES)
    body["links"] = [{"href": f"{base_url}/v2/devices/{row.uuid}", "rel": "self"}]
    body["created_at"] = row.created_at
    body["updated_at"] = row.updated_at
    return body


def _more(row: DeviceRow, counts: HandleCounts) -> dict[str, Any]:
    return {
        "node": row.node,
        "address": row.address,
        "identity": row.identity,
        "serial": row.serial,
        "product": row.product,
        "driver": row.driver,
        "kernel_driver": row.kernel_driver,
        "numa_node": row.numa_node,
        "presence": row.presence,
        "health": row.health,
        "reason": row.reason,
        "lost_at": row.lost_at,
        "counts": {"total": counts.total, "free": counts.free, "held": counts.held},
    }
