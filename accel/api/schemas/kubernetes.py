"""Schemas of the questions of a kube-scheduler: version 1 of its extender's JSON.

Go writes an empty list as null, and the members of the outermost objects with capital letters.
"""

from collections.abc import Mapping

from accel.api.schemas.common import COUNT, TEXT, TEXT_OR_NULL, Schema, list_of, members

MOST_POINTS = 10
"""What the best node gets."""


def _or_null(schema: Schema) -> Schema:
    return {**schema, "type": [schema["type"], "null"]}


def _some(properties: Mapping[str, Schema]) -> Schema:
    """An object that may have these members and others, or null."""
    return _or_null({"type": "object", "properties": dict(properties)})


_LIMITS: Schema = _or_null({"type": "object", "additionalProperties": {"type": ["string", "number"]}})
_CONTAINERS: Schema = _or_null(
    list_of({**_some({"restartPolicy": TEXT_OR_NULL, "resources": _some({"limits": _LIMITS})}), "type": "object"})
)
_POD: Schema = {
    **_some(
        {
            "metadata": _some({"annotations": _or_null({"type": "object", "additionalProperties": TEXT})}),
            "spec": _some({"containers": _CONTAINERS, "initContainers": _CONTAINERS}),
        }
    ),
    "type": "object",
    "description": "The pod as the Kubernetes API shows it.",
}
_NODES: Schema = {
    **_some({"items": _or_null(list_of(members({"metadata": members({"name": TEXT})})))}),
    "description": "The nodes in full: for an extender without nodeCacheCapable.",
}
_NODE_NAMES: Schema = {
    **_or_null(list_of(TEXT)),
    "description": "The names of the nodes: for an extender with nodeCacheCapable.",
}
_REASONS: Schema = {"type": "object", "additionalProperties": TEXT}

ARGUMENTS: Schema = {
    **members({"Pod": _POD, "Nodes": _NODES, "NodeNames": _NODE_NAMES}, optional=["Nodes", "NodeNames"]),
    "examples": [
        {
            "Pod": {
                "metadata": {"name": "train-0", "annotations": {"accel.io/near": "linked"}},
                "spec": {"containers": [{"name": "train", "resources": {"limits": {"nvidia.com/gpu": "4"}}}]},
            },
            "Nodes": None,
            "NodeNames": ["h100-01", "h100-02"],
        }
    ],
}
FILTERED = members(
    {
        "Nodes": {**_NODES, "description": "Those that have room, where nodes came in full."},
        "NodeNames": {**_NODE_NAMES, "description": "Those that have room, where names came."},
        "FailedNodes": {**_REASONS, "description": "Those without, by name: why. Removing pods may help."},
        "FailedAndUnresolvableNodes": {**_REASONS, "description": "Those where removing pods does not help either."},
        "Error": TEXT,
    }
)
PRIORITIES = list_of(members({"Host": TEXT, "Score": {**COUNT, "maximum": MOST_POINTS}}))
