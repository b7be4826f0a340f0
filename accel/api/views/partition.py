"""The bodies of plans of partitioning."""

from collections.abc import Iterable
from typing import Any

from accel.placement.partition import DemandPlan, Plan


def render(plans: Iterable[Plan], demand: DemandPlan | None = None) -> dict[str, Any]:
    """Plans, and what they come to together."""
    return {
        "plans": list(map(_plan, plans)),
        "demand": None
        if demand is None
        else {"wanted": demand.wanted, "free": demand.free, "made": demand.made, "missing": demand.missing},
    }


def _plan(plan: Plan) -> dict[str, Any]:
    return {
        "device_uuid": plan.subject.uuid,
        "device": plan.subject.name,
        "model": plan.subject.model,
        "scheme": plan.subject.cut.scheme.name,
        "text": plan.text,
        "possible": plan.impossible is None,
        "rule": plan.impossible.rule if plan.impossible else None,
        "applicable": plan.can_be_applied,
        "nothing_to_do": plan.is_nothing,
        "layout": dict(plan.layout),
        "before": plan.before,
        "after": plan.after,
        "lost": plan.lost,
        "room": plan.room,
        "undo": plan.undo,
        "steps": [
            {"act": act.kind, "profile": act.profile or None, "start": act.start, "text": act.text} for act in plan.acts
        ],
        "in_the_way": [{"held_by": one.by, "part": one.part, "taken_out": one.goes} for one in plan.in_the_way],
    }
