"""Keys that sign images: list, show, register, revoke."""

from typing import Any
from uuid import uuid4

from accel.api.call import Call
from accel.api.views import collection
from accel.api.views import images as views
from accel.db import image_keys
from accel.db.image_keys import KeyRow
from accel.model.registry import NewKey, check_name, read_public_key


def index(call: Call) -> dict[str, Any]:
    """All keys that the query wants."""
    page = call.database.read(lambda connection: image_keys.find(connection, call.list_query, scope=call.scope))
    return collection.render(call, "image_keys", page, [_body(call, row) for row in page.rows])


def show(call: Call) -> dict[str, Any]:
    """One key."""
    uuid = call.arguments["uuid"]
    return _body(call, call.database.read(lambda connection: image_keys.get(connection, uuid, scope=call.scope)))


def create(call: Call) -> dict[str, Any]:
    """Register a key for the caller's project."""
    new = NewKey(
        uuid=str(uuid4()),
        project_id=call.context.project_id or "",  # the policy lets nobody through who acts for none
        name=check_name(call.body["name"]),
        public_key=read_public_key(call.body["public_key"]),
    )
    return _body(call, call.database.write(lambda connection: image_keys.create(connection, new, origin=call.origin)))


def revoke(call: Call) -> dict[str, Any]:
    """Have nothing loaded any more that a key has signed."""
    uuid, scope, origin = call.arguments["uuid"], call.scope, call.origin
    row = call.database.write(lambda connection: image_keys.revoke(connection, uuid, scope=scope, origin=origin))
    return _body(call, row)


def _body(call: Call, row: KeyRow) -> dict[str, Any]:
    return views.render_key(row, base_url=call.base_url)
