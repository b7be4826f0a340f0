"""Query and body against their JSON Schemas.

The schemas are the ones that the OpenAPI document shows, so what it promises is what is checked. A query parameter is
text; its schema says what it is read as.
"""

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import Any

import jsonschema
import orjson

from accel.api.refusals import BadRequest, UnsupportedMediaType
from accel.api.schemas.common import TEXT, WITHOUT_NUL, Schema

_JSON = "application/json"
_DEEPEST = 100
_LONGEST_MESSAGE = 300
_LONGEST_VALUE = 100
_MOST_ERRORS = 100
_TRUTH = {"true": True, "1": True, "false": False, "0": False}


def read_query(pairs: Iterable[tuple[str, str]], schema: Schema) -> list[tuple[str, Any]]:
    """The parameters of a request, as what their schemas say they are.

    An empty one is an absent one, unless its schema has a ``minLength`` of 0.

    :param schema: of an object whose members are the parameters
    :raises BadRequest: a parameter is unknown, or is not what it must be
    """
    known = [(name, text, _schema_of(name, schema)) for name, text in pairs]
    return [
        (name, _read(name, text, of_name)) for name, text, of_name in known if text or of_name.get("minLength") == 0
    ]


def _schema_of(name: str, schema: Schema) -> Schema:
    if name in schema["properties"]:
        found: Schema = schema["properties"][name]
        return found
    for pattern, found in schema.get("patternProperties", {}).items():
        if re.fullmatch(pattern, name):
            return found
    raise BadRequest(f'Unknown argument: "{name[:_LONGEST_MESSAGE]}"')


def _read(name: str, text: str, schema: Schema) -> Any:
    value: Any = text
    if schema.get("type") == "integer" and re.fullmatch(r"-?\d{1,18}", text, re.ASCII):
        value = int(text)
    elif schema.get("type") == "boolean":
        value = _TRUTH.get(text.lower(), text)
    elif schema.get("format") == "date-time":
        return _read_moment(name, text)
    check(value, schema, where=name)
    return value


def _read_moment(name: str, text: str) -> datetime:
    """A time of ISO 8601, in UTC unless it says otherwise; a plus sign that came as a blank is mended."""
    try:
        moment = datetime.fromisoformat(text.replace(" ", "+") if "T" in text else text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise BadRequest(f"{name}: {text[:40]!r} is no time such as 2026-11-21T03:29:50+00:00") from error


def read_body(body: bytes, media_type: str, schema: Schema) -> Any:
    """The body of a request, checked. What its schema calls an integer is an ``int``, in whatever way it was written.

    :param media_type: the header Content-Type, empty when there is none
    :raises UnsupportedMediaType: it says that it is not JSON
    :raises BadRequest: it is missing, is no JSON, is nested too deeply, or is not what the schema says
    """
    if not body.strip():
        raise BadRequest('Missing argument: "body"')
    if not media_type:
        raise BadRequest(f"The body needs the header Content-Type: {_JSON}")
    if media_type.partition(";")[0].strip().lower() != _JSON:
        raise UnsupportedMediaType(f"Unknown mimetype: {media_type[:_LONGEST_MESSAGE]}")
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BadRequest(f"The body is no JSON: {error}") from error
    if body.count(b"[") + body.count(b"{") > _DEEPEST:
        _check_depth(value)
    if _error(value, schema) is not None:
        value = _with_integers(value)
        check(value, schema, where="body")
    return value


def _check_depth(value: Any) -> None:
    """Refuse what could be neither shown in a message nor sent back."""
    level: list[list[Any] | dict[str, Any]] = [[value]]
    for _ in range(_DEEPEST + 1):
        level = [item for container in level for item in _inside(container) if isinstance(item, list | dict)]
    if level:
        raise BadRequest(f"The body is nested more than {_DEEPEST} levels deep")


def _inside(container: list[Any] | dict[str, Any]) -> Iterable[Any]:
    return container.values() if isinstance(container, dict) else container


def _with_integers(value: Any) -> Any:
    """A value of JSON with all whole numbers in it as ``int``: to JSON 3.0 and 3e0 are what 3 is."""
    outermost = [value]
    containers: list[Any] = [outermost]
    while containers:
        container = containers.pop()
        for key, item in list(enumerate(container) if isinstance(container, list) else container.items()):
            if isinstance(item, float) and item.is_integer():
                container[key] = int(item)
            elif isinstance(item, list | dict):
                containers.append(item)
    return outermost[0]


def check(value: Any, schema: Schema, *, where: str) -> None:
    """Make sure that a value is what its schema says.

    :param where: what the value is, as whoever sent it knows it
    :raises BadRequest: it is not
    """
    error = _error(value, schema)
    if error is not None:
        place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.absolute_path)
        raise BadRequest(f"{where}{place}: {_message(error)[:_LONGEST_MESSAGE]}")


def _error(value: Any, schema: Schema) -> jsonschema.ValidationError | None:
    """Of what is wrong with a value the most telling; of a long list of mistakes, that of the first of them."""
    validator = _validator(schema)
    if validator.is_valid(value):
        return None
    errors = islice(validator.iter_errors(value), _MOST_ERRORS)
    found: jsonschema.ValidationError | None = jsonschema.exceptions.best_match(errors)
    return found


def _message(error: jsonschema.ValidationError) -> str:
    """What is wrong; of a value that is none of several things, what each of them is."""
    return " and ".join(_message(one) for one in error.context or ()) or _shortened(error)


def _shortened(error: jsonschema.ValidationError) -> str:
    """What is wrong with a value, which it begins with, is told even where the value is long."""
    whole = repr(error.instance)
    value = whole if len(whole) <= _LONGEST_VALUE else f"{whole[:_LONGEST_VALUE]}…"
    if error.validator == "pattern" and error.validator_value == WITHOUT_NUL:
        return f"{value} has the character NUL in it"
    return error.message.replace(whole, value)


def _items(validator: Any, schema: Any, value: Any, parent: Any) -> Iterator[jsonschema.ValidationError]:
    """The keyword ``items``, much faster for long lists of any texts that are right, or that are too long."""
    if isinstance(value, list) and len(value) > parent.get("maxItems", len(value)):
        return
    if schema != TEXT or not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        yield from _DRAFT.VALIDATORS["items"](validator, schema, value, parent)


def _is_int(_checker: object, value: object) -> bool:
    """Whether the code behind a schema can count with it: a float that is whole it cannot."""
    return isinstance(value, int) and not isinstance(value, bool)


_DRAFT = jsonschema.Draft202012Validator
_Validator = jsonschema.validators.extend(  # type: ignore[no-untyped-call] # its stubs lack it
    _DRAFT, {"items": _items}, type_checker=_DRAFT.TYPE_CHECKER.redefine("integer", _is_int)
)


_validators: dict[int, tuple[Schema, Any]] = {}


def _validator(schema: Schema) -> Any:
    """The one of a schema; it is kept with it, as schemas are made once for the table of routes."""
    known = _validators.get(id(schema))
    if known is None:
        known = _validators[id(schema)] = (schema, _Validator(schema))
    return known[1]
