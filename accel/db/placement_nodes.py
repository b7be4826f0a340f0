"""Which nodes OpenStack Placement is still to be told of, and what it was told last.

Each node has one row from the moment it is known. ``due_at`` is when somebody is to look after it, and is the lease of
whoever does: a conductor takes a node by putting that off, for as long as its work may take. A change of the node makes
it due at once, in the transaction of the change itself (``mark``). Whoever took the node before the change finds out
when it concludes, by ``changes`` and by ``due_at``: what it has told may be old then, so the node stays due. That holds
as well for whoever comes so late that somebody else has taken the node: what both have told may have crossed.

No change is lost so, in whatever order transactions end, and no conductor waits for another one.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, Update, bindparam, func, insert, literal, select, update

from accel.db.named import Named
from accel.db.tables import Node, PlacementNode
from accel.errors import Conflict
from accel.model.event import EventKind
from accel.model.provider import Inventory, Known, Seen, SyncState, intended

CONCERNING = frozenset(
    kind
    for kind in EventKind
    if kind.partition(".")[0] in {"device", "health", "deployable", "attribute", "handle", "holder"}
) | {EventKind.CLAIM_CREATED}
"""The kinds of events after which Placement may have to be told something."""


class Taken(NamedTuple):
    """A node that this conductor is to look after now."""

    node: str
    changes: int
    lease: datetime
    state: SyncState
    failures: int
    """How often in succession it has not come to agree."""
    is_changed: bool
    """Whether it has changed since it was told; else it is only to be compared again."""
    known: Known


class Verdict(NamedTuple):
    """How a node stands."""

    state: SyncState
    reason: str = ""
    known: Known | None = None
    """What is remembered from now on; None: what was."""


MARK: Named[Update] = Named(
    PlacementNode.node,
    lambda are_changed: (
        update(PlacementNode)
        .where(are_changed)
        .values(changes=PlacementNode.changes + 1, due_at=bindparam("now", type_=PlacementNode.due_at.type))
    ),
    is_list=True,
)
"""What ``mark`` does, for whoever does it with other things in one statement."""


def mark(connection: Connection, nodes: Iterable[str], now: datetime) -> None:
    """Have Placement told of nodes that have changed. It is the last that a transaction locks."""
    names = sorted(set(nodes))
    if names:
        MARK.execute(connection, names, now=now)


def add(connection: Connection, node: str, now: datetime) -> None:
    """Give a row to a node that has none yet."""
    connection.execute(insert(PlacementNode).values(_new(now) | {"node": node}))


def add_missing(connection: Connection, now: datetime) -> None:
    """Give a row to every node that has none: somebody of the release before has added it."""
    values = _new(now)
    literals = (literal(value, getattr(PlacementNode, name).type) for name, value in values.items())
    nodes = select(Node.name, *literals).outerjoin(PlacementNode, PlacementNode.node == Node.name)
    statement = insert(PlacementNode).from_select(["node", *values], nodes.where(PlacementNode.node.is_(None)))
    connection.execute(statement)


def _new(now: datetime) -> dict[str, Any]:
    return {
        "changes": 1,
        "told": 0,
        "due_at": now,
        "state": SyncState.PENDING.value,
        "reason": "",
        "failures": 0,
        "known": {},
    }


def take(connection: Connection, *, now: datetime, until: datetime, node: str | None = None) -> Taken | None:
    """Take the node that is due longest, and that nobody else is taking at this moment; None: none is due.

    :param until: when it is due again, if nothing is heard of it before
    :param node: that one, and whether it is due or not
    :raises Conflict: somebody has taken it between
    """
    columns = [getattr(PlacementNode, name) for name in ("node", "changes", "told", "due_at", "state", "failures")]
    wanted = PlacementNode.due_at <= now if node is None else PlacementNode.node == node
    due = select(*columns, PlacementNode.known).where(wanted)
    due = due.order_by(PlacementNode.due_at, PlacementNode.node).limit(1)
    row = connection.execute(due.with_for_update(skip_locked=node is None)).one_or_none()
    if row is None:
        return None
    is_still = (PlacementNode.node == row.node, PlacementNode.due_at == row.due_at)
    if connection.execute(update(PlacementNode).where(*is_still).values(due_at=until)).rowcount != 1:
        raise Conflict(f"somebody else looks after node {row.node} now")
    return Taken(
        row.node, row.changes, until, SyncState(row.state), row.failures, row.changes != row.told, _to_known(row.known)
    )


def remember(connection: Connection, node: str, known: Known) -> None:
    """Remember what is about to be told, so that it is known for ours even if nobody lives to conclude it.

    Until that is concluded nobody knows what Placement has, so nobody may take it for told.
    """
    connection.execute(
        update(PlacementNode)
        .where(PlacementNode.node == node)
        .values(known=_from_known(known), state=SyncState.PENDING.value)
    )


def conclude(connection: Connection, taken: Taken, verdict: Verdict, *, due_at: datetime, now: datetime) -> bool:
    """Write down how a node that was taken stands now.

    :param due_at: when to look after it again
    :return: False: it has changed meanwhile, or somebody else has taken it: it is due at once
    """
    is_settled = verdict.state is SyncState.AGREES
    values: dict[str, Any] = {
        "state": verdict.state,
        "reason": verdict.reason,
        "due_at": due_at,
        "failures": 0 if is_settled else PlacementNode.failures + 1,
    }
    if is_settled:
        values["told"] = taken.changes
    if verdict.known is not None:
        values["known"] = _from_known(verdict.known)
    its_row = PlacementNode.node == taken.node
    is_ours = (its_row, PlacementNode.changes == taken.changes, PlacementNode.due_at == taken.lease)
    if connection.execute(update(PlacementNode).where(*is_ours).values(**values)).rowcount == 1:
        return True
    stored = _to_known(connection.execute(select(PlacementNode.known).where(its_row).with_for_update()).scalar_one())
    remember(connection, taken.node, intended(verdict.known.providers.values(), stored) if verdict.known else stored)
    connection.execute(update(PlacementNode).where(its_row).values(due_at=now))
    return False


def give_back(connection: Connection, taken: Taken, now: datetime) -> None:
    """Leave a node as it was: due."""
    is_ours = (PlacementNode.node == taken.node, PlacementNode.due_at == taken.lease)
    connection.execute(update(PlacementNode).where(*is_ours).values(due_at=now))


def names(connection: Connection) -> list[str]:
    """The nodes that Placement is told of."""
    return list(connection.scalars(select(PlacementNode.node).order_by(PlacementNode.node)))


def remembered(connection: Connection, nodes: Iterable[str]) -> dict[str, Known]:
    """What is remembered of some nodes, by node."""
    columns = (PlacementNode.node, PlacementNode.known)
    found = connection.execute(select(*columns).where(PlacementNode.node.in_(sorted(set(nodes)))))
    return {node: _to_known(known) for node, known in found}


def states(connection: Connection) -> dict[SyncState, int]:
    """How many nodes stand how. One that has changed since is pending."""
    columns = (PlacementNode.state, PlacementNode.changes == PlacementNode.told, func.count())
    counts = dict.fromkeys(SyncState, 0)
    grouped = select(*columns).group_by(PlacementNode.state, PlacementNode.changes == PlacementNode.told)
    for state, is_told, count in connection.execute(grouped):
        counts[SyncState.PENDING if state == SyncState.AGREES and not is_told else SyncState(state)] += count
    return counts


def _from_known(known: Known) -> dict[str, Any]:
    providers = {
        uuid: {
            "name": seen.name,
            "parent": seen.parent,
            "generation": seen.generation,
            "inventories": {name: _figures(one) for name, one in seen.inventories.items()},
            "traits": sorted(seen.traits),
            "ours": sorted(seen.ours),
        }
        for uuid, seen in known.providers.items()
    }
    return {"root": known.root, "providers": providers}


def _to_known(stored: Mapping[str, Any]) -> Known:
    providers = {
        uuid: Seen(
            uuid=uuid,
            name=seen["name"],
            parent=seen["parent"],
            generation=seen["generation"],
            inventories={name: Inventory(**figures) for name, figures in seen["inventories"].items()},
            traits=frozenset(seen["traits"]),
            ours=frozenset(seen["ours"]),
        )
        for uuid, seen in stored.get("providers", {}).items()
    }
    return Known(root=stored.get("root"), providers=providers)


def _figures(inventory: Inventory) -> dict[str, float]:
    return {name: getattr(inventory, name) for name in Inventory.__slots__}
