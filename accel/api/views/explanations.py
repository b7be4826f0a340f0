"""The bodies of explanations, of what-if and of what is free."""

from collections.abc import Iterable, Mapping
from typing import Any

from accel.placement.explanation import Counterfactual, Explanation, Missing, Nearest
from accel.placement.free import Stock
from accel.placement.whatif import Outcome
from accel.placement.words import nearest_text, short
from accel.placement.writing import body_of

Holders = Mapping[str, str]
"""Who holds something of a deployable, by its UUID, in the words that the caller may read."""


def render(explanation: Explanation, holders: Holders) -> dict[str, Any]:
    """The whole of it."""
    blocker, nearest = explanation.blocker, explanation.nearest
    return {
        "fits": explanation.fits,
        "nodes": explanation.nodes,
        "text": short(explanation, holders),
        "steps": [
            {
                "filter": passed.filter,
                "nodes": passed.nodes,
                "devices": passed.devices,
                "reasons": [
                    {"text": reason.text, "count": reason.count, "of": "nodes" if reason.of_nodes else "devices"}
                    for reason in passed.reasons
                ],
            }
            for passed in explanation.steps
        ],
        "blocker": None if blocker is None else {"code": blocker.code, "text": blocker.text},
        "nearest": None if nearest is None else _nearest(nearest, holders),
        "counterfactuals": list(map(_counterfactual, explanation.counterfactuals)),
    }


def render_outcome(outcome: Outcome, *, count: int) -> dict[str, Any]:
    """What would be."""
    return {
        "count": count,
        "fits": outcome.fits,
        "nodes": [{"node": name, "count": times} for name, times in outcome.nodes.items()],
        "next": None if outcome.next is None else render(outcome.next, {}),
    }


def render_stock(stock: Iterable[Stock]) -> dict[str, Any]:
    """What there is of each kind."""
    return {"free": list(map(_stock, stock))}


def _nearest(nearest: Nearest, holders: Holders) -> dict[str, Any]:
    return {
        "node": nearest.node,
        "group": nearest.group,
        "wanted": nearest.wanted,
        "found": nearest.found,
        "text": nearest_text(nearest, holders),
        "missing": [_missing(missing, holders) for missing in nearest.missing],
    }


def _missing(missing: Missing, holders: Holders) -> dict[str, Any]:
    return {
        "device_uuid": missing.device,
        "deployable_uuid": missing.unit,
        "state": missing.state,
        "count": missing.count,
        "held_until": missing.until,
        "held_by": holders.get(missing.unit),
        "reason": missing.reason,
    }


def _counterfactual(found: Counterfactual) -> dict[str, Any]:
    relaxation = found.relaxation
    suppose = {"suppose": sorted(relaxation.suppose)} if relaxation.suppose else {}
    return {
        "code": relaxation.code,
        "without": relaxation.without,
        "relaxed": {**body_of(relaxation.wanted), **suppose},
        "nodes": found.nodes,
        "text": found.text,
    }


def _stock(found: Stock) -> dict[str, Any]:
    return {
        "type": found.kind.type,
        "vendor": found.kind.vendor,
        "model": found.kind.model,
        "resource_class": found.kind.resource_class,
        "total": found.total,
        "free": found.free,
        "held": found.held,
        "unusable": found.unusable,
        "on_one_node": found.on_one_node,
        "largest": {str(near): most for near, most in found.largest.items()},
    }
