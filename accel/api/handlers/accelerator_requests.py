"""Accelerator requests: make, list, show, bind, unbind, delete."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from accel.api import identity
from accel.api.call import Call
from accel.api.microversion import Version
from accel.api.refusals import AccessRefused, BadRequest, NotInThisVersion, Unresolved
from accel.api.uuids import checked_uuid
from accel.api.views import accelerator_requests as views
from accel.api.views import collection
from accel.db import claims, requests, transitions
from accel.db.claims import Changes, Deletion
from accel.db.engine import Connection
from accel.db.paging import Page
from accel.db.requests import Asked, RequestRow
from accel.db.scope import EVERYTHING
from accel.db.transitions import LockedRequest
from accel.errors import InvalidValue, NotFound
from accel.model.profile import is_uuid_like
from accel.model.request import BindTarget, RequestChange

_TAKES_A_PROJECT = Version(2, 1)
_NEEDED = ("hostname", "device_rp_uuid", "instance_uuid")
_PATHS = frozenset({*_NEEDED, "project_id"})
_LONGEST = {"hostname": 255, "device_rp_uuid": 36, "instance_uuid": 255, "project_id": 255}
_MOST_DELETED = 200  # their uuids have to fit into the first line of a request, which servers limit to 8 kB


def index(call: Call) -> dict[str, Any]:
    """All accelerator requests that the query wants.

    :raises Unresolved: those of an instance are asked for when they are resolved, and one of them is not
    """
    query = call.list_query
    filters = [(name, _instance(call, value) if name == "instance" else value) for name, value in query.filters]
    query, wanted = replace(query, filters=filters), dict(filters)

    def read(connection: Connection) -> Page[RequestRow]:
        if wanted.keys() >= {"instance", "bind_state"}:
            waiting = requests.first_unresolved(connection, wanted["instance"], scope=call.scope)
            if waiting is not None:
                raise Unresolved(f"Accelerator request {waiting.uuid} of the instance is {waiting.state}: ask again")
        return requests.find(connection, query, scope=call.scope)

    page = call.database.read(read)
    return collection.render(call, "arqs", page, [_body(call, row) for row in page.rows])


def show(call: Call) -> dict[str, Any]:
    """One accelerator request."""
    uuid = _usual(call.arguments["uuid"])
    return _body(call, call.database.read(lambda connection: requests.get(connection, uuid, scope=call.scope)))


def create(call: Call) -> dict[str, Any]:
    """Ask for the accelerators of a device profile, one request for each."""
    name = call.body["device_profile_name"]
    if not isinstance(name, str):
        if call.says_more:
            raise InvalidValue("device_profile_name", name, "a name")
        (name,) = name
    project_id = call.context.project_id or ""  # the policy lets nobody through who acts for none
    rows = call.claiming.create(Asked(name, project_id, call.scope, call.origin))
    return {"arqs": [_body(call, row) for row in rows]}


def change(call: Call) -> None:
    """Bind and unbind accelerator requests, all or none. A uuid in the path means nothing: the body names them.

    :raises AccessRefused: there is no service token
    """
    if not identity.is_service(call.context):
        raise AccessRefused(
            "This operation requires a service token: accelerators of instances are managed by the Compute API"
        )
    changes = tuple(_change(call, _usual(uuid), operations) for uuid, operations in call.body.items())
    if len({wanted.request for wanted in changes}) < len(changes):
        raise BadRequest("An accelerator request is named twice")
    terms = call.claiming.terms
    left = call.claiming.change(Changes(changes, call.scope, call.origin))
    if left or (terms.tells_nova and any(wanted.target is not None for wanted in changes)):
        call.claiming.leave_to_conductors()


def delete(call: Call) -> None:
    """Delete one accelerator request; several may be named, separated by commas."""
    _delete(call, call.arguments["uuid"])


def delete_several(call: Call) -> None:
    """Delete the accelerator requests of some uuids, or those of an instance.

    :raises BadRequest: the query says both, or neither, or one of them twice
    :raises AccessRefused: they are bound, and there is no service token
    """
    named = dict(call.query)
    if len(call.query) != 1:
        raise BadRequest("Give either arqs, the uuids of accelerator requests, or the instance that has them")
    if "arqs" in named:
        _delete(call, named["arqs"])
        return
    if not identity.is_service(call.context):
        raise AccessRefused(
            "Deleting the accelerator requests of an instance requires a service token: use the Compute API"
        )
    instance = _instance(call, named["instance"])

    def transaction(connection: Connection) -> list[str]:
        found = transitions.lock_of_instance(connection, instance, scope=EVERYTHING)
        transitions.check_alone(found)
        return claims.remove(connection, [(request, call.origin) for request in found])

    if call.database.write(transaction):
        call.claiming.leave_to_conductors()


def _delete(call: Call, named: str) -> None:
    """Delete what is there of the named requests.

    :raises NotFound: one of them was not there
    """
    uuids = [_usual(uuid) for uuid in named.split(",")]
    if len(uuids) > _MOST_DELETED:
        raise BadRequest(f"{len(uuids)} accelerator requests are named; {_MOST_DELETED} can be deleted at once")
    deleted = call.claiming.delete(Deletion(uuids, call.scope, call.origin, partial(_check_unbound, call)))
    if deleted.left:
        call.claiming.leave_to_conductors()
    known = {request.uuid for request in deleted.found}
    for uuid in uuids:
        if uuid not in known:
            raise NotFound("accelerator request", uuid)


def _check_unbound(call: Call, found: Sequence[LockedRequest]) -> None:
    if identity.is_service(call.context):
        return
    for request in found:
        if request.instance_uuid is not None:
            raise AccessRefused(
                f"ARQ {request.uuid} is bound to instance {request.instance_uuid}: without a service token use the "
                "Compute API to manage instance accelerators"
            )


def _change(call: Call, uuid: str, operations: Sequence[Mapping[str, Any]]) -> RequestChange:
    """What the operations on one request come to.

    :raises BadRequest: they are not right
    """
    for number, operation in enumerate(operations):
        if operation["path"].removeprefix("/") not in _PATHS or not operation["path"].startswith("/"):
            known = ", ".join(f"/{name}" for name in sorted(_PATHS))
            raise BadRequest(f"{uuid}[{number}].path: {operation['path']!r} is none of {known}")
    values = {operation["path"].removeprefix("/"): operation.get("value") for operation in operations}
    acts = {operation["op"] for operation in operations}
    if len(acts) != 1 or not acts <= {"add", "remove"}:
        raise BadRequest(f"{uuid}: every op must be add, to bind, or every op remove, to unbind")
    if "project_id" in values:
        _check_project(call)
    if acts == {"remove"}:
        return RequestChange(request=uuid)
    return RequestChange(request=uuid, target=_target(uuid, values))


def _check_project(call: Call) -> None:
    if call.version < _TAKES_A_PROJECT:
        raise NotInThisVersion(f"A project is given from version {_TAKES_A_PROJECT}")
    if not call.scope.sees_all:
        raise AccessRefused("Only an administrator gives an accelerator request to another project")


def _target(uuid: str, values: Mapping[str, Any]) -> BindTarget:
    missing = [name for name in _NEEDED if values.get(name) is None or values[name] == ""]
    if missing:
        raise BadRequest(f"{uuid}: {', '.join(missing)} must be added to bind")
    for name, value in values.items():
        if not isinstance(value, str) or not 0 < len(value) <= _LONGEST[name] or "\0" in value:
            raise BadRequest(f"{uuid}.{name}: {str(value)[:100]!r} is no text of 1 to {_LONGEST[name]} characters")
    return BindTarget(
        hostname=values["hostname"],
        device_rp_uuid=_usual(values["device_rp_uuid"]),
        instance_uuid=_usual(values["instance_uuid"]),
        project_id=values.get("project_id"),
    )


def _instance(call: Call, text: str) -> str:
    """The instance that a query means; before 2.4 it must be a UUID, after that it may be called otherwise.

    :raises InvalidValue: it is none
    """
    return _usual(text) if call.says_more else checked_uuid("instance", text)


def _usual(text: str) -> str:
    """A UUID in its usual form, anything else as it is."""
    return checked_uuid("", text) if is_uuid_like(text) else text


def _body(call: Call, row: RequestRow) -> dict[str, Any]:
    return views.render(row, version=call.version, base_url=call.base_url)
