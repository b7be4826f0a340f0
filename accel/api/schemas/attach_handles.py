"""Schemas of attach handles."""

from accel.api.schemas.common import (
    BOOLEAN,
    LINKS,
    MOMENT,
    MOMENT_OR_NULL,
    PAGING,
    STRINGS_BY_STRING,
    TEXT,
    TEXT_OR_NULL,
    UUID,
    UUID_OR_NULL,
    collection,
    members,
    query,
)

QUERY = query(
    {
        "device_uuid": TEXT,
        "deployable_uuid": TEXT,
        **dict.fromkeys(("node", "type", "presence"), TEXT),
        "is_held": {**BOOLEAN, "description": "Whether somebody has it."},
        "is_free": {**BOOLEAN, "description": "Whether it could be handed out now."},
        "ref": {
            **TEXT,
            "description": "What a person calls it, or its device: the first four characters of a uuid or more, its "
            "PCI address or node/address, the MIG uuid or the path that it stands for; the name of its deployable; "
            "identity or serial number of its device.",
        },
        **PAGING,
    }
)
_HOLDER = {
    **members(
        {
            "uuid": UUID_OR_NULL,
            "kind": TEXT,
            "name": TEXT_OR_NULL,
            "project_id": TEXT_OR_NULL,
            "request_uuid": UUID_OR_NULL,
            "since": MOMENT_OR_NULL,
        }
    ),
    "type": ["object", "null"],
    "description": "Null: nobody has it. Of a holder of another project only the kind is shown.",
}
ATTACH_HANDLE = members(
    {
        "uuid": UUID,
        "type": TEXT,
        "info": STRINGS_BY_STRING,
        "presence": TEXT,
        "is_free": BOOLEAN,
        "why_not": {
            **TEXT_OR_NULL,
            "description": "What keeps it from being given to anybody, beside its holder; null: nothing.",
        },
        "device_uuid": UUID,
        "deployable_uuid": UUID,
        "deployable_name": TEXT,
        "node": TEXT,
        "holder": _HOLDER,
        "created_at": MOMENT,
        "updated_at": MOMENT_OR_NULL,
        "links": LINKS,
    }
)
ATTACH_HANDLES = collection("attach_handles", ATTACH_HANDLE)
