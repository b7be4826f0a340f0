"""Rules about the summary."""

from accel.policies.base import PROJECT_MANAGER_OR_ADMIN, rule

RULES = [rule("summary:get", PROJECT_MANAGER_OR_ADMIN, "Count the inventory.", "GET /v2/summary")]
