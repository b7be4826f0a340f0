"""To JSON 3.0 and 3e0 are the integer 3: wherever a schema says integer, the code behind it gets one."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from accel.api.refusals import BadRequest
from accel.api.routes import ROUTES
from accel.api.schemas.common import Schema
from accel.api.validation import read_body

NAME = "A"
"""A name that suits all who let the client name members."""


def bodies(schema: Schema, path: str = "body") -> Iterator[tuple[str, Any]]:
    """For each integer that a schema knows: where it is, and something right that has one there."""
    if "integer" in types(schema):
        yield path, schema.get("minimum", 7)
    alternatives = [schema[word] for word in ("then", "else") if word in schema]
    for one in [*schema.get("anyOf", ()), *alternatives]:
        yield from bodies(one, path)
    members = dict(schema.get("properties", {}))
    if isinstance(schema.get("additionalProperties"), Mapping):
        members[NAME] = schema["additionalProperties"]
    for name, member in members.items():
        for place, value in bodies(member, f"{path}.{name}"):
            yield place, {**example(schema), name: value}
    if "items" in schema:
        for place, value in bodies(schema["items"], f"{path}[]"):
            yield place, [value]


def example(schema: Schema) -> Any:
    """Something right that has no more than it must, or that the schema itself shows."""
    if "examples" in schema:
        return schema["examples"][0]
    if "enum" in schema:
        return schema["enum"][0]
    if "object" in types(schema):
        return {name: example(schema["properties"][name]) for name in schema.get("required", ())}
    if "array" in types(schema):
        return [example(schema["items"])] * schema.get("minItems", 0)
    return schema["minimum"] if "integer" in types(schema) else "00000000-0000-4000-8000-000000000000"


def types(schema: Schema) -> list[str]:
    found = schema.get("type", [])
    return [found] if isinstance(found, str) else found


def with_floats(value: Any) -> Any:
    """The same, with each integer written with a point."""
    match value:
        case dict():
            return {name: with_floats(member) for name, member in value.items()}
        case list():
            return [with_floats(item) for item in value]
        case int() if not isinstance(value, bool):
            return float(value)
        case _:
            return value


def read(value: Any, schema: Schema) -> Any:
    return read_body(json.dumps(value).encode(), "application/json", schema)


INTEGERS = [
    pytest.param(route.body, body, id=f"{route.method} {route.path} {path}")
    for route in ROUTES
    if route.body is not None
    for path, body in bodies(route.body)
]


def test_there_are_integers_in_the_bodies_of_many_routes() -> None:
    assert len(INTEGERS) >= 30


@pytest.mark.parametrize(("schema", "body"), INTEGERS)
def test_an_integer_written_with_a_point_is_an_integer(schema: Schema, body: Any) -> None:
    assert "." in json.dumps(with_floats(body))
    assert json.dumps(read(with_floats(body), schema)) == json.dumps(read(body, schema))


@pytest.mark.parametrize("text", ["3.5", "1e-3", "true", '"3"', "null"])
def test_what_is_no_whole_number_is_no_integer(text: str) -> None:
    with pytest.raises(BadRequest, match="is not of type 'integer'"):
        read(json.loads(text), {"type": "integer"})


def test_what_may_be_any_number_stays_as_it_was_written() -> None:
    assert repr(read({"a": 3.0}, {"additionalProperties": {"type": "number"}})) == "{'a': 3.0}"


@pytest.mark.parametrize("text", ["1e20", "100000000000000000000"])
def test_a_number_that_is_too_large_is_refused_in_full(text: str) -> None:
    with pytest.raises(BadRequest, match=r"^body: 100000000000000000000 is greater than the maximum of 9$"):
        read_body(text.encode(), "application/json", {"type": "integer", "maximum": 9})
