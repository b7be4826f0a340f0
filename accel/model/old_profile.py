"""What clients of the API before 2.4 may send as a device profile.

The rules are those of OpenStack's Cyborg, in its order, because its clients and its tests know them: among them that an
empty and an over-long name are answered as if they were the server's fault. New clients meet ``accel.model.profile``.
"""

from collections.abc import Iterable

from accel.errors import InvalidValue, ReferenceFault
from accel.model.profile import (
    MAX_NAME_LENGTH,
    NAME,
    PROPERTY,
    RESOURCES,
    TRAIT,
    TRAIT_VALUES,
    GivenGroup,
    Groups,
    shortened,
    stripped,
    whole,
)

RESOURCE_CLASSES = ("FPGA", "GPU", "VGPU", "PGPU")
_CUSTOM = "CUSTOM_"


def checked(name: str | None, given: Iterable[GivenGroup] | None) -> tuple[str, Groups]:
    """Name and groups of a new profile, in the form that is kept.

    :raises ReferenceFault: there is no name, or it is too long
    :raises InvalidValue: something else is not right
    """
    if not name:
        raise ReferenceFault("name", name, "a name")
    if not NAME.fullmatch(name):
        raise InvalidValue("name", shortened(name), "a name of letters, digits, _ and -")
    groups = whole(tuple(map(stripped, given or ())))
    for number, group in enumerate(groups):
        for key, value in group.items():
            _check_entry(f"groups[{number}]", key, value)
    if len(name) > MAX_NAME_LENGTH:
        raise ReferenceFault("name", shortened(name), f"a name of {MAX_NAME_LENGTH} characters at most")
    return name, groups


def _check_entry(field: str, key: str, value: str) -> None:
    if key.startswith(TRAIT):
        _check_trait(field, key, value)
    elif key.startswith(RESOURCES):
        _check_resource(field, key, value)
    elif not key.startswith(PROPERTY):
        raise InvalidValue(field, shortened(key), f"a key that begins with {RESOURCES}, {TRAIT} or {PROPERTY}")


def _check_trait(field: str, key: str, value: str) -> None:
    if not key.startswith(f"{TRAIT}{_CUSTOM}"):
        raise InvalidValue(field, shortened(key), f"a trait that begins with {_CUSTOM}; others come with version 2.4")
    if value not in TRAIT_VALUES:
        raise InvalidValue(f"{field}.{shortened(key)}", shortened(value), " or ".join(TRAIT_VALUES))


def _check_resource(field: str, key: str, value: str) -> None:
    name = key.removeprefix(RESOURCES)
    if name not in RESOURCE_CLASSES and not name.startswith(_CUSTOM):
        expected = f"one of {', '.join(RESOURCE_CLASSES)} or {_CUSTOM}…; others come with version 2.4"
        raise InvalidValue(field, shortened(key), expected)
    try:
        int(value)
    except ValueError as error:
        raise InvalidValue(f"{field}.{shortened(key)}", shortened(value), "a whole number") from error
