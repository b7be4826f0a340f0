"""The signals of a device's health as one text in its row.

They are written together and read together, and there are a few of each device: a table of them would have millions of
rows, nearly all of which say that all is well. The text is JSON in one form only, so that SQL can look into it.
"""

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, false, func, or_

from accel.db.tables import Device
from accel.model.device import Health, Presence, Signal


def text_of(signals: Iterable[Signal]) -> str | None:
    """None for a device without signals."""
    known = [
        {
            "source": signal.source,
            "value": signal.value,
            "text": signal.text,
            "count": signal.count,
            "at": signal.at.isoformat(),
        }
        for signal in signals
    ]
    return json.dumps(known, separators=(",", ":")) if known else None


def signals_of(text: str | None) -> tuple[Signal, ...]:
    """The signals that a text has."""
    return tuple(_signal(**members) for members in json.loads(text or "[]"))


def _signal(*, value: str, at: str, **others: Any) -> Signal:
    return Signal(value=Health(value), at=datetime.fromisoformat(at), **others)


def has_source(source: str) -> ColumnElement[bool]:
    """Devices with a signal from a source."""
    return Device.signals_text.contains(f'"source":{json.dumps(source)}', autoescape=True)


def has_value(value: str) -> ColumnElement[bool]:
    """Devices with a signal of a value."""
    return Device.signals_text.contains(f'"value":{json.dumps(value)}', autoescape=True)


def complains_by_signal() -> ColumnElement[bool]:
    """Devices with a signal that does not say that all is well."""
    return func.coalesce(or_(has_value(Health.UNHEALTHY), has_value(Health.UNKNOWN)), false())


def complains() -> ColumnElement[bool]:
    """Devices that are not known to be well, or of which some signal is not."""
    return or_(Device.health != Health.HEALTHY, Device.presence != Presence.PRESENT, complains_by_signal())
