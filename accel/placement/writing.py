"""Questions in the form that ``accel.placement.reading.of_body`` reads."""

from collections.abc import Mapping
from typing import Any

from accel.placement.wanted import Nearness, Together, Wanted, WantedGroup


def body_of(wanted: Wanted) -> dict[str, Any]:
    """The body of a call that asks for it; what is as it is unless said is left out."""
    rest: Mapping[str, Any] = {
        "together": [_tie(tie) for tie in wanted.together],
        "labels": dict(wanted.labels),
        "exclude_nodes": sorted(wanted.exclude_nodes),
        **({"nodes": wanted.nodes} if wanted.nodes > 1 else {}),
    }
    return {
        "groups": [_group(group) for group in wanted.groups],
        **{key: value for key, value in rest.items() if value},
    }


def _group(group: WantedGroup) -> dict[str, Any]:
    name = group.resource_class
    amount = {"count": group.count} if name is None else {"resources": {name: group.count}}
    rest: Mapping[str, Any] = {
        "required": sorted(group.required),
        "forbidden": sorted(group.forbidden),
        "any_of": [sorted(names) for names in group.any_of],
        "where": list(map(str, group.comparisons)),
        **({"near": str(group.near)} if group.near is not Nearness.NODE else {}),
    }
    return {**amount, **{key: value for key, value in rest.items() if value}}


def _tie(tie: Together) -> dict[str, Any]:
    return {"groups": list(tie.groups), "near": str(tie.near)}
