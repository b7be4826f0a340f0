"""The version documents and the description of the API."""

from typing import Any

from accel.api.call import Call
from accel.api.views import versions


def root(call: Call) -> dict[str, Any]:
    """Which versions are here."""
    return versions.render_root(call)


def version(call: Call) -> dict[str, Any]:
    """Which microversions this version has."""
    return versions.render_version(call)
