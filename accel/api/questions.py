"""What the body of a call about placement asks for."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from accel.api.refusals import BadRequest
from accel.api.vocabulary import STANDARD
from accel.db import profiles
from accel.db.engine import Connection
from accel.db.requests import MOST_AT_ONCE
from accel.db.scope import Scope
from accel.db.taking import ProfileUsed
from accel.errors import InvalidValue
from accel.model.profile import is_resource_class, shortened
from accel.placement import reading
from accel.placement.wanted import Wanted

MEMBERS = ("device_profile_name", "groups", "together", "nodes", "labels", "exclude_nodes")
"""The members of a body that are the question; others are about what to do with the answer."""


class Question(NamedTuple):
    """What is wanted, and the device profile that says so, if one does."""

    wanted: Wanted
    profile: ProfileUsed | None


def asked(body: Mapping[str, Any]) -> dict[str, Any]:
    """The question of a body, as it was asked."""
    return {name: body[name] for name in MEMBERS if name in body}


def read(connection: Connection, body: Mapping[str, Any], *, scope: Scope) -> Question:
    """The question of a body, whose types are checked.

    :raises BadRequest: it says too much or too little
    :raises NotFound: there is no such device profile
    :raises InvalidValue: a value in it cannot be right
    """
    question = asked(body)
    if ("device_profile_name" in question) == ("groups" in question):
        raise BadRequest("Give either device_profile_name or groups, which say what is wanted")
    if "groups" in question:
        _check_classes(question["groups"])
        return Question(_checked(reading.of_body(question)), None)
    if "together" in question:
        raise BadRequest("together is about groups of the same body; a device profile says it by accel:near")
    profile = profiles.get_by_name(connection, question["device_profile_name"], scope=scope)
    wanted = reading.placed(reading.of_profile(tuple(profile.groups)), question)
    return Question(_checked(wanted), ProfileUsed(profile.id, profile.name))


def _check_classes(groups: list[Mapping[str, Any]]) -> None:
    for number, group in enumerate(groups):
        for name in group.get("resources", ()):
            if not is_resource_class(name, STANDARD):
                expected = "a resource class: give one of os-resource-classes, or CUSTOM_ with A-Z, 0-9, _"
                raise InvalidValue(f"groups[{number}].resources", shortened(name), expected)


def _checked(wanted: Wanted) -> Wanted:
    amount = wanted.nodes * sum(group.count for group in wanted.groups)
    if amount > MOST_AT_ONCE:
        raise InvalidValue("groups", f"{amount} accelerators", f"a question about {MOST_AT_ONCE} at most")
    return wanted
