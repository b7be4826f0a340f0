"""Schemas of nodes."""

from accel.api.schemas.common import (
    BOOLEAN,
    COUNT,
    HANDLE_COUNTS,
    INTEGER_OR_NULL,
    LINKS,
    MOMENT,
    MOMENT_OR_NULL,
    PAGING,
    STRINGS_BY_STRING,
    TEXT,
    TEXT_OR_NULL,
    UUID,
    collection,
    list_of,
    members,
    query,
)

QUERY = query(
    {**dict.fromkeys(("name", "state", "rack"), TEXT), **PAGING},
    patterns={r"label\.[A-Za-z0-9._/-]{1,255}": {**TEXT, "description": "The value of a label of the node."}},
)
_DRIVER = members(
    {"driver": TEXT, "ok": BOOLEAN, "kind": TEXT_OR_NULL, "message": TEXT, "hint": TEXT, "changed_at": MOMENT}
)
_COUNTS = members(
    {"devices": COUNT, **HANDLE_COUNTS, **dict.fromkeys(("unhealthy", "unknown", "lost", "disabled"), COUNT)}
)
NODE = members(
    {
        "uuid": UUID,
        "name": TEXT,
        "state": TEXT,
        "agent_version": TEXT,
        "kernel": TEXT,
        "rack": TEXT,
        "labels": STRINGS_BY_STRING,
        "last_heartbeat_at": MOMENT,
        "drivers": list_of(_DRIVER),
        "counts": _COUNTS,
        "links": LINKS,
        "created_at": MOMENT,
        "updated_at": MOMENT_OR_NULL,
    }
)
NODES = collection("nodes", NODE)
_NUMA = members({"id": COUNT, "cpus": TEXT, "memory_bytes": INTEGER_OR_NULL})
_PLACED = members(
    {
        "uuid": UUID,
        "name": TEXT,
        "type": TEXT,
        "model": TEXT,
        "address": TEXT_OR_NULL,
        "numa_node": INTEGER_OR_NULL,
        "cpus": TEXT_OR_NULL,
    }
)
TOPOLOGY = members(
    {
        "node": TEXT,
        "numa": list_of(_NUMA),
        "devices": list_of(_PLACED),
        "matrix": list_of(list_of(TEXT)),
        "legend": STRINGS_BY_STRING,
    }
)
