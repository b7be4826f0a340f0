"""Candidates: where something would fit, the best places first."""

from collections.abc import Mapping
from typing import Any

from accel.api import questions
from accel.api.call import Call
from accel.api.placing import why_not
from accel.api.views import placements as views
from accel.errors import InvalidValue
from accel.placement.fleet import Fleet
from accel.placement.scores import POLICIES, Policy
from accel.placement.search import candidates

_LIMIT = 10


def find(call: Call) -> dict[str, Any]:
    """Where something would fit, the best places first."""
    question = questions.read(call)
    policy = _policy(call, call.body.get("order"))
    limit, seed = call.body.get("limit", _LIMIT), call.body.get("seed", "")

    def answer(fleet: Fleet) -> dict[str, Any]:
        found = candidates(question.wanted, fleet, limit=limit, policy=policy, seed=seed)
        rendered = [views.render_candidate(one, question.wanted) for one in found]
        explained = {} if found else {"explanation": why_not(question.wanted, fleet, policy)}
        return {"candidates": rendered, "evaluated_nodes": len(fleet), **explained}

    return call.placing.index.ask(answer)


def _policy(call: Call, order: str | Mapping[str, float] | None) -> Policy:
    if order is None:
        return call.placing.policy
    try:
        return call.placing.weighed(POLICIES[order] if isinstance(order, str) else order)
    except InvalidValue as error:  # who asks calls the weights an order
        raise InvalidValue(error.field.replace("weights", "order", 1), error.value, error.expected) from error
