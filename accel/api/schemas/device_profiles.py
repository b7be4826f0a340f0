"""Schemas of device profiles.

What traits and resource classes there are is not said here but in ``accel.model``, by version.
"""

from accel.api.schemas.common import (
    BOOLEAN,
    INTEGER,
    LINKS,
    MAX_INTEGER,
    MOMENT,
    MOMENT_OR_NULL,
    PAGING,
    STRINGS_BY_STRING,
    TEXT,
    TEXT_OR_NULL,
    UUID,
    WITHOUT_NUL,
    Schema,
    collection,
    list_of,
    members,
    query,
)
from accel.placement.reading import ANY_OF, NEAR, WHERE
from accel.placement.wanted import Nearness

_LONGEST = 65535
_NAMES: Schema = {**TEXT, "minLength": 0, "maxLength": _LONGEST}
_UUID_TEXT: Schema = {"type": "string", "pattern": "^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$"}
_NAME: Schema = {"type": ["string", "null"], "description": "Letters, digits, _ and -, 255 at most; needed."}
_PROJECT: Schema = {"type": ["string", "null"], "minLength": 1, "maxLength": 255, "pattern": WITHOUT_NUL}
_SOME_TEXT: Schema = {"maxLength": _LONGEST, "pattern": WITHOUT_NUL}
_VERSION: Schema = {
    "type": "integer",
    "minimum": 1,
    "maximum": MAX_INTEGER,
    "description": "The version that was read: the change is refused when there is a newer one.",
}
_GROUPS: Schema = {
    "type": ["array", "null"],
    "items": {
        "type": "object",
        "propertyNames": _SOME_TEXT,
        "additionalProperties": {"type": ["string", "integer"], **_SOME_TEXT},
    },
    "description": "What each accelerator must be: resources:<class> and how many, trait:<name> and required or "
    "forbidden, accel:<property> and its value; one group at least.",
}

_PROPERTIES = {
    "accel:bitstream_id": {**_UUID_TEXT, "description": "The image to load before the device is used."},
    "accel:function_id": {**_UUID_TEXT, "description": "The function that the device must have."},
    "accel:function_name": {"type": "string", "minLength": 1, "maxLength": 255, "description": "Its name."},
    NEAR: {
        "enum": [str(near) for near in Nearness],
        "description": "How near to one another the accelerators of the group are.",
    },
    ANY_OF: {
        "type": "string",
        "maxLength": 4096,
        "pattern": "^ *[A-Z0-9_]+( *[,;] *[A-Z0-9_]+)* *$",
        "description": "Traits of which each has one at least, separated by commas; several such lists by semicolons.",
    },
    WHERE: {
        "type": "string",
        "minLength": 1,
        "maxLength": 4096,
        "pattern": WITHOUT_NUL,
        "description": "Comparisons, separated by commas, that hold for each: memory >= 40GiB, model ~ H100.",
    },
}
PROPERTIES: Schema = {"type": "object", "properties": _PROPERTIES, "propertyNames": {"enum": list(_PROPERTIES)}}
"""What a group may say by keys of our own, from 2.4."""

QUERY = query(
    {
        "name": {**_NAMES, "description": "Names, separated by commas."},
        "project_id": TEXT,
        "is_public": BOOLEAN,
        "ref": {**TEXT, "description": "What a person calls it: a name, or a uuid or its first four characters."},
        **PAGING,
    }
)
DELETE_QUERY = query({"value": {**_NAMES, "description": "Names or uuids, separated by commas."}})

_FROM_2_4 = {"version": INTEGER, "project_id": TEXT_OR_NULL, "is_public": BOOLEAN}
PROFILE = members(
    {
        "uuid": UUID,
        "name": TEXT,
        "description": TEXT_OR_NULL,
        "groups": list_of(STRINGS_BY_STRING),
        **_FROM_2_4,
        "created_at": MOMENT,
        "updated_at": MOMENT_OR_NULL,
        "links": LINKS,
    },
    optional=_FROM_2_4,
)
PROFILES = collection("device_profiles", PROFILE)
SHOWN = members(
    {
        "device_profile": {
            **PROFILE,
            "properties": {**PROFILE["properties"], "created_at": TEXT, "updated_at": TEXT_OR_NULL},
            "description": "Before 2.4, times have a blank between day and hour, and one that is missing is None.",
        }
    }
)

_NEW = {
    "name": _NAME,
    "description": {"type": ["string", "integer", "null"], **_SOME_TEXT},
    "groups": _GROUPS,
    "uuid": {"type": ["string", "null"], "description": "One is made unless given."},
    "project_id": {**_PROJECT, "description": "From 2.4: the project that it belongs to; the caller's unless given."},
    "is_public": {**BOOLEAN, "description": "From 2.4: whether every project sees it; it does unless told."},
}
_FPGA = {"resources:FPGA": "1", "trait:CUSTOM_FPGA_INTEL": "required"}
CREATE: Schema = {
    **list_of(members(_NEW, optional=_NEW)),
    "minItems": 1,
    "maxItems": 1,
    "examples": [
        [{"name": "fpga-one", "groups": [_FPGA]}],
        [{"name": "fpga-and-gpu", "description": "for tests", "groups": [_FPGA, {"resources:PGPU": "2"}]}],
    ],
}

_CHANGES = {
    "name": {**_NAME, "type": "string"},
    "description": {"type": ["string", "null"], **_SOME_TEXT},
    "groups": {**_GROUPS, "type": "array"},
    "project_id": _PROJECT,
    "is_public": BOOLEAN,
}
UPDATE: Schema = {
    **members({"version": _VERSION, **_CHANGES}, optional=_CHANGES),
    "additionalProperties": False,
    "minProperties": 2,
    "examples": [{"version": 1, "description": "for tests"}],
}
REPLACE: Schema = {
    **members({"version": _VERSION, **_CHANGES}, optional=("description", "project_id", "is_public")),
    "additionalProperties": False,
    "examples": [{"version": 1, "name": "fpga-one", "groups": [_FPGA]}],
}
