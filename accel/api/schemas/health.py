"""Schemas of the health of devices."""

from accel.api.schemas.common import (
    BOOLEAN,
    INTEGER_OR_NULL,
    MOMENT,
    MOMENT_OR_NULL,
    PAGING,
    TEXT,
    TEXT_OR_NULL,
    UUID,
    collection,
    list_of,
    members,
    query,
)
from accel.model.device import Health
from accel.model.health import SOURCE

_HEALTH = {"enum": [str(health) for health in Health]}

QUERY = query(
    {
        "node": TEXT,
        "type": TEXT,
        "health": {**_HEALTH, "description": "What follows for the device."},
        "source": {
            "type": "string",
            "maxLength": 64,
            "pattern": f"^{SOURCE.pattern}$",
            "description": "Devices with a signal from this source: pcie.aer, temperature.",
        },
        "value": {**_HEALTH, "description": "Devices with a signal of this value."},
        "complaints": {
            **BOOLEAN,
            "description": "True: devices that are not known to be well, or of which a signal is not.",
        },
        **PAGING,
    }
)
_SIGNAL = members({"source": TEXT, "value": _HEALTH, "text": TEXT, "count": INTEGER_OR_NULL, "at": MOMENT})
ONE = members(
    {
        "uuid": {**UUID, "description": "The device's."},
        "node": TEXT,
        "address": TEXT_OR_NULL,
        "type": TEXT,
        "model": TEXT,
        "driver": TEXT,
        "presence": TEXT,
        "health": _HEALTH,
        "reason": TEXT,
        "lost_at": MOMENT_OR_NULL,
        "signals": list_of(_SIGNAL),
    }
)
HEALTH = collection("health", ONE)
