"""How claims of placement are made: what was chosen is taken, all of it or nothing.

What is taken was chosen on a snapshot, which may be old: the nodes are locked and every handle is looked at again. The
order of locks is that of ``accel.db.claims``: claims, requests, nodes, limits. Callers who come at the same time share
a transaction (``accel.db.sharing``), whose statements are about all of their claims.
"""

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import uuid4

from sqlalchemy import Connection

from accel.db import claim_events, claims, new_claims, placement_claims, places
from accel.db.events import Origin
from accel.db.history import Entry
from accel.db.new_claims import NewRows
from accel.db.placement_claims import AllocationRow, Claim, ClaimRow, ProjectAndKey
from accel.db.places import NO_HANDLES, Found
from accel.db.quotas import Allowance
from accel.db.requests import MOST_AT_ONCE
from accel.db.rows import Values
from accel.db.sharing import ALONE, Alone
from accel.db.transitions import Terms
from accel.errors import AccelError, Conflict, InvalidValue, Overtaken
from accel.model.device import Presence
from accel.model.event import EventKind
from accel.model.profile import Group
from accel.model.request import RequestState
from accel.model.steps import PROGRAM


class ProfileUsed(NamedTuple):
    """The device profile that a claim was made under."""

    id: int
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NewClaim:
    """What a claim is made of, beside what it takes."""

    project_id: str
    user_id: str | None
    consumer: str = ""
    """What it is for, as whoever makes it calls it."""
    idempotency_key: str | None = None
    request: Mapping[str, Any]
    """What was asked for, as it was asked."""
    request_hash: str
    lease_seconds: int | None = None
    """How long it is held unless renewed; None: until it is released."""
    profile: ProfileUsed | None = None

    @property
    def key(self) -> ProjectAndKey | None:
        """The idempotency key with its project."""
        return (self.project_id, self.idempotency_key) if self.idempotency_key is not None else None


class Chosen(NamedTuple):
    """One accelerator that is to be taken."""

    group_index: int
    group: Group
    """What was asked for, in the words of a device profile."""
    resource_class: str
    node: str
    handle_uuid: str


class _Taken(NamedTuple):
    """One accelerator that is being taken."""

    request_uuid: str
    chosen: Chosen
    found: Found
    steps: Sequence[str]

    @property
    def state(self) -> RequestState:
        return RequestState.BIND_STARTED if self.steps else RequestState.BOUND


class Intent(NamedTuple):
    """A claim that somebody wants to make."""

    new: NewClaim
    chosen: Sequence[Chosen]
    """What was chosen for it; nothing of it twice."""
    origin: Origin

    @property
    def key(self) -> ProjectAndKey | None:
        """As ``NewClaim.key``."""
        return self.new.key

    @property
    def nodes(self) -> dict[str, str]:
        """The name of the node of each handle, by the UUID of the handle."""
        return {one.handle_uuid: one.node for one in self.chosen}

    @property
    def names(self) -> list[Hashable]:
        """What it is about: no two that are about the same are made together."""
        return [*self.nodes, *([self.key] if self.key is not None else [])]

    @property
    def wanted(self) -> Counter[tuple[str, str]]:
        """How many accelerators its project would hold more, by project and resource class."""
        return Counter((self.new.project_id, one.resource_class) for one in self.chosen)


Made = tuple[Claim, bool]
"""A claim, and whether it is new: the same request may have made it already, under the same key."""


def repeated(connection: Connection, new: NewClaim, key: ProjectAndKey) -> Claim | None:
    """The claim that the same request has made before under its key, if there is one.

    :raises Conflict: under that key something else was asked for
    """
    known = placement_claims.with_keys(connection, [key]).get(key)
    return _same(new, known) if known is not None else None


def take(connection: Connection, intent: Intent, *, terms: Terms) -> Made:
    """Make a claim and take all that was chosen for it, or nothing.

    :raises Overtaken: something of it is not to be had any more
    :raises Conflict: a quota does not allow it, or the key has been used for something else
    """
    [outcome] = take_together(connection, [intent], terms=terms)
    if isinstance(outcome, AccelError):
        raise outcome
    if isinstance(outcome, Alone):
        raise TypeError("a single claim is made or refused")
    return outcome


def take_together(
    connection: Connection, intents: Sequence[Intent], *, terms: Terms
) -> list[Made | AccelError | Alone]:
    """Make claims as if one after the other, by as many statements as one takes.

    :param intents: no two about the same
    :return: for each what ``take`` gives or raises, or that it is to be made alone
    """
    judge = _Judge(connection, intents, terms)
    verdicts = [judge.verdict(intent) for intent in intents]
    made = iter(_make(connection, [verdict for verdict in verdicts if isinstance(verdict, _Accepted)], terms))
    return [(next(made), True) if isinstance(verdict, _Accepted) else verdict for verdict in verdicts]


def _same(new: NewClaim, known: Claim) -> Claim:
    if known.row.request_hash == new.request_hash:
        return known
    raise Conflict(
        f"idempotency_key: {new.idempotency_key!r} has been used for claim {known.uuid}, which asked for something "
        "else; give another key, or release that claim"
    )


class _Accepted(NamedTuple):
    """A claim that can be made."""

    intent: Intent
    taken: Sequence[_Taken]


class _Judge:
    """Says what comes of claims that are made in one transaction, one after the other.

    Nobody waits for a node because of another: of several claims, those are left alone that are on nodes which somebody
    else has locked.
    """

    def __init__(self, connection: Connection, intents: Sequence[Intent], terms: Terms) -> None:
        self._connection = connection
        self._terms = terms
        self._known = placement_claims.with_keys(connection, [it.key for it in intents if it.key is not None])
        new = [intent for intent in intents if intent.key not in self._known]
        nodes = {uuid: node for intent in new for uuid, node in intent.nodes.items()}
        self._waits = len(intents) == 1
        self._handles = places.lock_handles(connection, nodes, waits=self._waits) if nodes else NO_HANDLES
        are_limited = [key for intent in new for key in intent.wanted] if self._handles.are_quotas else []
        self._allowance = Allowance(connection, are_limited)
        self._things: set[Hashable] = set()

    def verdict(self, intent: Intent) -> _Accepted | Made | AccelError | Alone:
        """What comes of a claim when those that were asked about before are made."""
        try:
            if intent.key in self._known:
                return _same(intent.new, self._known[intent.key]), False
            if not self._waits and not self._handles.states.keys() >= set(intent.nodes.values()):
                return ALONE
            return _Accepted(intent, self._taken(intent))
        except AccelError as error:
            return error

    def _taken(self, intent: Intent) -> list[_Taken]:
        """
        :raises Overtaken: something of it is not to be had any more
        :raises Conflict: a quota does not allow it
        :raises AccelError: there is no image to load as its group wants it
        """
        if len(intent.chosen) > MOST_AT_ONCE:
            raise InvalidValue("groups", f"{len(intent.chosen)} accelerators", f"{MOST_AT_ONCE} accelerators at most")
        found = self._handles.get(intent.nodes)
        things = {one.thing for one in found.values()}
        if not self._things.isdisjoint(things):
            raise Overtaken("what was chosen is taken through other handles that stand for the same")
        taken = [
            _Taken(str(uuid4()), one, its, self._terms.steps_for(its.handle.type, one.group, its.place))
            for one in intent.chosen
            for its in [found[one.handle_uuid]]
        ]
        for one in taken:
            if PROGRAM in one.steps:
                part = one.found.place.deployable_id
                self._terms.check_image(self._connection, one.chosen.group, intent.new.project_id, part)
        self._allowance.take(intent.wanted)
        self._things |= things
        return taken


def _make(connection: Connection, accepted: Sequence[_Accepted], terms: Terms) -> list[Claim]:
    """Write claims that can be made, with all that goes with them."""
    if not accepted:
        return []
    values = [_claim_values(one.intent.new, one.intent.origin.at) for one in accepted]
    pairs = [(_claim_row(its), one) for its, one in zip(values, accepted, strict=True)]
    taken = [(row, one.intent, each) for row, one in pairs for each in one.taken]
    new = NewRows(
        claims=values,
        requests=[_request_values(row, intent, each, terms) for row, intent, each in taken],
        holders=[_holder_values(row, intent, each) for row, intent, each in taken],
        entries=[entry for row, one in pairs for entry in _events(row, one)],
    )
    keys = new_claims.write(connection, new, max(one.intent.origin.at for one in accepted))
    return [Claim(row._replace(id=keys[row.uuid]), [_allocation(each) for each in one.taken]) for row, one in pairs]


def _claim_row(values: Values) -> ClaimRow:
    """A claim as it is read, but for its key, which it has when it is written."""
    return ClaimRow(id=0, **(values | {name: _stored(values[name]) for name in _TIMES}))


def _claim_values(new: NewClaim, now: datetime) -> Values:
    return {
        "uuid": str(uuid4()),
        "project_id": new.project_id,
        "user_id": new.user_id,
        "consumer": new.consumer,
        "idempotency_key": new.idempotency_key,
        "request": dict(new.request),
        "request_hash": new.request_hash,
        "lease_seconds": new.lease_seconds,
        "expires_at": now + timedelta(seconds=new.lease_seconds) if new.lease_seconds is not None else None,
        "created_at": now,
        "updated_at": None,
    }


_TIMES = ("expires_at", "created_at")


def _stored(moment: datetime | None) -> datetime | None:
    return moment.replace(tzinfo=None) if moment is not None else None


def _holder_values(claim: ClaimRow, intent: Intent, taken: _Taken) -> Values:
    return {
        "uuid": str(uuid4()),
        "attach_handle_id": taken.found.handle.id,
        "kind": claims.RESERVATION,
        "name": claim.consumer or claim.uuid,
        "project_id": claim.project_id,
        "request_uuid": taken.request_uuid,
        "created_at": intent.origin.at,
    }


def _request_values(claim: ClaimRow, intent: Intent, taken: _Taken, terms: Terms) -> Values:
    profile, now = intent.new.profile, intent.origin.at
    return {
        "uuid": taken.request_uuid,
        "project_id": claim.project_id,
        "state": taken.state,
        "profile_id": profile.id if profile is not None else None,
        "profile_name": profile.name if profile is not None else "",
        "claim_uuid": claim.uuid,
        "group_index": taken.chosen.group_index,
        "group": dict(taken.chosen.group),
        "resource_class": taken.chosen.resource_class,
        "hostname": taken.chosen.node,
        "device_rp_uuid": taken.found.place.provider,
        "reason": "",
        "steps": list(taken.steps),
        "deadline_at": terms.deadline(now) if taken.steps else None,
        "created_at": now,
    }


def _events(row: ClaimRow, its: _Accepted) -> list[Entry]:
    origin, nodes = its.intent.origin, (taken.chosen.node for taken in its.taken)
    return [
        *(_request_entry(row, taken, origin) for taken in its.taken),
        *claim_events.entries(EventKind.CLAIM_CREATED, row, nodes, origin),
    ]


def _allocation(taken: _Taken) -> AllocationRow:
    place, handle = taken.found
    return AllocationRow(
        request_uuid=taken.request_uuid,
        group_index=taken.chosen.group_index,
        resource_class=taken.chosen.resource_class,
        state=taken.state,
        reason="",
        node=taken.chosen.node,
        provider=place.provider,
        handle_uuid=handle.uuid,
        handle_type=handle.type,
        handle_info=handle.info,
        handle_presence=Presence.PRESENT,
        place=place,
    )


def _request_entry(claim: ClaimRow, taken: _Taken, origin: Origin) -> Entry:
    place, handle = taken.found
    kind = EventKind.REQUEST_BIND_STARTED if taken.steps else EventKind.REQUEST_BOUND
    return Entry(
        kind=kind,
        subject=taken.request_uuid,
        source=origin.source,
        node=taken.chosen.node,
        device_uuid=place.device_uuid,
        after={
            "state": taken.state,
            "claim": claim.uuid,
            "resource_class": taken.chosen.resource_class,
            "handle": handle.uuid,
            "info": handle.info,
        },
        request_id=origin.request_id,
        project_id=claim.project_id,
        at=origin.at,
    )
