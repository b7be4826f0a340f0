"""Quotas: list, show, set."""

from typing import Any

from accel.api.call import Call
from accel.api.views import quotas as views
from accel.api.vocabulary import STANDARD
from accel.db import quotas
from accel.model import quota


def index(call: Call) -> dict[str, Any]:
    """The quotas of all projects that the caller may see."""
    page = call.database.read(lambda connection: quotas.find(connection, call.list_query, scope=call.scope))
    body: dict[str, Any] = {"quotas": [views.render(row) for row in page.rows]}
    if page.has_more:
        body["quotas_links"] = [call.next_page(page.rows[-1].project_id)]
    return body


def show(call: Call) -> dict[str, Any]:
    """The quotas of a project."""
    project_id = quota.check_project(call.arguments["project_id"])
    row = call.database.read(lambda connection: quotas.get(connection, project_id, scope=call.scope))
    return {"quota": views.render(row)}


def change(call: Call) -> dict[str, Any]:
    """Set limits of a project; those that are not given stay as they are."""
    project_id = quota.check_project(call.arguments["project_id"])
    limits = quota.check_limits(call.body["quotas"], STANDARD)
    row = call.database.write(lambda connection: quotas.change(connection, project_id, limits, origin=call.origin))
    return {"quota": views.render(row)}
