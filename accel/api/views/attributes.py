"""The body of an attribute."""

from typing import Any

from accel.db.attributes import AttributeRow


def render(row: AttributeRow, *, base_url: str) -> dict[str, Any]:
    """An attribute as every version shows it."""
    return {
        "uuid": row.uuid,
        "deployable_id": row.deployable_id,
        "key": row.key,
        "value": row.value,
        "created_at": row.created_at,
        "updated_at": row.updated_at,
        "links": [{"href": f"{base_url}/v2/attributes/{row.uuid}", "rel": "self"}],
    }
