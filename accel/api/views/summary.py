"""The body of the summary."""

from collections.abc import Mapping, Sequence
from typing import Any

from accel.db.summary import FIGURES, Group, Holdings


def render(
    names: Sequence[str], groups: Sequence[Group], holdings: Holdings, nodes: Mapping[str, int]
) -> dict[str, Any]:
    """The fleet in figures.

    :param names: what the groups are grouped by
    :param holdings: who holds what is held
    :param nodes: the number of nodes in each state
    """
    figures = [group.figures() for group in groups]
    return {
        "groups": [
            {**dict(zip(names, group.values, strict=True)), **of_group}
            for group, of_group in zip(groups, figures, strict=True)
        ],
        "totals": {name: sum(of_group[name] for of_group in figures) for name in FIGURES},
        "held_by": dict(holdings.by_kind),
        "namespaces": dict(holdings.by_namespace),
        "nodes": dict(nodes),
    }
