"""The body of a job."""

from typing import Any

from accel.db.jobs import JobRow

_OF_IMAGE = ("name", "digest", "size")


def render(row: JobRow, fenced: int, *, base_url: str) -> dict[str, Any]:
    """A job: what is done to what, and how it goes.

    :param fenced: how many attach handles it fences
    """
    return {
        "uuid": row.uuid,
        "kind": row.kind,
        "state": row.state,
        "node": row.node,
        "device_uuid": row.device_uuid,
        "deployable_uuid": row.deployable_uuid,
        "deployable_name": row.deployable,
        "attach_handle_uuid": row.handle["uuid"] if row.handle is not None else None,
        "accelerator_request": row.request_uuid,
        "project_id": row.project_id,
        "arguments": row.arguments,
        "image": {name: row.image[name] for name in _OF_IMAGE} if row.image is not None else None,
        "message": row.message,
        "fraction": row.fraction,
        "error": {"code": row.error_code, "text": row.error_text} if row.error_code else None,
        "is_state_unknown": row.is_state_unknown,
        "is_cancel_wanted": row.is_cancel_wanted,
        "cancelled_by": row.cancelled_by,
        "must_go_on": row.must_go_on,
        "fenced": fenced,
        "time_limit_seconds": row.time_limit_seconds,
        "deadline_at": row.deadline_at,
        "created_at": row.created_at,
        "started_at": row.started_at,
        "finished_at": row.finished_at,
        "links": [{"href": f"{base_url}/v2/jobs/{row.uuid}", "rel": "self"}],
    }
