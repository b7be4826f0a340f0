"""Rules about nodes."""

from accel.policies.base import PROJECT_MANAGER_OR_ADMIN, rule

RULES = [
    rule("node:get_all", PROJECT_MANAGER_OR_ADMIN, "List nodes.", "GET /v2/nodes"),
    rule(
        "node:get_one",
        PROJECT_MANAGER_OR_ADMIN,
        "Show a node, or where its devices sit.",
        "GET /v2/nodes/{node}",
        "GET /v2/nodes/{node}/topology",
    ),
]
