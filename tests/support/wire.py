"""The form of messages, in short: it changes when anything does that another release would have to know."""

import hashlib
import json
from typing import Any

import msgspec


def fingerprint(*messages: type) -> str:
    """Sixteen digits that stand for the JSON Schema of messages and all they are made of, without what is prose."""
    _, schemas = msgspec.json.schema_components(messages)
    text = json.dumps(_without_prose(schemas), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _without_prose(schema: Any) -> Any:
    if isinstance(schema, dict):
        return {key: _without_prose(value) for key, value in schema.items() if key != "description"}
    if isinstance(schema, list):
        return [_without_prose(value) for value in schema]
    return schema
