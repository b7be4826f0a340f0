"""Claims of placement: make, list, show, renew, release."""

import hashlib
from http import HTTPStatus
from typing import Any
from uuid import uuid4

import orjson

from accel.api import questions
from accel.api.call import Call, Reply
from accel.api.placing import why_not
from accel.api.questions import Question
from accel.api.views import collection
from accel.api.views import placements as views
from accel.db import placement_claims, releasing, taking
from accel.db.placement_claims import Claim
from accel.db.taking import Chosen, Intent, NewClaim
from accel.errors import NoPlacement, Overtaken
from accel.model.request import WORKING
from accel.placement.fleet import Fleet
from accel.placement.scores import Policy
from accel.placement.search import candidates
from accel.placement.taking import without
from accel.placement.wanted import Wanted

_ATTEMPTS = 8
"""How often something else is chosen when others were faster."""
_OLD_BY_SECONDS = 0.1
"""What is chosen is looked at again when it is taken, so it may be chosen by what was true a moment ago."""


def create(call: Call) -> Reply:
    """Choose the best place for something and take it, all or nothing.

    :raises NoPlacement: it fits nowhere
    :raises Overtaken: others were faster, again and again
    """
    question = questions.read(call)
    new = _new(call, question)
    known = _known(call, new)
    claim, is_new = (known, False) if known is not None else _take(call, new, question.wanted)
    if is_new and any(one.state in WORKING for one in claim.allocations):
        call.claiming.leave_to_conductors()
    return Reply(_body(call, claim), HTTPStatus.CREATED if is_new else HTTPStatus.OK)


def index(call: Call) -> dict[str, Any]:
    """All claims that the query wants."""
    page = call.database.read(lambda connection: placement_claims.find(connection, call.list_query, scope=call.scope))
    return collection.render(call, "claims", page, [_body(call, claim) for claim in page.rows])


def show(call: Call) -> dict[str, Any]:
    """One claim."""
    uuid = call.arguments["uuid"]
    return _body(call, call.database.read(lambda connection: placement_claims.get(connection, uuid, scope=call.scope)))


def renew(call: Call) -> dict[str, Any]:
    """Hold a claim for so long from now on; for as long as before unless told."""
    uuid, lease = call.arguments["uuid"], call.body.get("lease_seconds")
    claim = call.database.write(
        lambda connection: releasing.renew(connection, uuid, lease, scope=call.scope, origin=call.origin)
    )
    return _body(call, claim)


def delete(call: Call) -> None:
    """Give back all that a claim holds."""
    uuid = call.arguments["uuid"]
    left = call.database.write(
        lambda connection: releasing.release(connection, uuid, scope=call.scope, origin=call.origin)
    )
    if left:
        call.claiming.leave_to_conductors()


def _new(call: Call, question: Question) -> NewClaim:
    about = {
        "request": question.asked,
        "consumer": call.body.get("consumer", ""),
        "lease_seconds": call.body.get("lease_seconds"),
    }
    return NewClaim(
        project_id=call.context.project_id or "",  # the policy lets nobody through who acts for none
        user_id=call.context.user_id,
        idempotency_key=call.body.get("idempotency_key"),
        request_hash=hashlib.sha256(orjson.dumps(about, option=orjson.OPT_SORT_KEYS)).hexdigest(),
        profile=question.profile,
        **about,
    )


def _known(call: Call, new: NewClaim) -> Claim | None:
    """The claim that the same request has made before under the same key, if it has one.

    :raises Conflict: under that key something else was asked for
    """
    key = new.key
    return call.database.read(lambda connection: taking.repeated(connection, new, key)) if key is not None else None


def _take(call: Call, new: NewClaim, wanted: Wanted) -> tuple[Claim, bool]:
    """Choose and take; whoever was too late chooses again, by what is true now."""
    old_by, policy = _OLD_BY_SECONDS, call.placing.policy
    for _ in range(_ATTEMPTS):
        chosen = _choose(call, wanted, policy, old_by)
        if isinstance(chosen, Fleet) and old_by:
            chosen = _choose(call, wanted, policy, 0)
        if isinstance(chosen, Fleet):
            raise NoPlacement(why_not(wanted, chosen, policy))
        is_new = False
        try:
            claim, is_new = call.claiming.take(Intent(new, chosen, call.origin))
        except Overtaken:
            old_by = 0
        else:
            return claim, is_new
        finally:
            if not is_new:
                call.placing.index.doubt({one.node for one in chosen})
    raise Overtaken(f"others have taken what was chosen, {_ATTEMPTS} times over; try again")


def _choose(call: Call, wanted: Wanted, policy: Policy, old_by: float) -> list[Chosen] | Fleet:
    """The best place, and nobody else in this process chooses it meanwhile; or the fleet that has none.

    :param old_by: so many seconds old may be what it is chosen by
    """

    def choose(fleet: Fleet) -> list[Chosen] | Fleet:
        found = candidates(wanted, fleet, limit=1, policy=policy, seed=uuid4().hex)
        if not found:
            return fleet if old_by else fleet.copy()
        [best] = found
        for node in best.nodes:
            fleet.replace(without(fleet.hosts[node], {part.handle for part in best.parts if part.node == node}))
        return [
            Chosen(
                group_index=wanted.groups[part.group].number,
                group=wanted.groups[part.group].text,
                resource_class=part.resource_class,
                node=part.node,
                handle_uuid=handle,
            )
            for part in best.parts
            for handle in (part.handle, *part.others)
        ]

    return call.placing.index.ask(choose, may_be_old_by=old_by)


def _body(call: Call, claim: Claim) -> dict[str, Any]:
    return views.render_claim(claim, base_url=call.base_url)
