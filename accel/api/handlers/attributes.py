"""Attributes: list, show, create, delete."""

from typing import Any, NoReturn

from accel.api.call import Call
from accel.api.refusals import BadRequest
from accel.api.schemas.common import MAX_INTEGER
from accel.api.uuids import checked_uuid
from accel.api.views import attributes as views
from accel.api.views import collection
from accel.db import attributes
from accel.errors import NotFound


def index(call: Call) -> dict[str, Any]:
    """All attributes that the query wants."""
    page = call.database.read(lambda connection: attributes.find(connection, call.list_query))
    return collection.render(call, "attributes", page, [views.render(row, base_url=call.base_url) for row in page.rows])


def show(call: Call) -> dict[str, Any]:
    """One attribute."""
    uuid = checked_uuid("uuid", call.arguments["uuid"])
    row = call.database.read(lambda connection: attributes.get(connection, uuid))
    return views.render(row, base_url=call.base_url)


def create(call: Call) -> dict[str, Any]:
    """Add an attribute to a deployable, which is named by its integer id or by its UUID.

    :raises InvalidValue: it is named by neither
    """
    wanted = call.body.get("attribute", call.body)
    deployable = _deployable(wanted["deployable_id"])
    row = call.database.write(
        lambda connection: attributes.create(
            connection, deployable, key=wanted["key"], value=wanted["value"], origin=call.origin
        )
    )
    return views.render(row, base_url=call.base_url)


_MOST_DIGITS = 10
"""A text of more digits can be a UUID only."""


def _deployable(given: int | str) -> int | str:
    text = str(given)
    if not text.isdecimal() or len(text) > _MOST_DIGITS:
        return checked_uuid("deployable_id", text)
    if int(text) > MAX_INTEGER:
        raise NotFound("deployable", text)
    return int(text)


def delete(call: Call) -> None:
    """Remove an attribute."""
    call.database.write(lambda connection: attributes.remove(connection, call.arguments["uuid"], origin=call.origin))


def delete_nothing(call: Call) -> NoReturn:  # noqa: ARG001 - every handler takes the call
    """Refuse to remove an attribute that nobody named.

    :raises BadRequest: always
    """
    raise BadRequest('Missing argument: "uuid"')
