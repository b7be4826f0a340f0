"""What history tells of claims of placement."""

from collections.abc import Iterable
from datetime import UTC

from accel.db.events import Origin
from accel.db.history import Entry
from accel.db.placement_claims import ClaimRow
from accel.model.event import EventKind


def entries(kind: EventKind, claim: ClaimRow, nodes: Iterable[str | None], origin: Origin) -> list[Entry]:
    """An event for each node of a claim: what a claim holds is a part of the history of all of them."""
    names = sorted({node for node in nodes if node is not None})
    return [_entry(kind, claim, node, origin) for node in names] or [_entry(kind, claim, None, origin)]


def _entry(kind: EventKind, claim: ClaimRow, node: str | None, origin: Origin) -> Entry:
    told = {
        "consumer": claim.consumer,
        "expires_at": claim.expires_at.replace(tzinfo=UTC).isoformat() if claim.expires_at is not None else None,
    }
    is_over = kind in {EventKind.CLAIM_RELEASED, EventKind.CLAIM_EXPIRED}
    return Entry(
        kind=kind,
        subject=claim.uuid,
        source=origin.source,
        node=node,
        before=told if is_over else None,
        after=None if is_over else told,
        request_id=origin.request_id,
        project_id=claim.project_id,
        at=origin.at,
    )
