"""What the API has, its documentation names."""

from pathlib import Path

import pytest

from accel import errors
from accel.api.faults import STATUSES
from accel.api.microversion import VERSIONS, Version
from accel.api.route import Route
from accel.api.routes import ROUTES

TEXT = (Path(__file__).parents[2] / "docs" / "api" / "index.rst").read_text()
# The same by another path, and the refusal of one without a name.
UNNAMED = {("PATCH", "/v2/deployables/{uuid}/program/{again}"), ("DELETE", "/v2/attributes")}


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_every_route_is_documented(route: Route) -> None:
    method, path = route.method, route.path

    assert (method, path) in UNNAMED or f"``{method} {path}``" in TEXT


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_every_filter_is_documented(route: Route) -> None:
    for name in route.query["properties"]:
        assert name in TEXT


@pytest.mark.parametrize("version", VERSIONS, ids=str)
def test_every_version_is_documented(version: Version) -> None:
    assert f"\n{version}  " in TEXT


@pytest.mark.parametrize("error", [*STATUSES, errors.DatabaseUnavailable], ids=lambda error: error.code)
def test_every_error_is_documented_with_its_status(error: type[errors.AccelError]) -> None:
    status = next(STATUSES[parent] for parent in error.__mro__ if parent in STATUSES)

    (line,) = [line for line in TEXT.splitlines() if line.startswith(f"``{error.code}``")]
    assert f" {status.value} " in line
