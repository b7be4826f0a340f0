"""Schemas of the summary."""

from accel.api.schemas.common import COUNT, TEXT, list_of, members, query
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
        "nodes": members({"online": COUNT, "offline": COUNT}),
    }
)
