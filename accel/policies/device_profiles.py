"""Rules about device profiles. Of those that belong to a project, only that project and administrators see any."""

from accel.policies.base import ADMIN, PROJECT_READER_OR_ADMIN, rule

RULES = [
    rule("device_profile:get_all", PROJECT_READER_OR_ADMIN, "List device profiles.", "GET /v2/device_profiles"),
    rule(
        "device_profile:get_one", PROJECT_READER_OR_ADMIN, "Show a device profile.", "GET /v2/device_profiles/{profile}"
    ),
    rule("device_profile:create", ADMIN, "Make a device profile.", "POST /v2/device_profiles"),
    rule(
        "device_profile:update",
        ADMIN,
        "Change a device profile.",
        "PUT /v2/device_profiles/{profile}",
        "PATCH /v2/device_profiles/{profile}",
    ),
    rule(
        "device_profile:delete",
        ADMIN,
        "Delete device profiles.",
        "DELETE /v2/device_profiles",
        "DELETE /v2/device_profiles/{profile}",
    ),
]
