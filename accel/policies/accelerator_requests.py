"""Rules about accelerator requests. A project sees and changes its own; an administrator all.

Binding, unbinding and deleting what is bound need a service token besides: that is not a matter of roles in a project.
"""

from accel.policies.base import PROJECT_MEMBER_OR_SERVICE, PROJECT_READER_OR_ADMIN, rule

RULES = [
    rule("arq:get_all", PROJECT_READER_OR_ADMIN, "List accelerator requests.", "GET /v2/accelerator_requests"),
    rule("arq:get_one", PROJECT_READER_OR_ADMIN, "Show one.", "GET /v2/accelerator_requests/{uuid}"),
    rule(
        "arq:create",
        PROJECT_MEMBER_OR_SERVICE,
        "Ask for the accelerators of a device profile.",
        "POST /v2/accelerator_requests",
    ),
    rule(
        "arq:update",
        PROJECT_MEMBER_OR_SERVICE,
        "Bind and unbind accelerator requests.",
        "PATCH /v2/accelerator_requests",
        "PATCH /v2/accelerator_requests/{uuid}",
    ),
    rule(
        "arq:delete",
        PROJECT_MEMBER_OR_SERVICE,
        "Delete accelerator requests.",
        "DELETE /v2/accelerator_requests",
        "DELETE /v2/accelerator_requests/{uuid}",
    ),
]
