"""The body of a device's health."""

from typing import Any

import orjson

from accel.db.health import HealthRow


def render(row: HealthRow) -> dict[str, Any]:
    """What is known of a device's fitness, and what followed from it."""
    body = row._asdict()
    return body | {"signals": orjson.loads(body.pop("signals_text") or "[]")}
