"""The body of a device."""

from collections.abc import Mapping
from typing import Any

from accel.api.microversion import Version
from accel.db.counts import HandleCounts
from accel.db.devices import BriefRow, DeviceRow

SHOWS_STATUS = Version(2, 3)

_NO_HANDLES = HandleCounts()


def render(
    row: BriefRow | DeviceRow, *, version: Version, base_url: str, more: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """A device as a version shows it.

    :param more: what ``more`` gives, for the versions that say it
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
    if more is not None:
        body |= more
    body["links"] = [{"href": f"{base_url}/v2/devices/{row.uuid}", "rel": "self"}]
    body["created_at"] = row.created_at
    body["updated_at"] = row.updated_at
    return body


def more(row: DeviceRow, counts: HandleCounts | None) -> dict[str, Any]:
    """What 2.4 says beside it.

    :param counts: of its attach handles; None where it has none
    """
    counts = counts or _NO_HANDLES
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
