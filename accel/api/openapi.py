"""The OpenAPI 3.1 document, made from the table of routes: it cannot say anything else than what is checked."""

import re
from collections.abc import Iterable, Iterator, Mapping
from http import HTTPStatus
from typing import Any

from accel.api.microversion import HEADER, NEWEST, OLDEST, SERVICE_TYPE, VERSIONS
from accel.api.route import Route
from accel.api.schemas.common import Schema
from accel.api.schemas.errors import ERROR

_JSON = "application/json"
_BYTES = "application/octet-stream"
_ANY_BYTES: Schema = {"type": "string", "format": "binary"}
_VERSION_PARAMETER = {"$ref": "#/components/parameters/version"}
_ERROR_ANSWER = {"$ref": "#/components/responses/error"}
_SECURITY_SCHEMES = {
    "token": {"type": "apiKey", "in": "header", "name": "X-Auth-Token", "description": "Where Keystone is asked."},
    "password": {"type": "http", "scheme": "basic", "description": "Where users are in files."},
}


def document(routes: Iterable[Route], *, base_url: str) -> dict[str, Any]:
    """The document of these routes.

    :param base_url: where they are mounted
    """
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "accel",
            "version": str(NEWEST),
            "summary": "One control plane for every accelerator of a fleet",
            "description": "\n".join(f"* {version}: {text}" for version, text in VERSIONS.items()),
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": base_url}],
        "security": [{name: []} for name in _SECURITY_SCHEMES] + [{}],
        "paths": paths,
        "components": {
            "securitySchemes": _SECURITY_SCHEMES,
            "parameters": {"version": _version_parameter()},
            "schemas": {"error": ERROR},
            "responses": {
                "error": {
                    "description": "The request was refused or failed; the body says why.",
                    "content": {_JSON: {"schema": {"$ref": "#/components/schemas/error"}}},
                }
            },
        },
    }


def _operation(route: Route) -> dict[str, Any]:
    summary = (route.handler.__doc__ or "").partition("\n")[0]
    operation: dict[str, Any] = {
        "operationId": _operation_id(route),
        "summary": summary,
        "parameters": [*_path_parameters(route), *_query_parameters(route.query), *_header_parameters(route)],
        "responses": {
            **{str(status.value): _success(route, status) for status in (route.success, *route.other_successes)},
            "default": _ERROR_ANSWER,
        },
    }
    if route.policy is None:
        operation["security"] = []
    if route.body is not None:
        operation["requestBody"] = {"required": True, "content": {_JSON: {"schema": route.body}}}
    if route.takes_bytes:
        operation["requestBody"] = {"required": True, "content": {_BYTES: {"schema": _ANY_BYTES}}}
    if route.since > OLDEST:
        operation["description"] = f"From version {route.since}."
    return operation


def _operation_id(route: Route) -> str:
    """A name of letters, digits and underscores that no other operation has."""
    return re.sub(r"\W+", "_", f"{route.method.lower()}{route.path}").strip("_")


def _path_parameters(route: Route) -> Iterator[Mapping[str, Any]]:
    for name in re.findall(r"\{(\w+)\}", route.path):
        yield {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}


def _query_parameters(schema: Schema) -> Iterator[Mapping[str, Any]]:
    for name, parameter in schema["properties"].items():
        yield {"name": name, "in": "query", "schema": parameter}
    for pattern, parameter in schema.get("patternProperties", {}).items():
        # OpenAPI has no parameters with a pattern for a name: an object whose members are parameters comes nearest.
        members = {"type": "object", "propertyNames": {"pattern": f"^{pattern}$"}, "additionalProperties": parameter}
        yield {"name": re.split(r"\W", pattern)[0], "in": "query", "style": "form", "explode": True, "schema": members}


def _header_parameters(route: Route) -> Iterator[Mapping[str, Any]]:
    if route.has_version:
        yield _VERSION_PARAMETER


def _success(route: Route, status: HTTPStatus) -> dict[str, Any]:
    if route.gives_bytes:
        return {"description": status.phrase, "content": {_BYTES: {"schema": _ANY_BYTES}}}
    if route.answer is None:
        return {"description": status.phrase}
    return {"description": status.phrase, "content": {_JSON: {"schema": route.answer}}}


def _version_parameter() -> dict[str, Any]:
    return {
        "name": HEADER,
        "in": "header",
        "description": f"The version that is asked for; {OLDEST} unless given.",
        "schema": {"enum": [f"{SERVICE_TYPE} {version}" for version in (*VERSIONS, "latest")]},
    }
