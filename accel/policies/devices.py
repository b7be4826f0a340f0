"""Rules about devices."""

from accel.policies.base import ADMIN, PROJECT_MANAGER_OR_ADMIN, rule

RULES = [
    rule("device:get_all", PROJECT_MANAGER_OR_ADMIN, "List devices.", "GET /v2/devices"),
    rule("device:get_one", PROJECT_MANAGER_OR_ADMIN, "Show a device.", "GET /v2/devices/{uuid}"),
    rule("device:enable", ADMIN, "Offer a device again.", "POST /v2/devices/{uuid}/enable"),
    rule("device:disable", ADMIN, "Offer a device to nobody new.", "POST /v2/devices/{uuid}/disable"),
    rule("device:act", ADMIN, "Reset or scrub a device, or change its virtual functions.", "POST /v2/jobs"),
]
