"""Schemas of devices."""

from accel.api.schemas.common import (
    BOOLEAN,
    HANDLE_COUNTS,
    INTEGER,
    INTEGER_OR_NULL,
    LINKS,
    MOMENT,
    MOMENT_OR_NULL,
    PAGING,
    TEXT,
    TEXT_OR_NULL,
    UUID,
    collection,
    members,
    query,
)

QUERY = query(
    {
        **dict.fromkeys(("type", "vendor", "hostname", "model", "status", "health", "presence", "node"), TEXT),
        **dict.fromkeys(("driver", "address", "identity"), TEXT),
        "numa_node": INTEGER,
        "free": {**BOOLEAN, "description": "Whether one of its attach handles could be handed out now."},
        "ref": {
            **TEXT,
            "description": "What a person calls it: the first four characters of its uuid or more, its identity, its "
            "serial number, its PCI address, or node/address.",
        },
        **PAGING,
    }
)
_FROM_2_3 = {"status": TEXT}
_FROM_2_4 = {
    "node": TEXT,
    "address": TEXT_OR_NULL,
    "identity": TEXT,
    "serial": TEXT_OR_NULL,
    "product": TEXT,
    "driver": TEXT,
    "kernel_driver": TEXT_OR_NULL,
    "numa_node": INTEGER_OR_NULL,
    "presence": TEXT,
    "health": TEXT,
    "reason": TEXT,
    "lost_at": MOMENT_OR_NULL,
    "counts": members(HANDLE_COUNTS),
}
DEVICE = members(
    {
        "uuid": UUID,
        "type": TEXT,
        "vendor": TEXT,
        "model": TEXT,
        "std_board_info": TEXT_OR_NULL,
        "vendor_board_info": TEXT_OR_NULL,
        "hostname": TEXT,
        **_FROM_2_3,
        **_FROM_2_4,
        "links": LINKS,
        "created_at": MOMENT,
        "updated_at": MOMENT_OR_NULL,
    },
    optional=[*_FROM_2_3, *_FROM_2_4],
)
DEVICES = collection("devices", DEVICE)
