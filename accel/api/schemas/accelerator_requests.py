"""Schemas of accelerator requests."""

from accel.api.schemas.common import (
    INTEGER,
    LINKS,
    MOMENT,
    MOMENT_OR_NULL,
    PAGING,
    STRINGS_BY_STRING,
    TEXT,
    TEXT_OR_NULL,
    UUID,
    UUID_OR_NULL,
    WITHOUT_NUL,
    Schema,
    collection,
    list_of,
    members,
    query,
)
from accel.model.request import RequestState

_SOME_TEXT: Schema = {"type": "string", "maxLength": 255, "pattern": WITHOUT_NUL}
_MOST_CHANGED = 1024

QUERY = query(
    {
        "instance": {**TEXT, "description": "The uuid of the instance that they are bound for."},
        "bind_state": {
            "enum": ["resolved"],
            "description": "Only those that nobody waits for any more. With instance, 423 as long as there are others.",
        },
        "state": {"enum": [str(state) for state in RequestState]},
        "project_id": TEXT,
        "hostname": TEXT,
        "device_profile_name": TEXT,
        "claim": {**TEXT, "description": "The uuid of the claim of placement that they belong to."},
        "ref": {**TEXT, "description": "What a person calls it: an instance, or the first four characters of a uuid."},
        **PAGING,
    }
)
DELETE_QUERY = query(
    {
        "arqs": {"type": "string", "maxLength": 65535, "description": "Uuids, separated by commas."},
        "instance": {**TEXT, "description": "The uuid of the instance whose requests are deleted."},
    }
)

_FROM_2_4 = {"resource_class": TEXT, "reason": TEXT, "group": STRINGS_BY_STRING, "claim_uuid": UUID_OR_NULL}
REQUEST = members(
    {
        "uuid": UUID,
        "state": {"enum": [str(state) for state in RequestState]},
        "device_profile_name": TEXT,
        "device_profile_group_id": INTEGER,
        "hostname": TEXT_OR_NULL,
        "device_rp_uuid": TEXT_OR_NULL,
        "instance_uuid": TEXT_OR_NULL,
        "project_id": TEXT,
        "attach_handle_type": {**TEXT, "description": "Empty where there is none."},
        "attach_handle_uuid": UUID_OR_NULL,
        "attach_handle_info": STRINGS_BY_STRING,
        **_FROM_2_4,
        "links": LINKS,
        "created_at": MOMENT,
        "updated_at": MOMENT_OR_NULL,
    },
    optional=_FROM_2_4,
)
REQUESTS = collection("arqs", REQUEST)
MADE = members({"arqs": list_of(REQUEST)})

CREATE: Schema = {
    **members(
        {
            "device_profile_name": {
                "type": ["string", "array"],
                "pattern": WITHOUT_NUL,
                "items": {**TEXT, "pattern": WITHOUT_NUL},
                "minItems": 1,
                "maxItems": 1,
                "description": "A name; before 2.4 also a list of one.",
            }
        }
    ),
    "examples": [{"device_profile_name": "gold"}],
}

_OPERATION: Schema = {
    **members({"path": _SOME_TEXT, "op": _SOME_TEXT, "value": {}}, optional=["value"]),
    "description": "add one of hostname, device_rp_uuid, instance_uuid and, from 2.1, project_id; or remove one.",
}
CHANGES: Schema = {
    "type": "object",
    "propertyNames": {"pattern": WITHOUT_NUL},
    "additionalProperties": {**list_of(_OPERATION), "minItems": 1, "maxItems": 100},
    "minProperties": 1,
    "maxProperties": _MOST_CHANGED,
    "description": "By uuid: what is to be added to bind a request, or removed to unbind it.",
    "examples": [
        {
            "89ecd2f8-6c2e-4d9c-9a3f-0e9c1c3a0001": [
                {"path": "/hostname", "op": "add", "value": "node1"},
                {"path": "/device_rp_uuid", "op": "add", "value": "89ecd2f8-6c2e-4d9c-9a3f-0e9c1c3a0002"},
                {"path": "/instance_uuid", "op": "add", "value": "89ecd2f8-6c2e-4d9c-9a3f-0e9c1c3a0003"},
            ]
        }
    ],
}
