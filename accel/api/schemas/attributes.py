"""Schemas of attributes."""

from accel.api.schemas.common import (
    INTEGER,
    LINKS,
    MAX_INTEGER,
    MOMENT,
    MOMENT_OR_NULL,
    PAGING,
    TEXT,
    UUID,
    WITHOUT_NUL,
    collection,
    members,
    query,
)

QUERY = query({"deployable_id": INTEGER, "key": TEXT, "value": TEXT, **PAGING})
ATTRIBUTE = members(
    {
        "uuid": UUID,
        "deployable_id": INTEGER,
        "key": TEXT,
        "value": TEXT,
        "created_at": MOMENT,
        "updated_at": MOMENT_OR_NULL,
        "links": LINKS,
    }
)
ATTRIBUTES = collection("attributes", ATTRIBUTE)

_NEW = members(
    {
        "deployable_id": {
            "type": ["integer", "string"],
            "minimum": 1,
            "maximum": MAX_INTEGER,
            "pattern": "^([0-9]{1,10}|[0-9a-fA-F-]{32,36})$",
            "description": "The integer id of the deployable, or its uuid.",
        },
        "key": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": WITHOUT_NUL},
        "value": {"type": "string", "maxLength": 65535, "pattern": WITHOUT_NUL},
    }
)
CREATE = {
    "if": {"type": "object", "required": ["attribute"]},
    "then": members({"attribute": _NEW}),
    "else": _NEW,
    "description": "The attribute, bare or in an envelope.",
    "examples": [
        {"deployable_id": "20000000-0000-4000-8000-000000000004", "key": "rc", "value": "GPU"},
        {"attribute": {"deployable_id": 4, "key": "trait0", "value": "CUSTOM_TESTED"}},
    ],
}
