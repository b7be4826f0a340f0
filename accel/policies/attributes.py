"""Rules about attributes."""

from accel.policies.base import ADMIN, PROJECT_MANAGER_OR_ADMIN, rule

RULES = [
    rule("attribute:get_all", PROJECT_MANAGER_OR_ADMIN, "List attributes.", "GET /v2/attributes"),
    rule("attribute:get_one", PROJECT_MANAGER_OR_ADMIN, "Show an attribute.", "GET /v2/attributes/{uuid}"),
    rule("attribute:create", ADMIN, "Add an attribute to a deployable.", "POST /v2/attributes"),
    rule("attribute:delete", ADMIN, "Remove an attribute.", "DELETE /v2/attributes", "DELETE /v2/attributes/{uuid}"),
]
