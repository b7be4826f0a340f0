"""The body of an attach handle."""

from typing import Any

from accel.db.handles import HandleRow, HolderRow
from accel.db.scope import Scope


def render(row: HandleRow, *, scope: Scope, base_url: str) -> dict[str, Any]:
    """An attach handle and who has it.

    :param scope: what the caller may know of holders: of those of other projects only what kind of thing they are
    """
    obstacles = list(row.obstacles())
    return {
        "uuid": row.uuid,
        "type": row.type,
        "info": row.info,
        "presence": row.presence,
        "is_free": row.holder is None and not obstacles,
        "why_not": "; ".join(obstacles) or None,
        "device_uuid": row.place.device_uuid,
        "deployable_uuid": row.deployable_uuid,
        "deployable_name": row.place.name,
        "node": row.place.node,
        "holder": None if row.holder is None else _holder(row.holder, scope),
        "created_at": row.created_at,
        "updated_at": row.updated_at,
        "links": [{"href": f"{base_url}/v2/attach_handles/{row.uuid}", "rel": "self"}],
    }


def _holder(holder: HolderRow, scope: Scope) -> dict[str, Any]:
    told = holder._asdict()
    if not scope.knows(holder.project_id):
        told = dict.fromkeys(told) | {"kind": holder.kind}
    return told
