"""The documents by which clients find out what is here."""

from typing import Any

from accel.api.call import Call
from accel.api.microversion import NEWEST, OLDEST

_RANGE = {"status": "CURRENT", "max_version": str(NEWEST), "min_version": str(OLDEST)}


def render_root(call: Call) -> dict[str, Any]:
    """What is at the mount point: the one version there is, and that it is the default."""
    version = {"id": "v2", **_RANGE, "links": [call.link("/v2")]}
    return {
        "name": "OpenStack Cyborg API",
        "description": "accel: one control plane for every accelerator of a fleet",
        "versions": [version],
        "default_version": version,
    }


def render_version(call: Call) -> dict[str, Any]:
    """What is at /v2. Flat, with an ``id`` of 2.0: this is what keystoneauth takes for a version document."""
    return {"id": "v2.0", "links": [call.link("/v2/")], **_RANGE}
