"""Schemas of explanations, of what-if and of what is free."""

from accel.api.schemas.common import COUNT, MOMENT_OR_NULL, TEXT, TEXT_OR_NULL, Schema, list_of, members, query
from accel.api.schemas.placements import question
from accel.placement.supposed import Supposition
from accel.placement.wanted import Nearness

MOST_TIMES = 1000
"""So often a question is put to a changed fleet at most."""

_SUPPOSE: Schema = {
    **list_of({"enum": [str(one) for one in Supposition]}),
    "uniqueItems": True,
    "description": "What is taken for granted: that what is held has been given back, that what is lost, disabled or "
    "not healthy can be used, that all nodes are online.",
}
EXPLAIN = question(
    {"suppose": _SUPPOSE},
    {},
    {"groups": [{"resources": {"PGPU": 64}, "required": ["CUSTOM_GPU_NVIDIA"], "near": "linked"}]},
    {"suppose": ["released"]},
)

_REASON = members(
    {
        "text": {**TEXT, "description": "What is the matter with it: lacks CUSTOM_A."},
        "count": COUNT,
        "of": {"enum": ["devices", "nodes"], "description": "What is counted."},
    }
)
_STEP = members(
    {
        "filter": TEXT,
        "nodes": {**COUNT, "description": "How many nodes are left after it."},
        "devices": {**COUNT, "description": "How many devices of theirs one of the groups could still have."},
        "reasons": {**list_of(_REASON), "description": "Why the others are not, the most frequent first."},
    }
)
_OR_NULL = {"type": ["object", "null"]}
_MISSING = members(
    {
        "device_uuid": TEXT,
        "deployable_uuid": TEXT,
        "state": {**TEXT, "description": "held, or what speaks against it: disabled, unhealthy …"},
        "count": {**COUNT, "description": "How many accelerators."},
        "held_until": MOMENT_OR_NULL,
        "held_by": {**TEXT_OR_NULL, "description": "By whom, as far as you may know."},
        "reason": TEXT,
    }
)
_NEAREST: Schema = {
    **members(
        {
            "node": TEXT,
            "group": {**COUNT, "description": "The group of the question that it is short of."},
            "wanted": COUNT,
            "found": COUNT,
            "text": TEXT,
            "missing": {**list_of(_MISSING), "description": "What else of the right kind there is in that place."},
        }
    ),
    **_OR_NULL,
    "description": "The node that comes nearest; null where none has anything of the right kind.",
}
EXPLANATION = members(
    {
        "fits": {"type": "boolean"},
        "nodes": {**COUNT, "description": "On how many nodes it, or the share of one node, fits."},
        "text": {**TEXT, "description": "The whole of it in short."},
        "steps": list_of(_STEP),
        "blocker": {
            **members({"code": {**TEXT, "description": "It never changes."}, "text": TEXT}),
            **_OR_NULL,
            "description": "The first step that nothing passes; null where it fits.",
        },
        "nearest": _NEAREST,
        "counterfactuals": list_of(
            members(
                {
                    "code": TEXT,
                    "without": {**TEXT, "description": "What was left out."},
                    "relaxed": {"type": "object", "description": "The question without it: it fits, ask it."},
                    "nodes": COUNT,
                    "text": TEXT,
                }
            )
        ),
    }
)

_NODES_TO_ADD = {"nodes": [{"name": "new-{0:02d}", "count": 2, "cards": [{"model": "H100-SXM5-80GB", "count": 8}]}]}
WHATIF = question(
    {
        "count": {
            "type": "integer",
            "minimum": 1,
            "maximum": MOST_TIMES,
            "description": "How often; once unless given.",
        },
        "add_nodes": {"type": "object", "description": "Nodes that there were besides, in the words of a fleet file."},
        "drain": {
            **list_of({"type": "string", "minLength": 1, "maxLength": 255}),
            "maxItems": 10_000,
            "description": "Nodes that there were no more.",
        },
    },
    {"count": 4, "add_nodes": _NODES_TO_ADD},
    {"drain": ["alpha"]},
)
OUTCOME = members(
    {
        "count": {**COUNT, "description": "How often it was to fit."},
        "fits": {**COUNT, "description": "How often it fits, as far as it was to."},
        "nodes": {
            **list_of(members({"node": TEXT, "count": COUNT})),
            "description": "How often something of it is on which node.",
        },
        "next": {**EXPLANATION, **_OR_NULL, "description": "What blocks the next one; null where all fit."},
    }
)

FREE_QUERY = query(
    {
        "model": {
            "type": "string",
            "maxLength": 255,
            "description": "Models with this in their names, in capitals or not.",
        }
    }
)
FREE = members(
    {
        "free": list_of(
            members(
                {
                    "type": TEXT,
                    "vendor": TEXT,
                    "model": TEXT,
                    "resource_class": TEXT,
                    "total": {**COUNT, "description": "In accelerators: in things that one workload has."},
                    "free": COUNT,
                    "held": COUNT,
                    "unusable": {
                        **COUNT,
                        "description": "Not held, and lost, disabled, not healthy or on a node that is offline.",
                    },
                    "on_one_node": {**COUNT, "description": "The most that one node has, free or not."},
                    "largest": {
                        **members({str(near): COUNT for near in Nearness}),
                        "description": "The largest request that fits now, by how near its accelerators are.",
                    },
                }
            )
        )
    }
)
