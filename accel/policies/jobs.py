"""Rules about jobs. A project sees the jobs that serve its requests; what else is done to devices is the operators'."""

from accel.policies.base import ADMIN, PROJECT_MEMBER_OR_SERVICE, PROJECT_READER_OR_ADMIN, rule

RULES = [
    rule("job:get_all", PROJECT_READER_OR_ADMIN, "List jobs.", "GET /v2/jobs"),
    rule("job:get_one", PROJECT_READER_OR_ADMIN, "Show one.", "GET /v2/jobs/{uuid}"),
    rule("job:cancel", PROJECT_MEMBER_OR_SERVICE, "Cancel one.", "DELETE /v2/jobs/{uuid}"),
    rule("job:retry", ADMIN, "Do again what has failed.", "POST /v2/jobs/{uuid}/retry"),
    rule("job:lift", ADMIN, "Offer again what a failed one has left fenced.", "POST /v2/jobs/{uuid}/lift"),
]
