"""Rules about attach handles. Of who has one, another project than that is told the kind only."""

from accel.policies.base import PROJECT_MANAGER_OR_ADMIN, rule

RULES = [
    rule("attach_handle:get_all", PROJECT_MANAGER_OR_ADMIN, "List attach handles.", "GET /v2/attach_handles"),
    rule("attach_handle:get_one", PROJECT_MANAGER_OR_ADMIN, "Show an attach handle.", "GET /v2/attach_handles/{uuid}"),
]
