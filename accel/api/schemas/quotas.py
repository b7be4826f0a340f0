"""Schemas of quotas."""

from accel.api.schemas.common import COUNT, MAX_INTEGER, PAGING, TEXT, Schema, collection, list_of, members, query

_MOST_AT_ONCE = 1000
_PROJECT = {**TEXT, "description": "The id of the project."}
_LIMIT: Schema = {
    "type": "integer",
    "minimum": -1,
    "maximum": MAX_INTEGER,
    "description": "How many it may hold at once; -1: no limit.",
}

QUERY = query(
    {
        "project_id": _PROJECT,
        "limit": {**PAGING["limit"], "description": "At most so many projects."},
        "marker": {"type": "string", "maxLength": 255, "description": "The id of the last project of the page before."},
    }
)
QUOTAS_OF_PROJECT = members(
    {
        "project_id": _PROJECT,
        "quotas": list_of(
            members(
                {
                    "resource_class": TEXT,
                    "limit": _LIMIT,
                    "used": {**COUNT, "description": "How many accelerator requests of the project hold one."},
                }
            )
        ),
    }
)
QUOTA = members({"quota": QUOTAS_OF_PROJECT})
QUOTAS = collection("quotas", QUOTAS_OF_PROJECT)
SET: Schema = {
    **members(
        {
            "quotas": {
                "type": "object",
                "minProperties": 1,
                "maxProperties": _MOST_AT_ONCE,
                "additionalProperties": _LIMIT,
                "description": "Limits by resource class. Those that are not given stay as they are.",
            }
        }
    ),
    "additionalProperties": False,
    "examples": [{"quotas": {"FPGA": 4, "PGPU": -1}}],
}
