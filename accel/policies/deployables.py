"""Rules about deployables."""

from accel.policies.base import ADMIN, PROJECT_MANAGER_OR_ADMIN, rule

RULES = [
    rule("deployable:get_all", PROJECT_MANAGER_OR_ADMIN, "List deployables.", "GET /v2/deployables"),
    rule("deployable:get_one", PROJECT_MANAGER_OR_ADMIN, "Show a deployable.", "GET /v2/deployables/{uuid}"),
    rule(
        "deployable:program",
        ADMIN,
        "Load an image into a deployable.",
        "PATCH /v2/deployables/{uuid}/program",
        "PATCH /v2/deployables/{uuid}/program/{again}",
    ),
]
