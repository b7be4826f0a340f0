"""Rules about the health of devices."""

from accel.policies.base import PROJECT_MANAGER_OR_ADMIN, rule

RULES = [
    rule("health:get_all", PROJECT_MANAGER_OR_ADMIN, "List the health of devices.", "GET /v2/health"),
    rule("health:get_one", PROJECT_MANAGER_OR_ADMIN, "Show the health of a device.", "GET /v2/health/{uuid}"),
]
