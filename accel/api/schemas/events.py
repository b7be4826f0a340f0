"""Schemas of events."""

from accel.api.schemas.common import MOMENT, PAGING, TEXT, TEXT_OR_NULL, UUID, UUID_OR_NULL, collection, members, query

_OBJECT_OR_NULL = {"type": ["object", "null"]}

QUERY = query(
    {
        "device": {**TEXT, "description": "The uuid of the device."},
        "node": TEXT,
        "kind": TEXT,
        "subject": {**TEXT, "description": "What changed: of an accelerator request, its uuid."},
        "project_id": TEXT,
        "since": {**MOMENT, "description": "Events at this moment and after."},
        "until": {**MOMENT, "description": "Events before this moment."},
        **{name: schema for name, schema in PAGING.items() if name != "sort_key"},
    }
)
EVENT = members(
    {
        "uuid": UUID,
        "kind": TEXT,
        "node": TEXT_OR_NULL,
        "device_uuid": UUID_OR_NULL,
        "subject": TEXT,
        "before": _OBJECT_OR_NULL,
        "after": _OBJECT_OR_NULL,
        "source": TEXT,
        "request_id": TEXT_OR_NULL,
        "project_id": {**TEXT_OR_NULL, "description": "The project whose affair it is; null: nobody's alone."},
        "occurred_at": MOMENT,
    }
)
EVENTS = collection("events", EVENT)
