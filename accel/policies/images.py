"""Rules about images and the keys that sign them. Who sees an image is decided by its project and its visibility."""

from accel.policies.base import PROJECT_MANAGER_OR_ADMIN, PROJECT_MEMBER_OR_ADMIN, PROJECT_READER_OR_ADMIN, rule

RULES = [
    rule("image:get_all", PROJECT_READER_OR_ADMIN, "List images.", "GET /v2/images"),
    rule("image:get_one", PROJECT_READER_OR_ADMIN, "Show an image.", "GET /v2/images/{uuid}"),
    rule("image:create", PROJECT_MEMBER_OR_ADMIN, "Make an image.", "POST /v2/images"),
    rule("image:update", PROJECT_MEMBER_OR_ADMIN, "Change or sign an image.", "PATCH /v2/images/{uuid}"),
    rule("image:delete", PROJECT_MEMBER_OR_ADMIN, "Delete an image.", "DELETE /v2/images/{uuid}"),
    rule("image:upload", PROJECT_MEMBER_OR_ADMIN, "Send the bytes of an image.", "PUT /v2/images/{uuid}/content"),
    rule("image:download", PROJECT_MEMBER_OR_ADMIN, "Read the bytes of an image.", "GET /v2/images/{uuid}/content"),
    rule("image_key:get_all", PROJECT_READER_OR_ADMIN, "List keys that sign images.", "GET /v2/image_keys"),
    rule("image_key:get_one", PROJECT_READER_OR_ADMIN, "Show one.", "GET /v2/image_keys/{uuid}"),
    rule("image_key:create", PROJECT_MANAGER_OR_ADMIN, "Register one.", "POST /v2/image_keys"),
    rule(
        "image_key:revoke",
        PROJECT_MANAGER_OR_ADMIN,
        "Have nothing loaded any more that one has signed.",
        "POST /v2/image_keys/{uuid}/revoke",
    ),
]
