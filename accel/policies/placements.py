"""Rules about placement. Whoever may ask for accelerators may ask where they would fit, and take them.

What is free belongs to nobody, so a candidate tells nobody of another project's things; an explanation says of these
that another project has them, and no more. A project sees and changes its own claims; an administrator all.
"""

from accel.policies.base import PROJECT_MEMBER_OR_SERVICE, PROJECT_READER_OR_ADMIN, rule

RULES = [
    rule(
        "placement:candidates",
        PROJECT_MEMBER_OR_SERVICE,
        "Ask where something would fit.",
        "POST /v2/placements/candidates",
    ),
    rule(
        "placement:explain",
        PROJECT_MEMBER_OR_SERVICE,
        "Ask why something fits nowhere.",
        "POST /v2/placements/explain",
    ),
    rule(
        "placement:whatif",
        PROJECT_MEMBER_OR_SERVICE,
        "Ask what would fit with other nodes.",
        "POST /v2/placements/whatif",
    ),
    rule("placement:free", PROJECT_MEMBER_OR_SERVICE, "Ask what is free of each model.", "GET /v2/placements/free"),
    rule("claim:create", PROJECT_MEMBER_OR_SERVICE, "Claim what fits somewhere.", "POST /v2/placements/claims"),
    rule("claim:get_all", PROJECT_READER_OR_ADMIN, "List claims.", "GET /v2/placements/claims"),
    rule("claim:get_one", PROJECT_READER_OR_ADMIN, "Show one.", "GET /v2/placements/claims/{uuid}"),
    rule(
        "claim:renew",
        PROJECT_MEMBER_OR_SERVICE,
        "Hold one for longer.",
        "POST /v2/placements/claims/{uuid}/renew",
    ),
    rule(
        "claim:delete",
        PROJECT_MEMBER_OR_SERVICE,
        "Give back what one holds.",
        "DELETE /v2/placements/claims/{uuid}",
    ),
]
