"""Rules about audits, which see the things of every project."""

from accel.policies.base import ADMIN, rule

RULES = [
    rule("audit:get", ADMIN, "Look for what does not add up among attach handles.", "GET /v2/audit/allocations"),
    rule("audit:fix", ADMIN, "Mend what does not add up among attach handles.", "POST /v2/audit/allocations"),
    rule("audit:get_placement", ADMIN, "Compare OpenStack Placement with the inventory.", "GET /v2/audit/placement"),
    rule("audit:fix_placement", ADMIN, "Make OpenStack Placement agree.", "POST /v2/audit/placement"),
]
