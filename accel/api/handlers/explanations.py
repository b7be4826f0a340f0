"""Why something fits nowhere, what would fit if the fleet were another one, and what is free.

Each of them works on a copy of the fleet, so that nobody who wants a place waits for it.
"""

from functools import partial
from typing import Any

from accel.api import questions
from accel.api.call import Call
from accel.api.views import explanations as views
from accel.db import holders
from accel.db.scope import Scope
from accel.drivers.fleet import of_document
from accel.placement.explain import explain
from accel.placement.explanation import Explanation
from accel.placement.fleet import Fleet
from accel.placement.free import stock
from accel.placement.nearest import HELD
from accel.placement.planned import host_of
from accel.placement.snapshot import Host
from accel.placement.supposed import Supposition
from accel.placement.wanted import Wanted
from accel.placement.whatif import changed, what_if

MOST_ADDED = 10_000
"""How many accelerators the nodes have at most that are added to the fleet."""


def show(call: Call) -> dict[str, Any]:
    """Whether something fits, and if not: what stands in the way, what comes nearest, what would help."""
    suppose = frozenset(map(Supposition, call.body.get("suppose", ())))
    fleet = call.placing.index.ask(Fleet.copy)
    explanation = explain(_wanted(call), fleet, policy=call.placing.policy, suppose=suppose)
    return views.render(explanation, _holders(call, explanation))


def imagine(call: Call) -> dict[str, Any]:
    """How often something would fit with other nodes, where, and what blocks the next one.

    :raises InvalidFleet: there is a mistake in what describes the nodes to add
    """
    wanted, count = _wanted(call), call.body.get("count", 1)
    more = partial(changed, add=_added(call), drain=call.body.get("drain", ()))
    outcome = what_if(wanted, call.placing.index.ask(more), count=count, policy=call.placing.policy)
    return views.render_outcome(outcome, count=count)


def free(call: Call) -> dict[str, Any]:
    """How much there is of each model, how much of it is free, and the largest request that fits now."""
    model = dict(call.query).get("model", "")
    return views.render_stock(stock(call.placing.index.ask(Fleet.copy), model=model))


def _wanted(call: Call) -> Wanted:
    return questions.read(call).wanted


def _added(call: Call) -> list[Host]:
    if "add_nodes" not in call.body:
        return []
    fleet = of_document(call.body["add_nodes"], "add_nodes", most=MOST_ADDED)
    return [host_of(node.info(""), node.devices()) for node in fleet.nodes]


def _holders(call: Call, explanation: Explanation) -> dict[str, str]:
    """Who holds what the nearest node is short of, by deployable."""
    missing = explanation.nearest.missing if explanation.nearest is not None else ()
    held = [part.unit for part in missing if part.state == HELD]
    if not held:
        return {}
    found: dict[str, dict[str, None]] = {}
    for holding in call.database.read(lambda connection: holders.of_deployables(connection, held)):
        found.setdefault(holding.deployable, {})[_named(holding, call.scope)] = None
    return {deployable: ", ".join(names) for deployable, names in found.items()}


def _named(holding: holders.Holding, scope: Scope) -> str:
    """A holder in the words that the caller may read: whose it is not, is not told who it is."""
    return f"{holding.kind} {holding.name}" if scope.knows(holding.project_id) else "another project"
