"""Rules about what devices are cut into. A plan changes nothing; it says of other projects' things that they are so."""

from accel.policies.base import ADMIN, PROJECT_MANAGER_OR_ADMIN, rule

RULES = [
    rule("partition:plan", PROJECT_MANAGER_OR_ADMIN, "Ask how devices can be cut.", "POST /v2/partition/plan"),
    rule("partition:apply", ADMIN, "Have devices cut.", "POST /v2/partition/apply"),
]
