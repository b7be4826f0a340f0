"""What many schemas are made of."""

from collections.abc import Iterable, Mapping
from typing import Any

Schema = Mapping[str, Any]

MAX_INTEGER = 2**31 - 1
"""The largest integer that the database keeps in an integer column."""

WITHOUT_NUL = "^[^\\x00]*$"
"""The pattern of a text that every database keeps."""

TEXT: Schema = {"type": "string"}
TEXT_OR_NULL: Schema = {"type": ["string", "null"]}
BOOLEAN: Schema = {"type": "boolean"}
COUNT: Schema = {"type": "integer", "minimum": 0}
COUNTS_BY_NAME: Schema = {"type": "object", "additionalProperties": COUNT}
INTEGER: Schema = {"type": "integer", "minimum": 0, "maximum": MAX_INTEGER}
INTEGER_OR_NULL: Schema = {"type": ["integer", "null"]}
UUID: Schema = {"type": "string", "format": "uuid"}
UUID_OR_NULL: Schema = {"type": ["string", "null"], "format": "uuid"}
MOMENT: Schema = {"type": "string", "format": "date-time"}
MOMENT_OR_NULL: Schema = {"type": ["string", "null"], "format": "date-time"}
STRINGS_BY_STRING: Schema = {"type": "object", "additionalProperties": TEXT}

PAGING: Mapping[str, Schema] = {
    "limit": {
        "type": "integer",
        "minimum": 1,
        "maximum": MAX_INTEGER,
        "examples": [10],
        "description": "At most so many rows.",
    },
    "marker": {"type": "string", "maxLength": 36, "description": "The uuid of the last row of the page before."},
    "sort_key": {
        "type": "string",
        "maxLength": 64,
        "examples": ["created_at"],
        "description": "The member to sort by.",
    },
    "sort_dir": {"enum": ["asc", "desc"], "description": "The direction to sort in."},
}


def members(properties: Mapping[str, Schema], *, optional: Iterable[str] = ()) -> Schema:
    """An object with these members, all of them required but for the optional ones."""
    required = [name for name in properties if name not in set(optional)]
    return {"type": "object", "properties": dict(properties), "required": required}


def query(properties: Mapping[str, Schema], *, patterns: Mapping[str, Schema] | None = None) -> Schema:
    """The parameters of a query; there are no others."""
    schema: dict[str, Any] = {"type": "object", "properties": dict(properties), "additionalProperties": False}
    return schema | ({"patternProperties": dict(patterns)} if patterns else {})


def list_of(item: Schema) -> Schema:
    """A list."""
    return {"type": "array", "items": item}


LINKS: Schema = list_of(members({"href": {"type": "string", "format": "uri"}, "rel": TEXT}))
HANDLE_COUNTS: Mapping[str, Schema] = {"total": COUNT, "free": COUNT, "held": COUNT}
NO_QUERY = query({})


def collection(name: str, item: Schema) -> Schema:
    """The answer to a request for a list."""
    return members({name: list_of(item), f"{name}_links": LINKS}, optional=[f"{name}_links"])
