"""Schemas of questions about placement, candidates and claims."""

from typing import Any

from accel.api.schemas.common import (
    COUNT,
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
from accel.placement.scores import POLICIES, SCORERS
from accel.placement.wanted import DIFFERENT_NODE, MOST_GROUPS, MOST_NODES, Nearness

MOST_CANDIDATES = 1000
LONGEST_LEASE_SECONDS = 366 * 24 * 60 * 60
_MOST_ACCELERATORS = 1024
_SOME_TEXT: Schema = {"type": "string", "maxLength": 255, "pattern": WITHOUT_NUL}
_NAME: Schema = {**_SOME_TEXT, "minLength": 1}
_TRAITS: Schema = {
    **list_of({"type": "string", "pattern": "^[A-Z0-9_]{1,255}$", "examples": ["CUSTOM_GPU_NVIDIA"]}),
    "maxItems": 64,
}
_NEARNESS = [str(near) for near in Nearness]
_AMOUNT: Schema = {"type": "integer", "minimum": 1, "maximum": _MOST_ACCELERATORS}
_GROUP: Schema = {
    "type": "object",
    "properties": {
        "resources": {
            "type": "object",
            "propertyNames": {"pattern": "^[A-Z0-9_]{1,255}$"},
            "additionalProperties": _AMOUNT,
            "minProperties": 1,
            "maxProperties": 8,
            "description": "How many of each resource class.",
        },
        "count": {**_AMOUNT, "description": "How many of any class; for a group without resources."},
        "required": {**_TRAITS, "description": "Traits that each has."},
        "forbidden": {**_TRAITS, "description": "Traits that none has."},
        "any_of": {
            **list_of({**_TRAITS, "minItems": 1}),
            "maxItems": 16,
            "description": "Of each of these lists of traits each has one at least.",
        },
        "where": {
            **list_of({**_NAME, "examples": ["memory >= 40GiB", "model ~ H100"]}),
            "maxItems": 16,
            "description": "What is true of each: an attribute, type, vendor, model or kind, one of >= <= > < = != ~, "
            "and a value.",
        },
        "near": {"enum": _NEARNESS, "description": "How near to one another they are."},
    },
    "additionalProperties": False,
}
_TOGETHER: Schema = {
    **members(
        {
            "groups": {
                **list_of({"type": "integer", "minimum": 0, "maximum": MOST_GROUPS - 1}),
                "minItems": 1,
                "maxItems": MOST_GROUPS,
                "description": "Numbers of groups, the first one is 0.",
            },
            "near": {"enum": [*_NEARNESS, DIFFERENT_NODE], "description": "How near to one another the groups are."},
        }
    ),
    "additionalProperties": False,
}
QUESTION: dict[str, Schema] = {
    "device_profile_name": {**_NAME, "description": "The device profile that says what is wanted; or say groups."},
    "groups": {**list_of(_GROUP), "minItems": 1, "maxItems": MOST_GROUPS},
    "together": {**list_of(_TOGETHER), "maxItems": MOST_GROUPS},
    "nodes": {
        "type": "integer",
        "minimum": 1,
        "maximum": MOST_NODES,
        "description": "On so many different nodes, each time all of it.",
    },
    "labels": {
        "type": "object",
        "propertyNames": _SOME_TEXT,
        "additionalProperties": _SOME_TEXT,
        "maxProperties": 64,
        "description": "Labels that the nodes have; rack stands for the rack.",
    },
    "exclude_nodes": {**list_of(_NAME), "maxItems": 10_000},
}
"""The members of a question, of which none is required but one of the first two."""


def question(more: dict[str, Schema], *examples: dict[str, Any]) -> Schema:
    """A body that asks a question, with further members of its own; none is required."""
    properties = {**QUESTION, **more}
    return {
        **members(properties, optional=properties),
        "additionalProperties": False,
        "examples": [{**_LINKED, **example} for example in (examples or ({},))],
    }


_LINKED = {"groups": [{"resources": {"PGPU": 2}, "where": ["memory >= 40GiB"], "near": "node"}]}
_WEIGHTS: Schema = {
    "type": "object",
    "propertyNames": {"maxLength": 64},
    "additionalProperties": {"type": "number", "minimum": 0, "maximum": 1000},
    "minProperties": 1,
    "maxProperties": 32,
}
CANDIDATES_WANTED = question(
    {
        "limit": {"type": "integer", "minimum": 1, "maximum": MOST_CANDIDATES, "description": "10 unless given."},
        "order": {
            "anyOf": [{"enum": list(POLICIES)}, _WEIGHTS],
            "description": f"What is good: the name of a policy, or weights of {', '.join(SCORERS)}.",
        },
        "seed": {**_SOME_TEXT, "description": "Another seed, another order of what is equally good."},
    },
    {"limit": 3},
    {"groups": [{"count": 1, "where": ["type = GPU"]}], "order": "spread", "seed": "a", "labels": {"zone": "a"}},
)
_PLACE = {
    "group": {**INTEGER, "description": "The group of the question, by its number."},
    "node": TEXT_OR_NULL,
    "device_uuid": UUID_OR_NULL,
    "resource_provider": TEXT_OR_NULL,
    "resource_class": TEXT,
    "attach_handle_uuid": UUID_OR_NULL,
    "attach_handle_type": TEXT_OR_NULL,
}
CANDIDATES = members(
    {
        "candidates": list_of(
            members(
                {
                    "score": {"type": "number"},
                    "scores": {"type": "object", "additionalProperties": {"type": "number"}},
                    "nodes": list_of(TEXT),
                    "allocations": list_of(members({**_PLACE, "deployable_name": TEXT})),
                }
            )
        ),
        "evaluated_nodes": {**COUNT, "description": "How many nodes were looked at."},
        "explanation": {**TEXT, "description": "Why there is none."},
    },
    optional=["explanation"],
)

_LEASE: Schema = {
    "type": "integer",
    "minimum": 1,
    "maximum": LONGEST_LEASE_SECONDS,
    "description": "It is given back after so long unless renewed.",
}
CLAIM_WANTED = question(
    {
        "consumer": {**_SOME_TEXT, "description": "What it is for, as you call it."},
        "idempotency_key": {
            "type": "string",
            "pattern": "^[!-~]{1,255}$",
            "description": "The same request with the same key gives the same claim.",
        },
        "lease_seconds": _LEASE,
    },
    {"consumer": "training-17", "idempotency_key": "training-17", "lease_seconds": 3600},
)
RENEW: Schema = {
    **members({"lease_seconds": _LEASE}, optional=["lease_seconds"]),
    "additionalProperties": False,
    "examples": [{"lease_seconds": 3600}, {}],
}
CLAIM = members(
    {
        "uuid": UUID,
        "project_id": TEXT,
        "user_id": TEXT_OR_NULL,
        "consumer": TEXT,
        "idempotency_key": TEXT_OR_NULL,
        "state": {
            "enum": ["ready", "preparing", "impaired"],
            "description": "impaired: something of it is lost, disabled or unwell; its allocation says what.",
        },
        "request": {"type": "object", "description": "What was asked for."},
        "nodes": list_of(TEXT),
        "allocations": list_of(
            members(
                {
                    "accelerator_request": UUID,
                    **_PLACE,
                    "attach_handle_info": STRINGS_BY_STRING,
                    "state": TEXT,
                    "problem": {**TEXT, "description": "Empty where there is none."},
                }
            )
        ),
        "lease_seconds": {"type": ["integer", "null"]},
        "expires_at": MOMENT_OR_NULL,
        "created_at": MOMENT,
        "updated_at": MOMENT_OR_NULL,
        "links": LINKS,
    }
)
CLAIMS = collection("claims", CLAIM)
QUERY = query(
    {
        "project_id": TEXT,
        "consumer": TEXT,
        "idempotency_key": TEXT,
        "node": {**TEXT, "description": "The name of a node that it is on."},
        "ref": {**TEXT, "description": "What a person calls it: a consumer, or the first four characters of a uuid."},
        **PAGING,
    }
)
