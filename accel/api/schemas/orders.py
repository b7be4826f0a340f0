"""Schemas of what operators have done to devices."""

from accel.api.schemas.common import UUID, WITHOUT_NUL, Schema
from accel.model.job import JobKind

KINDS = (JobKind.RESET, JobKind.SCRUB, JobKind.BLANK, JobKind.SET_VFS)
"""What can be ordered by itself; what else there is belongs to a request, to an image or to a plan."""

MOST_VIRTUAL_FUNCTIONS = 65535
LONGEST_SECONDS = 86400

ORDER: Schema = {
    "type": "object",
    "properties": {
        "kind": {"enum": list(KINDS), "description": "What is to be done."},
        "device_uuid": UUID,
        "deployable_uuid": {**UUID, "description": "The part that is scrubbed or blanked; else left out."},
        "method": {
            "type": "string",
            "minLength": 1,
            "maxLength": 64,
            "pattern": WITHOUT_NUL,
            "description": "How it is scrubbed; else left out.",
        },
        "count": {
            "type": "integer",
            "minimum": 0,
            "maximum": MOST_VIRTUAL_FUNCTIONS,
            "description": "How many virtual functions there are to be; else left out.",
        },
        "time_limit_seconds": {
            "type": "integer",
            "minimum": 1,
            "maximum": LONGEST_SECONDS,
            "default": 600,
            "description": "How long it may take on the node; then it is ended by force.",
        },
    },
    "required": ["kind", "device_uuid"],
    "additionalProperties": False,
}
