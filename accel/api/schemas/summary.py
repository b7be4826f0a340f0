"""Schemas of the summary."""

from accel.api.schemas.common import COUNT, COUNTS_BY_NAME, TEXT, list_of, members, query
from accel.db.summary import FIGURES, GROUPS

QUERY = query(
    {"group": {**TEXT, "description": "Some of type, vendor, model, separated by commas; all of them unless given."}}
)
_FIGURES = dict.fromkeys(FIGURES, COUNT)
_KEYS = dict.fromkeys(GROUPS, TEXT)
SUMMARY = members(
    {
        "groups": list_of(members({**_KEYS, **_FIGURES}, optional=_KEYS)),
        "totals": members(_FIGURES),
        "held_by": {
            **COUNTS_BY_NAME,
            "description": "Held attach handles by the kind of the holder: instance, reservation, pod, fence …",
        },
        "namespaces": {**COUNTS_BY_NAME, "description": "The attach handles that pods hold, by namespace."},
        "nodes": members({"online": COUNT, "offline": COUNT}),
    }
)
