"""The body of an accelerator request."""

from typing import Any

from accel.api.microversion import SAYS_MORE, Version
from accel.db.requests import RequestRow


def render(row: RequestRow, *, version: Version, base_url: str) -> dict[str, Any]:
    """A request as a version shows it. What is not bound has an empty type and no info: Nova reads both unasked."""
    body: dict[str, Any] = {
        "uuid": row.uuid,
        "state": row.state,
        "device_profile_name": row.profile_name,
        "device_profile_group_id": row.group_index,
        "hostname": row.hostname,
        "device_rp_uuid": row.device_rp_uuid,
        "instance_uuid": row.instance_uuid,
        "project_id": row.project_id,
        "attach_handle_type": row.handle_type or "",
        "attach_handle_uuid": row.handle_uuid,
        "attach_handle_info": row.handle_info or {},
    }
    if version >= SAYS_MORE:
        body |= {"resource_class": row.resource_class, "reason": row.reason, "group": row.group}
        body["claim_uuid"] = row.claim_uuid
    body["links"] = [{"href": f"{base_url}/v2/accelerator_requests/{row.uuid}", "rel": "self"}]
    body["created_at"] = row.created_at
    body["updated_at"] = row.updated_at
    return body
