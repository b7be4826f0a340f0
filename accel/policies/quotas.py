"""Rules about quotas. A project sees its own; an administrator sees and sets all."""

from accel.policies.base import ADMIN, PROJECT_READER_OR_ADMIN, rule

RULES = [
    rule("quota:get_all", PROJECT_READER_OR_ADMIN, "List quotas of projects.", "GET /v2/quotas"),
    rule("quota:get_one", PROJECT_READER_OR_ADMIN, "Show the quotas of a project.", "GET /v2/quotas/{project_id}"),
    rule("quota:set", ADMIN, "Set the quotas of a project.", "PUT /v2/quotas/{project_id}"),
]
