"""The body of a deployable."""

from collections.abc import Iterable
from itertools import chain
from typing import Any

import orjson

from accel.db.deployables import DeployableRow, HandleRow, PlaceRow


def render(row: DeployableRow, *, base_url: str) -> dict[str, Any]:
    """A deployable as every version shows it."""
    return {
        "uuid": row.uuid,
        "parent_id": row.parent_id,
        "root_id": row.root_id,
        "name": row.name,
        "num_accelerators": row.num_accelerators,
        "device_id": row.device_id,
        "attributes_list": row.attributes,
        "rp_uuid": row.rp_uuid,
        "driver_name": row.driver_name,
        "bitstream_id": row.bitstream_id,
        "links": [
            {"href": f"{base_url}/v2/deployables/{row.uuid}", "rel": "self"},
            {"href": f"{base_url}/deployables/{row.uuid}", "rel": "bookmark"},
        ],
        "created_at": row.created_at,
        "updated_at": row.updated_at,
    }


def render_more(row: DeployableRow, place: PlaceRow, handles: Iterable[HandleRow]) -> dict[str, Any]:
    """What 2.4 says beside it."""
    return {
        **place._asdict(),
        "attributes": attributes_object(row.attributes),
        "handles": [handle._asdict() for handle in handles],
    }


def attributes_object(attributes: str) -> dict[str, str | list[str]]:
    """Attributes by their keys, of their text; a key that stands there more than once has a list of its values."""
    found: dict[str, str | list[str]] = {}
    for key, value in chain.from_iterable(map(dict.items, orjson.loads(attributes))):
        before = found.get(key)
        if before is None:
            found[key] = value
        else:
            found[key] = [*before, value] if isinstance(before, list) else [before, value]
    return found
