"""What the body of a call about placement asks for."""

from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple

from accel.api.call import Call
from accel.api.refusals import BadRequest
from accel.api.vocabulary import STANDARD
from accel.db import profiles
from accel.db.requests import MOST_AT_ONCE
from accel.db.taking import ProfileUsed
from accel.errors import InvalidValue
from accel.model.profile import is_resource_class, shortened
from accel.placement import reading
from accel.placement.wanted import Wanted

MEMBERS = ("device_profile_name", "groups", "together", "nodes", "labels", "exclude_nodes")
"""The members of a body that are the question; others are about what to do with the answer."""


class Question(NamedTuple):
    """What is wanted, and the device profile that says so, if one does."""

    asked: dict[str, Any]
    """The question, as it was asked."""
    wanted: Wanted
    profile: ProfileUsed | None


def read(call: Call) -> Question:
    """The question of a call, the types of whose body are checked.

    :raises BadRequest: it says too much or too little
    :raises NotFound: there is no such device profile
    :raises InvalidValue: a value in it cannot be right
    """
    asked = {name: call.body[name] for name in MEMBERS if name in call.body}
    if ("device_profile_name" in asked) == ("groups" in asked):
        raise BadRequest("Give either device_profile_name or groups, which say what is wanted")
    if "groups" in asked:
        _check_classes(asked["groups"])
        return Question(asked, _checked(reading.of_body(asked)), None)
    if "together" in asked:
        raise BadRequest("together is about groups of the same body; a device profile says it by accel:near")
    profile = call.database.read(partial(profiles.get_by_name, name=asked["device_profile_name"], scope=call.scope))
    wanted = reading.placed(reading.of_profile(tuple(profile.groups)), asked)
    return Question(asked, _checked(wanted), ProfileUsed(profile.id, profile.name))


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
