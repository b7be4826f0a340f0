"""Questions in the forms that people and programs give them in: a device profile, or the body of a call."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from accel.errors import InvalidValue
from accel.model.profile import PROPERTY, RESOURCES, TRAIT, Group, Groups, shortened
from accel.model.request import whole_amounts_of
from accel.placement.comparison import Comparison, read_comparison
from accel.placement.wanted import DIFFERENT_NODE, Nearness, Together, Wanted, WantedGroup

NEAR = f"{PROPERTY}near"
"""The property of a profile's group that says how near its accelerators are to one another: a ``Nearness``."""
ANY_OF = f"{PROPERTY}any_of"
"""Traits separated by commas, one of which each has; several such sets are separated by semicolons."""
WHERE = f"{PROPERTY}where"
"""Comparisons separated by commas."""


def of_profile(groups: Groups) -> Wanted:
    """What the groups of a device profile ask for, all on one node.

    :raises InvalidValue: a property of ours says nothing that we understand, or nothing at all is asked for
    """
    read = [_of_texts(number, group) for number, group in enumerate(groups)]
    return _joined(read, ())


def check_properties(groups: Groups) -> None:
    """Make sure that what groups say by properties of ours is understood.

    :raises InvalidValue: it is not
    """
    for number, group in enumerate(groups):
        if not group.keys().isdisjoint((NEAR, ANY_OF, WHERE)):
            _of_texts(number, group)


def of_body(body: Mapping[str, Any]) -> Wanted:
    """What the body of a call asks for, by its ``groups``: types are taken as its schema has checked them.

    ::

        {"groups": [{"resources": {"PGPU": 4}, "required": ["T"], "forbidden": [], "any_of": [["A", "B"]],
                     "where": ["memory >= 40GiB", "model ~ H100"], "near": "linked"}],
         "together": [{"groups": [0, 1], "near": "numa"}],
         "nodes": 1, "labels": {"zone": "a"}, "exclude_nodes": ["n7"]}

    A group without ``resources`` asks for ``count`` accelerators of any class.

    :raises InvalidValue: a name, comparison or number in it is not right
    """
    read = [_of_group(number, group) for number, group in enumerate(body["groups"])]
    return placed(_joined(read, body.get("together", ())), body)


def placed(wanted: Wanted, body: Mapping[str, Any]) -> Wanted:
    """The same, on the nodes that the body of a call speaks of: ``nodes``, ``labels``, ``exclude_nodes``.

    :raises InvalidValue: there cannot be so many nodes
    """
    return replace(
        wanted,
        nodes=body.get("nodes", 1),
        labels=dict(body.get("labels", {})),
        exclude_nodes=frozenset(body.get("exclude_nodes", ())),
    )


def _of_texts(number: int, group: Group) -> list[WantedGroup]:
    """The groups that one group of a profile stands for: one for each of its resource classes."""
    field = f"groups[{number}]"
    about = {key: value for key, value in group.items() if not key.startswith(RESOURCES)}
    traits = {key.removeprefix(TRAIT): value for key, value in about.items() if key.startswith(TRAIT)}
    any_of = [names.split(",") for names in about.get(ANY_OF, "").split(";") if names.strip()]
    texts = [text for text in about.get(WHERE, "").split(",") if text.strip()]
    return [
        WantedGroup(
            count=amount,
            resource_class=resource_class,
            required=frozenset(name for name, value in traits.items() if value == "required"),
            forbidden=frozenset(name for name, value in traits.items() if value == "forbidden"),
            any_of=tuple(frozenset(name.strip() for name in names) for names in any_of),
            comparisons=tuple(read_comparison(text.strip(), f"{field}.{WHERE}") for text in texts),
            near=_nearness(about.get(NEAR, Nearness.NODE), f"{field}.{NEAR}"),
            text={f"{RESOURCES}{resource_class}": "1", **about},
            number=number,
        )
        for resource_class, amount in whole_amounts_of(group).items()
        if amount > 0
    ]


def _of_group(number: int, group: Mapping[str, Any]) -> list[WantedGroup]:
    field = f"groups[{number}]"
    resources: Mapping[str | None, int] = group.get("resources") or {None: group.get("count", 1)}
    if "resources" in group and "count" in group:
        raise InvalidValue(f"{field}.count", group["count"], "for a group without resources, which say how many")
    comparisons = [
        read_comparison(text, f"{field}.where[{place}]") for place, text in enumerate(group.get("where", ()))
    ]
    wanted = WantedGroup(
        required=frozenset(group.get("required", ())),
        forbidden=frozenset(group.get("forbidden", ())),
        any_of=tuple(frozenset(names) for names in group.get("any_of", ())),
        comparisons=tuple(comparisons),
        near=_nearness(group.get("near", Nearness.NODE), f"{field}.near"),
        number=number,
    )
    text = dict(_texts(wanted, comparisons))
    return [
        replace(wanted, count=amount, resource_class=name, text={**_class_text(name), **text})
        for name, amount in resources.items()
    ]


def _texts(group: WantedGroup, comparisons: Sequence[Comparison]) -> Iterator[tuple[str, str]]:
    """Keys and values of a profile that ask for the same."""
    yield from ((f"{TRAIT}{name}", "required") for name in sorted(group.required))
    yield from ((f"{TRAIT}{name}", "forbidden") for name in sorted(group.forbidden))
    if group.any_of:
        yield ANY_OF, ";".join(",".join(sorted(names)) for names in group.any_of)
    if comparisons:
        yield WHERE, ", ".join(map(str, comparisons))


def _class_text(name: str | None) -> dict[str, str]:
    return {} if name is None else {f"{RESOURCES}{name}": "1"}


def _joined(read: Sequence[Sequence[WantedGroup]], ties: Sequence[Mapping[str, Any]]) -> Wanted:
    """One question of all groups; what a group of several resource classes says of nearness holds for all of them."""
    places: list[tuple[int, ...]] = []
    for groups in read:
        start = sum(map(len, places))
        places.append(tuple(range(start, start + len(groups))))
    own = [
        Together(groups=numbers, near=groups[0].near)
        for numbers, groups in zip(places, read, strict=True)
        if len(numbers) > 1
    ]
    asked = [_tie(number, tie, places) for number, tie in enumerate(ties)]
    return Wanted(groups=tuple(group for groups in read for group in groups), together=(*own, *asked))


def _tie(number: int, tie: Mapping[str, Any], places: Sequence[tuple[int, ...]]) -> Together:
    field = f"together[{number}]"
    if not all(0 <= group < len(places) for group in tie["groups"]):
        raise InvalidValue(
            f"{field}.groups", tie["groups"], f"a list of groups, by numbers from 0 to {len(places) - 1}"
        )
    near = tie["near"]
    if near != DIFFERENT_NODE:
        near = _nearness(near, f"{field}.near", (DIFFERENT_NODE,))
        return Together(groups=tuple(place for group in tie["groups"] for place in places[group]), near=near)
    return Together(groups=tuple(places[group][0] for group in tie["groups"] if places[group]), near=DIFFERENT_NODE)


def _nearness(text: str, field: str, others: Sequence[str] = ()) -> Nearness:
    try:
        return Nearness(text)
    except ValueError as error:
        raise InvalidValue(field, shortened(text), f"one of {', '.join((*Nearness, *others))}") from error
