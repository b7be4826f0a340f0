"""The bodies of candidates and claims."""

from typing import Any

from accel.db.placement_claims import AllocationRow, Claim
from accel.model.request import WORKING
from accel.placement.search import Assignment, Candidate
from accel.placement.wanted import Wanted


def render_candidate(candidate: Candidate, wanted: Wanted) -> dict[str, Any]:
    """A place for all that is wanted."""
    return {
        "score": candidate.score,
        "scores": dict(candidate.scores),
        "nodes": list(candidate.nodes),
        "allocations": [_assignment(part, wanted.groups[part.group].number) for part in candidate.parts],
    }


def render_claim(claim: Claim, *, base_url: str) -> dict[str, Any]:
    """A claim with all that it holds."""
    row = claim.row
    return {
        "uuid": row.uuid,
        "project_id": row.project_id,
        "user_id": row.user_id,
        "consumer": row.consumer,
        "idempotency_key": row.idempotency_key,
        "state": _state(claim),
        "request": row.request,
        "nodes": sorted({one.node for one in claim.allocations if one.node is not None}),
        "allocations": [_allocation(one) for one in claim.allocations],
        "lease_seconds": row.lease_seconds,
        "expires_at": row.expires_at,
        "created_at": row.created_at,
        "updated_at": row.updated_at,
        "links": [{"href": f"{base_url}/v2/placements/claims/{row.uuid}", "rel": "self"}],
    }


def _state(claim: Claim) -> str:
    if any(one.problem for one in claim.allocations):
        return "impaired"
    return "preparing" if any(one.state in WORKING for one in claim.allocations) else "ready"


def _assignment(part: Assignment, group: int) -> dict[str, Any]:
    return {
        "group": group,
        "node": part.node,
        "device_uuid": part.card,
        "deployable_name": part.unit_name,
        "resource_provider": part.provider,
        "resource_class": part.resource_class,
        "attach_handle_uuid": part.handle,
        "attach_handle_type": part.handle_type,
    }


def _allocation(one: AllocationRow) -> dict[str, Any]:
    return {
        "accelerator_request": one.request_uuid,
        "group": one.group_index,
        "node": one.node,
        "device_uuid": one.place.device_uuid if one.place is not None else None,
        "resource_provider": one.provider,
        "resource_class": one.resource_class,
        "attach_handle_uuid": one.handle_uuid,
        "attach_handle_type": one.handle_type,
        "attach_handle_info": one.handle_info or {},
        "state": one.state,
        "problem": one.problem,
    }
