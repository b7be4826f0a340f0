"""Schemas of jobs."""

from accel.api.schemas.common import (
    BOOLEAN,
    COUNT,
    LINKS,
    MOMENT,
    MOMENT_OR_NULL,
    PAGING,
    STRINGS_BY_STRING,
    TEXT,
    TEXT_OR_NULL,
    UUID,
    UUID_OR_NULL,
    Schema,
    collection,
    members,
    query,
)
from accel.model.job import JobKind, JobState

QUERY = query(
    {
        "kind": {"enum": [*JobKind], "description": "What is done."},
        "state": {"enum": [*JobState]},
        "node": TEXT,
        "device": {**TEXT, "description": "The uuid of the device."},
        "request": {**TEXT, "description": "The uuid of the accelerator request that is served."},
        "project_id": TEXT,
        "ref": {**TEXT, "description": "A uuid, or how it begins."},
        **PAGING,
    }
)
_IMAGE: Schema = members({"name": TEXT, "digest": TEXT, "size": COUNT})
JOB = members(
    {
        "uuid": UUID,
        "kind": {"enum": [*JobKind]},
        "state": {"enum": [*JobState]},
        "node": TEXT,
        "device_uuid": UUID,
        "deployable_uuid": UUID_OR_NULL,
        "deployable_name": TEXT_OR_NULL,
        "attach_handle_uuid": UUID_OR_NULL,
        "accelerator_request": {**UUID_OR_NULL, "description": "The request that it serves."},
        "project_id": {**TEXT_OR_NULL, "description": "The project whose affair it is; null: the operators'."},
        "arguments": STRINGS_BY_STRING,
        "image": {"anyOf": [_IMAGE, {"type": "null"}]},
        "message": {**TEXT, "description": "What it is at, or what it waits for."},
        "fraction": {"type": ["number", "null"], "description": "How much is done, 0 to 1; null: unknown."},
        "error": {"anyOf": [members({"code": TEXT, "text": TEXT}), {"type": "null"}]},
        "is_state_unknown": {**BOOLEAN, "description": "Whether nobody knew what the device was like at its end."},
        "is_cancel_wanted": {**BOOLEAN, "description": "Whether somebody wants it cancelled, or has had it."},
        "cancelled_by": {
            **TEXT_OR_NULL,
            "description": "Who that is: a service, and the user; null where it came to its end.",
        },
        "must_go_on": {**TEXT, "description": "Why it cannot be cancelled now; empty: it can."},
        "fenced": {**COUNT, "description": "How many attach handles nobody gets because of it."},
        "time_limit_seconds": {"type": "number"},
        "deadline_at": {**MOMENT, "description": "It is not begun any more from then on."},
        "created_at": MOMENT,
        "started_at": MOMENT_OR_NULL,
        "finished_at": MOMENT_OR_NULL,
        "links": LINKS,
    }
)
JOBS = collection("jobs", JOB)
