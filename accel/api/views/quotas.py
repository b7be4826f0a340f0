"""The body of the quotas of a project."""

from typing import Any

from accel.db.quotas import ProjectQuotas


def render(row: ProjectQuotas) -> dict[str, Any]:
    """What a project may hold, and what it holds."""
    return {"project_id": row.project_id, "quotas": [quota._asdict() for quota in row.quotas]}
