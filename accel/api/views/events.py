"""The body of an event."""

from typing import Any

from accel.db.events import EventRow


def render(row: EventRow) -> dict[str, Any]:
    """An event: what changed, before and after, when and by whom."""
    return row._asdict()
