"""Rules about events."""

from accel.policies.base import PROJECT_MANAGER_OR_ADMIN, rule

RULES = [rule("event:get_all", PROJECT_MANAGER_OR_ADMIN, "List events.", "GET /v2/events")]
