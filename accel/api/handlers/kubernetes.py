"""The questions of a kube-scheduler about a pod: which nodes have room for it, and which suits it best.

It tells people what is in the answer, and of an error the status alone. So a mistake in the pod is no error: the pod
fits nowhere, and the reason says what is wrong with it.
"""

from functools import partial
from typing import Any

from accel.api.call import Call
from accel.api.views import kubernetes as views
from accel.db import profiles
from accel.db.paging import ListQuery
from accel.errors import InvalidValue, NotFound
from accel.placement.pod import PodNeeds, question, read_pod
from accel.placement.reading import of_profile
from accel.placement.verdict import FITS, Verdict, judge
from accel.placement.wanted import Wanted


def filter_nodes(call: Call) -> dict[str, Any]:
    """Which of some nodes have room for a pod, and why the others have none."""
    return views.render_filtered(call.body, _verdicts(call))


def prioritize(call: Call) -> list[dict[str, Any]]:
    """Points for nodes: the more, the better they suit a pod."""
    scores = {name: verdict.score for name, verdict in _verdicts(call).items() if verdict.fits}
    return views.render_priorities(call.body, scores)


def _verdicts(call: Call) -> dict[str, Verdict]:
    names = views.node_names(call.body)
    try:
        needs = read_pod(call.body["Pod"], call.pod_resources)
        if not needs:
            return dict.fromkeys(names, FITS)
        wanted = question(needs, _profiles(call, needs))
    except (InvalidValue, NotFound) as error:
        return dict.fromkeys(names, Verdict(reason=str(error)))
    policy = call.placing.policy
    return call.placing.index.ask(lambda fleet: judge(wanted, fleet, names, policy))


def _profiles(call: Call, needs: PodNeeds) -> dict[str, Wanted]:
    """What the device profiles ask for that a pod speaks of.

    :raises NotFound: the account of the scheduler sees none of that name
    """
    if not needs.profiles:
        return {}
    by_name = ListQuery(filters=[("name", ",".join(needs.profiles))])
    page = call.database.read(partial(profiles.find, query=by_name, scope=call.scope))
    found = {row.name: of_profile(tuple(row.groups)) for row in page.rows}
    for name in needs.profiles:
        if name not in found:
            raise NotFound("device profile", name)
    return found
