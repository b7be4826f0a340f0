"""Schemas of deployables."""

from accel.api.schemas.common import (
    BOOLEAN,
    COUNT,
    INTEGER_OR_NULL,
    LINKS,
    MOMENT,
    MOMENT_OR_NULL,
    PAGING,
    STRINGS_BY_STRING,
    TEXT,
    UUID,
    UUID_OR_NULL,
    Schema,
    collection,
    list_of,
    members,
    query,
)
from accel.api.schemas.jobs import JOB

QUERY = query(
    {
        **dict.fromkeys(("name", "node", "kind", "presence", "driver_name"), TEXT),
        "device": {**TEXT, "description": "The uuid of the device."},
        "rc": {**TEXT, "description": "The resource class: the value of the attribute rc."},
        "rp_uuid": {**TEXT, "description": "The uuid of its provider in OpenStack Placement."},
        "ref": {
            **TEXT,
            "description": "What a person calls it: the first four characters of its uuid or more, or its name.",
        },
        **PAGING,
    }
)
_HANDLE = members({"uuid": UUID, "type": TEXT, "info": STRINGS_BY_STRING, "presence": TEXT, "held": BOOLEAN})
_FROM_2_4 = {
    "kind": TEXT,
    "device_uuid": UUID,
    "parent_uuid": UUID_OR_NULL,
    "root_uuid": UUID_OR_NULL,
    "node": TEXT,
    "presence": TEXT,
    "attributes": {"type": "object", "additionalProperties": {"type": ["string", "array"], "items": TEXT}},
    "handles": list_of(_HANDLE),
}
DEPLOYABLE = members(
    {
        "uuid": UUID,
        "parent_id": INTEGER_OR_NULL,
        "root_id": INTEGER_OR_NULL,
        "name": TEXT,
        "num_accelerators": COUNT,
        "device_id": COUNT,
        "attributes_list": {**TEXT, "contentMediaType": "application/json"},
        "rp_uuid": UUID_OR_NULL,
        "driver_name": TEXT,
        "bitstream_id": UUID_OR_NULL,
        **_FROM_2_4,
        "links": LINKS,
        "created_at": MOMENT,
        "updated_at": MOMENT_OR_NULL,
    },
    optional=_FROM_2_4,
)
DEPLOYABLES = collection("deployables", DEPLOYABLE)

_IMAGE = members({"image_uuid": {**UUID, "pattern": "^[0-9a-fA-F]{8}(-?[0-9a-fA-F]{4}){3}-?[0-9a-fA-F]{12}$"}})
_PATCH = {
    "type": "object",
    "properties": {
        "path": {
            "type": "string",
            "pattern": r"^(/[\w-]+)+$",
            "not": {
                "enum": [
                    *("/created_at", "/id", "/links", "/updated_at", "/uuid"),
                    *("/name", "/num_accelerators"),
                ]
            },
        },
        "op": {"enum": ["add", "replace", "remove"]},
        "value": {},
    },
    "required": ["path", "op"],
    "if": {"properties": {"op": {"enum": ["add", "replace"]}}},
    "then": {"required": ["value"]},
}
_FIRST_PATCH = {"required": ["value"], "properties": {"value": {**list_of(_IMAGE), "minItems": 1}}}
PROGRAM = {
    "type": "array",
    "minItems": 1,
    "prefixItems": [{"allOf": [_PATCH, _FIRST_PATCH]}],
    "items": _PATCH,
    "description": "A JSON patch, of which the first element counts.",
    "examples": [
        [{"path": "/program", "op": "replace", "value": [{"image_uuid": "9a17439a-85d0-4c53-a3d3-0f68a2eac896"}]}]
    ],
}
PROGRAM_QUERY = query(
    {
        "wait": {
            **BOOLEAN,
            "description": "From 2.4: whether to wait for the end; otherwise the answer is 202 with the job.",
        }
    }
)
PROGRAMMED: Schema = {"anyOf": [DEPLOYABLE, JOB]}
