"""Schemas of the version documents."""

from accel.api.schemas.common import LINKS, TEXT, list_of, members

_RANGE = {"status": TEXT, "max_version": TEXT, "min_version": TEXT}
VERSION = members({"id": TEXT, **_RANGE, "links": LINKS})
ROOT = members({"name": TEXT, "description": TEXT, "versions": list_of(VERSION), "default_version": VERSION})
OPENAPI = {"type": "object"}
