"""Plans of partitioning: what is asked, and what is answered."""

from collections.abc import Mapping

from accel.api.schemas.common import (
    BOOLEAN,
    COUNT,
    INTEGER_OR_NULL,
    TEXT,
    TEXT_OR_NULL,
    UUID,
    WITHOUT_NUL,
    Schema,
    list_of,
    members,
)

MOST_PARTS = 4096
MOST_CHANGES = 1000
"""How many devices are changed by one request at most."""

_LAYOUT: Schema = {
    "type": "object",
    "propertyNames": {"pattern": r"^[^\s=,@]{1,64}$"},
    "additionalProperties": {"type": "integer", "minimum": 1, "maximum": MOST_PARTS},
    "maxProperties": 64,
    "examples": [{"3g.20gb": 1, "1g.5gb": 2}],
    "description": "How many parts of which profile. Nothing: the device is whole.",
}
_NAME: Schema = {"type": "string", "minLength": 1, "maxLength": 255, "pattern": WITHOUT_NUL}
_CHANGE: Mapping[str, Schema] = {"device_uuid": UUID, "layout": _LAYOUT}

PLAN_WANTED: Schema = {
    "type": "object",
    "properties": {
        **_CHANGE,
        "demand": {**_LAYOUT, "minProperties": 1, "description": "How many free parts of which profile are wanted."},
        "node": {**_NAME, "description": "Of the devices of this node only."},
        "model": {**_NAME, "description": "Of the devices of this model only."},
    },
    "additionalProperties": False,
}
APPLY: Schema = {
    "type": "object",
    "properties": {
        "changes": {
            "type": "array",
            "items": {**members(_CHANGE), "additionalProperties": False},
            "minItems": 1,
            "maxItems": MOST_CHANGES,
        }
    },
    "required": ["changes"],
    "additionalProperties": False,
}

_COUNTS: Schema = {"type": "object", "additionalProperties": COUNT}
_PLAN = members(
    {
        "device_uuid": UUID,
        "device": {**TEXT, "description": "Node and address."},
        "model": TEXT,
        "scheme": {**TEXT, "description": "``mig``, ``compute_partition`` …"},
        "text": {**TEXT, "description": "What it comes to, in a sentence or two."},
        "possible": BOOLEAN,
        "rule": {**TEXT_OR_NULL, "description": "Which rule the layout breaks; null: it is possible."},
        "applicable": {**BOOLEAN, "description": "Whether it can be done now."},
        "nothing_to_do": BOOLEAN,
        "layout": _COUNTS,
        "before": {**_COUNTS, "description": "What is offered now."},
        "after": {**_COUNTS, "description": "What is offered afterwards."},
        "lost": {**_COUNTS, "description": "What is offered now and not afterwards."},
        "room": {**_COUNTS, "description": "How many more of which could be made afterwards, of each by itself."},
        "undo": {**_COUNTS, "description": "The layout that brings back what is there now."},
        "steps": list_of(
            members({"act": TEXT, "profile": TEXT_OR_NULL, "start": INTEGER_OR_NULL, "text": TEXT}),
        ),
        "in_the_way": list_of(
            members(
                {
                    "held_by": TEXT,
                    "part": TEXT,
                    "taken_out": {**BOOLEAN, "description": "Whether what they have is taken out, or stays."},
                }
            )
        ),
    }
)
PLANS: Schema = members(
    {
        "plans": list_of(_PLAN),
        "demand": {
            **members({"wanted": _COUNTS, "free": _COUNTS, "made": _COUNTS, "missing": _COUNTS}),
            "type": ["object", "null"],
            "description": "What is wanted, free already, made by the plans, and to be had nowhere.",
        },
    }
)
ORDERED: Schema = members({"jobs": list_of(members({"uuid": UUID, "device_uuid": UUID, "device": TEXT}))})
