"""Rules about audits, which see the things of every project."""

from accel.policies.base import ADMIN, rule

RULES = [
    rule("audit:get", ADMIN, "Look for what does not add up among attach handles.", "GET /v2/audit/allocations"),
    rule("audit:fix", ADMIN, "Mend what does not add up among attach handles.", "POST /v2/audit/allocations"),
]
