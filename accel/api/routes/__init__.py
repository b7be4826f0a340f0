"""The whole URL space, as data: a table for each part of it.

Requests are answered from these tables, and the OpenAPI document is made from them. What stands in braces in a path is
whatever stands there in the request.
"""

from typing import Any

from accel.api import openapi
from accel.api.call import Call
from accel.api.handlers import versions
from accel.api.route import Route
from accel.api.routes import images, inventory, jobs, kubernetes, orders, partition, placements, requests
from accel.api.schemas import versions as version_schemas


def describe(call: Call) -> dict[str, Any]:
    """This document: the API in the words of OpenAPI 3.1."""
    return openapi.document(ROUTES, base_url=call.base_url)


ROUTES: tuple[Route, ...] = (
    Route("GET", "/", versions.root, answer=version_schemas.ROOT, has_version=False),
    Route("GET", "/openapi.json", describe, answer=version_schemas.OPENAPI, has_version=False),
    Route("GET", "/v2", versions.version, answer=version_schemas.VERSION),
    *inventory.ROUTES,
    *requests.ROUTES,
    *placements.ROUTES,
    *images.ROUTES,
    *partition.ROUTES,
    *jobs.ROUTES,
    *orders.ROUTES,
    *kubernetes.ROUTES,
)
