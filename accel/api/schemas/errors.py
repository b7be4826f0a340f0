"""The schema of every error."""

from accel.api.schemas.common import TEXT, members

_FROM_2_4 = {
    "type": TEXT,
    "title": TEXT,
    "status": {"type": "integer", "minimum": 400, "maximum": 599},
    "detail": {**TEXT, "description": "What is the matter, in words."},
    "instance": {**TEXT, "description": "The id of the request, as the log has it."},
    "code": {**TEXT, "description": "What is the matter, in a word that never changes."},
}
ERROR = members(
    {
        "error_message": {
            **TEXT,
            "contentMediaType": "application/json",
            "description": "JSON within the string: faultcode, faultstring and debuginfo, or code, title and "
            "description for errors of routing and versions.",
        },
        **_FROM_2_4,
    },
    optional=_FROM_2_4,
)
