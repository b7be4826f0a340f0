"""A device profile: a named description of what a workload needs, and what is right in one.

A profile has groups. Each group says what one kind of accelerator must be: texts by keys that begin with ``resources:``
(how many of a resource class), ``trait:`` (what it must or must not have) or ``accel:`` (what we make of it ourselves).
Nova reads the groups and asks OpenStack Placement by them.

These are our own rules. What clients of the API before 2.4 may send is in ``accel.model.old_profile``.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from uuid import UUID

from accel.errors import InvalidValue

Group = Mapping[str, str]
Groups = tuple[Group, ...]
GivenGroup = Mapping[str, str | int]
"""A group as somebody gave it: amounts may be numbers, and names have blanks around them."""

RESOURCES = "resources:"
TRAIT = "trait:"
PROPERTY = "accel:"
TRAIT_VALUES = ("required", "forbidden")
MAX_NAME_LENGTH = 255

NAME = re.compile(r"[a-zA-Z0-9_-]+", re.ASCII)
_CUSTOM = re.compile(r"CUSTOM_[A-Z0-9_]{1,248}", re.ASCII)
_AMOUNT = re.compile(r"[1-9][0-9]{0,8}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceProfile:
    """A named description of what a workload needs."""

    uuid: str
    name: str
    description: str | None
    groups: Groups
    is_public: bool = True
    """Whether every project sees it; else only its own does."""
    project_id: str | None = None
    """The project that it belongs to; None for nobody's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Vocabulary:
    """The standard names that OpenStack has agreed on, beside which anybody may have ``CUSTOM_`` ones."""

    traits: frozenset[str]
    resource_classes: frozenset[str]


def is_uuid_like(text: str) -> bool:
    """Whether a text is taken for a UUID where a UUID or a name may stand."""
    try:
        return bool(UUID(text))
    except ValueError:
        return False


def check_name(name: str | None) -> str:
    """The name, if a profile can have it.

    :raises InvalidValue: it cannot
    """
    if not name or len(name) > MAX_NAME_LENGTH or not NAME.fullmatch(name) or is_uuid_like(name):
        expected = f"a name of 1 to {MAX_NAME_LENGTH} letters, digits, _ and - that is no uuid"
        raise InvalidValue("name", shortened(name), expected)
    return name


def read_groups(given: Iterable[GivenGroup] | None, vocabulary: Vocabulary) -> Groups:
    """Groups in the form that is kept. Properties are not looked at: their schema is the API's.

    :raises InvalidValue: something in them is not right
    """
    groups = [dict(group) for group in given or ()]
    for number, group in enumerate(groups):
        for field, value, expected in _mistakes(group, vocabulary):
            raise InvalidValue(f"groups[{number}]{field}", shortened(value), expected)
    return whole(tuple(map(stripped, groups)))


def whole(groups: Groups) -> Groups:
    """The groups, if there are any.

    :raises InvalidValue: there are none
    """
    if not groups:
        raise InvalidValue("groups", [], "a list of one group at least")
    return groups


def check_owner(project_id: str | None, *, is_public: bool) -> None:
    """Make sure that somebody sees the profile.

    :raises InvalidValue: it is private and belongs to no project
    """
    if not is_public and not project_id:
        raise InvalidValue("project_id", project_id, "the project of a profile that is not public")


def stripped(group: GivenGroup) -> dict[str, str]:
    """A group with names that have no blanks around them; those that had some come last, as clients know it."""
    found = {key: str(value) for key, value in group.items()}
    for key in group:
        if (name := _stripped_key(key)) != key:
            found[name] = found.pop(key)
    return found


def properties(group: GivenGroup) -> dict[str, str | int]:
    """What a group says by keys of our own."""
    return {key: value for key, value in group.items() if key.startswith(PROPERTY)}


def shortened(value: object) -> object:
    """A value as an error shows it: the beginning of a long text."""
    return f"{value[:100]}…" if isinstance(value, str) and len(value) > 100 else value


def is_resource_class(name: str, vocabulary: Vocabulary) -> bool:
    """Whether a group may ask for a resource class of this name."""
    return name in vocabulary.resource_classes or _CUSTOM.fullmatch(name) is not None


def _stripped_key(key: str) -> str:
    kind, _, name = key.partition(":")
    return f"{kind}:{name.strip(' ')}" if key.startswith((RESOURCES, TRAIT)) else key


def _mistakes(group: GivenGroup, vocabulary: Vocabulary) -> Iterator[tuple[str, object, str]]:
    """Field, value and what would be right."""
    for key, value in group.items():
        name = _stripped_key(key)
        if key.startswith(RESOURCES):
            yield from _wrong_resource(name, value, vocabulary)
        elif key.startswith(TRAIT):
            yield from _wrong_trait(name, value, vocabulary)
        elif not key.startswith(PROPERTY):
            yield "", key, f"a key that begins with {RESOURCES}, {TRAIT} or {PROPERTY}"
    for name, count in Counter(map(_stripped_key, group)).items():
        if count > 1:
            yield "", name, "a key that is there once only"
    if not any(key.startswith(RESOURCES) for key in group):
        yield "", ", ".join(group), f"a group that asks for something: give {RESOURCES}FPGA or another resource class"


def _wrong_resource(key: str, value: str | int, vocabulary: Vocabulary) -> Iterator[tuple[str, object, str]]:
    name = key.removeprefix(RESOURCES)
    if not is_resource_class(name, vocabulary):
        yield "", key, "a resource class: give one of os-resource-classes, or CUSTOM_ with A-Z, 0-9, _"
    if not _AMOUNT.fullmatch(str(value)):
        yield f".{key}", value, "a whole number from 1 to 999999999"


def _wrong_trait(key: str, value: str | int, vocabulary: Vocabulary) -> Iterator[tuple[str, object, str]]:
    name = key.removeprefix(TRAIT)
    if name not in vocabulary.traits and not _CUSTOM.fullmatch(name):
        yield "", key, "a trait: give one of os-traits, or CUSTOM_ with A-Z, 0-9, _"
    if value not in TRAIT_VALUES:
        yield f".{key}", value, " or ".join(TRAIT_VALUES)
