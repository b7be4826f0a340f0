"""A quota: how many accelerators of a resource class a project may hold."""

import re
from collections.abc import Mapping

from accel.errors import InvalidValue
from accel.model.old_profile import RESOURCE_CLASSES
from accel.model.profile import Vocabulary, is_resource_class, shortened

MAX_PROJECT_LENGTH = 255
_CUSTOM_BEFORE_2_4 = re.compile(r"CUSTOM_[A-Za-z0-9_]{1,248}", re.ASCII)


def check_project(project_id: str) -> str:
    """The id, if a project can have it: Keystone has the same limit.

    :raises InvalidValue: it cannot
    """
    if not project_id.isprintable() or project_id != project_id.strip() or len(project_id) > MAX_PROJECT_LENGTH:
        expected = f"the id of a project: {MAX_PROJECT_LENGTH} printable characters at most, no blank at either end"
        raise InvalidValue("project_id", shortened(project_id), expected)
    return project_id


def check_limits(limits: Mapping[str, int], vocabulary: Vocabulary) -> Mapping[str, int]:
    """The limits, if each is for a resource class that a device profile may ask for, in any version of the API.

    :raises InvalidValue: there is no such class
    """
    for name in limits:
        is_old = name in RESOURCE_CLASSES or _CUSTOM_BEFORE_2_4.fullmatch(name)
        if not is_old and not is_resource_class(name, vocabulary):
            expected = "a resource class: give one of os-resource-classes, or CUSTOM_ with A-Z, 0-9, _"
            raise InvalidValue("quotas", shortened(name), expected)
    return limits
