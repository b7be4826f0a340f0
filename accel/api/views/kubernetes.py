"""The answers to a kube-scheduler, in the JSON of its extenders."""

from collections.abc import Iterator, Mapping
from typing import Any

from accel.api.schemas.kubernetes import MOST_POINTS
from accel.placement.verdict import Verdict

Arguments = Mapping[str, Any]
"""The body of a question."""


def node_names(arguments: Arguments) -> list[str]:
    """The nodes that a question is about."""
    names: list[str] | None = arguments.get("NodeNames")
    return [node["metadata"]["name"] for node in _items(arguments)] if names is None else names


def render_filtered(arguments: Arguments, verdicts: Mapping[str, Verdict]) -> dict[str, Any]:
    """Which nodes are left and why the others are not, in the form in which they came."""
    names = arguments.get("NodeNames")
    return {
        "Nodes": _left(arguments, verdicts) if names is None else None,
        "NodeNames": None if names is None else [name for name in names if verdicts[name].fits],
        "FailedNodes": dict(_reasons(verdicts, may_change=True)),
        "FailedAndUnresolvableNodes": dict(_reasons(verdicts, may_change=False)),
        "Error": "",
    }


def render_priorities(arguments: Arguments, scores: Mapping[str, float]) -> list[dict[str, Any]]:
    """Points for each node, none for those that are not in ``scores``.

    The scores of the nodes of one question differ little, and points are whole numbers: so the least gets none and the
    best all of them.
    """
    least, best = min(scores.values(), default=0), max(scores.values(), default=0)
    width = best - least
    points = {name: round(MOST_POINTS * (score - least) / width) if width else 0 for name, score in scores.items()}
    return [{"Host": name, "Score": points.get(name, 0)} for name in node_names(arguments)]


def _left(arguments: Arguments, verdicts: Mapping[str, Verdict]) -> dict[str, Any]:
    items = [node for node in _items(arguments) if verdicts[node["metadata"]["name"]].fits]
    return {**(arguments.get("Nodes") or {}), "items": items}


def _items(arguments: Arguments) -> list[dict[str, Any]]:
    return (arguments.get("Nodes") or {}).get("items") or []


def _reasons(verdicts: Mapping[str, Verdict], *, may_change: bool) -> Iterator[tuple[str, str]]:
    for name, verdict in verdicts.items():
        if not verdict.fits and verdict.may_change is may_change:
            yield name, verdict.reason
