"""Device profiles: list, show, create, change, delete."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import uuid4

from accel.api import validation
from accel.api.call import Call
from accel.api.microversion import Version
from accel.api.refusals import AccessRefused, BadRequest, NotInThisVersion
from accel.api.schemas import device_profiles as schemas
from accel.api.uuids import checked_uuid
from accel.api.views import collection
from accel.api.views import device_profiles as views
from accel.api.vocabulary import STANDARD
from accel.db import profiles
from accel.db.engine import Connection
from accel.db.profiles import ProfileRow
from accel.errors import ReferenceFault, UuidInUse
from accel.model import old_profile, profile, steps
from accel.model.profile import DeviceProfile, Groups, is_uuid_like
from accel.placement import reading

SHOWS_BY_NAME = Version(2, 2)

_MOST_DELETED = 1000
"""So many may be named in one request."""


def index(call: Call) -> dict[str, Any]:
    """All device profiles that the query wants."""
    page = call.database.read(lambda connection: profiles.find(connection, call.list_query, scope=call.scope))
    return collection.render(call, "device_profiles", page, [_body(call, row) for row in page.rows])


def show(call: Call) -> dict[str, Any]:
    """One device profile.

    :raises NotInThisVersion: it is named before 2.2
    """
    key = call.arguments["profile"]
    if call.version < SHOWS_BY_NAME and not is_uuid_like(key):
        raise NotInThisVersion(
            f"A device profile is shown by its name from version {SHOWS_BY_NAME}; before, by its uuid"
        )
    row = call.database.read(lambda connection: profiles.get(connection, key, scope=call.scope))
    return views.render_one(row, version=call.version, base_url=call.base_url)


def create(call: Call) -> dict[str, Any]:
    """Make a device profile.

    :raises ReferenceFault: before 2.4, another one has the uuid
    """
    new = _new(call, call.body[0]) if call.says_more else _new_before_2_4(call, call.body[0])
    try:
        row = call.database.write(lambda connection: profiles.create(connection, new, origin=call.origin))
    except UuidInUse as error:
        if call.says_more:
            raise
        raise ReferenceFault("uuid", error.uuid, "a uuid that no other device profile has") from error
    return _body(call, row)


def replace(call: Call) -> dict[str, Any]:
    """Change all of a device profile: what is not given is as in a new one."""
    unless_given = {"description": None, "project_id": call.scope.project_id, "is_public": True}
    return _change(call, {**unless_given, **call.body})


def update(call: Call) -> dict[str, Any]:
    """Change what is given of a device profile."""
    return _change(call, call.body)


def delete(call: Call) -> None:
    """Delete a device profile; several may be named, separated by commas."""
    _delete(call, call.arguments["profile"])


def delete_several(call: Call) -> None:
    """Delete the device profiles that the query names, all or none.

    :raises BadRequest: it names none, or in several parameters
    """
    named = [text for _value, text in call.query]
    if not named:
        raise BadRequest('Missing argument: "value"')
    if len(named) > 1:
        raise BadRequest("value is there more than once; give all names and uuids in one, separated by commas")
    _delete(call, named[0])


def _delete(call: Call, named: str) -> None:
    keys = named.split(",")
    if len(keys) > _MOST_DELETED:
        raise BadRequest(f"{len(keys)} device profiles are named; {_MOST_DELETED} can be deleted at once")
    call.database.write(lambda connection: profiles.remove(connection, keys, scope=call.scope, origin=call.origin))


def _body(call: Call, row: ProfileRow) -> dict[str, Any]:
    return views.render(row, version=call.version, base_url=call.base_url)


def _new(call: Call, wanted: Mapping[str, Any]) -> DeviceProfile:
    project_id = wanted.get("project_id", call.scope.project_id)
    is_public = wanted.get("is_public", True)
    name = profile.check_name(wanted.get("name"))
    groups = _read_groups(wanted.get("groups"))
    _check_owner(call, project_id, is_public=is_public)
    return DeviceProfile(
        uuid=_new_uuid(wanted),
        name=name,
        description=_text(wanted.get("description")),
        groups=groups,
        is_public=is_public,
        project_id=project_id,
    )


def _new_before_2_4(call: Call, wanted: Mapping[str, Any]) -> DeviceProfile:
    name, groups = old_profile.checked(wanted.get("name"), wanted.get("groups"))
    return DeviceProfile(
        uuid=_new_uuid(wanted),
        name=name,
        description=_text(wanted.get("description")),
        groups=groups,
        project_id=call.scope.project_id,
    )


def _new_uuid(wanted: Mapping[str, Any]) -> str:
    given = wanted.get("uuid")
    return str(uuid4()) if given is None else checked_uuid("uuid", given)


def _text(description: str | int | None) -> str | None:
    return None if description is None else str(description)


def _read_groups(given: Sequence[Mapping[str, Any]] | None) -> Groups:
    for number, group in enumerate(given or ()):
        validation.check(profile.properties(group), schemas.PROPERTIES, where=f"groups[{number}]")
        steps.check_image_keys(group)
    groups = profile.read_groups(given, STANDARD)
    reading.check_properties(groups)
    return groups


def _check_owner(call: Call, project_id: str | None, *, is_public: bool) -> None:
    """Make sure that a profile has an owner where it needs one, and that it is the caller's to give.

    :raises AccessRefused: it is not
    """
    if not call.scope.sees_all and project_id != call.scope.project_id:
        raise AccessRefused("A device profile belongs to the project of whoever makes it")
    profile.check_owner(project_id, is_public=is_public)


def _change(call: Call, body: Mapping[str, Any]) -> dict[str, Any]:
    changes = {name: value for name, value in body.items() if name != "version"}
    if "name" in changes:
        profile.check_name(changes["name"])
    if "groups" in changes:
        changes["groups"] = list(_read_groups(changes["groups"]))

    def transaction(connection: Connection) -> ProfileRow:
        row = profiles.get_to_change(connection, call.arguments["profile"], scope=call.scope)
        if changes.keys() & {"project_id", "is_public"}:
            after = row._asdict() | changes
            _check_owner(call, after["project_id"], is_public=after["is_public"])
        return profiles.change(connection, row, changes, version=body["version"], origin=call.origin)

    return _body(call, call.database.write(transaction))
