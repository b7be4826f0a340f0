"""The body of a device profile."""

from datetime import UTC, datetime
from typing import Any

from accel.api.microversion import SAYS_MORE, Version
from accel.db.profiles import ProfileRow


def render(row: ProfileRow, *, version: Version, base_url: str) -> dict[str, Any]:
    """A device profile as a version shows it."""
    body: dict[str, Any] = {
        "uuid": row.uuid,
        "name": row.name,
        "description": row.description,
        "groups": row.groups,
    }
    if version >= SAYS_MORE:
        body |= {"version": row.version, "project_id": row.project_id, "is_public": row.is_public}
    body["created_at"] = row.created_at
    body["updated_at"] = row.updated_at
    body["links"] = [{"href": f"{base_url}/v2/device_profiles/{row.uuid}", "rel": "self"}]
    return body


def render_one(row: ProfileRow, *, version: Version, base_url: str) -> dict[str, Any]:
    """A device profile in the envelope in which it is shown alone. Before 2.4 its times have a form of their own."""
    body = render(row, version=version, base_url=base_url)
    if version < SAYS_MORE:
        body |= {name: str(_aware(body[name])) for name in ("created_at", "updated_at")}
    return {"device_profile": body}


def _aware(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.replace(tzinfo=UTC)
