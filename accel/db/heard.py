"""What is heard of nodes: their row, its lock, and the messages that agents send.

The row of a node is the lock on everything recorded of it. Each message is taken in one transaction, and is safe to
be taken twice: what is not newer than what is recorded is stale.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import uuid4

from sqlalchemy import Connection, bindparam, insert, select, update

from accel.db import fences, history, inventory, loaded, placement_nodes, recorded, rows, uses
from accel.db.batches import batches
from accel.db.events import Origin
from accel.db.history import AGENT, CONDUCTOR, Entry
from accel.db.tables import Node
from accel.model.diff import Change, DeployableChange, HandleChange, diff
from accel.model.event import EventKind
from accel.model.node import NodeState
from accel.model.record import RecordedNode
from accel.model.report import Acknowledgement, Heartbeat, NodeInfo, NodeReport, Verdict

_REMEMBERED_BOOTS = 16

_TOUCH = (
    update(Node)
    .where(
        Node.name == bindparam("node"),
        Node.state == NodeState.ONLINE,
        Node.boot_id == bindparam("boot"),
        Node.content_hash == bindparam("content"),
        Node.sequence < bindparam("number"),
    )
    .values(sequence=bindparam("number"), last_heartbeat_at=bindparam("now"))
)
"""A heartbeat of a node that is as it is known. Made once: making it takes as long as sending it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedNode:
    """The row of a node, locked until the end of the transaction."""

    id: int
    info: NodeInfo
    state: NodeState
    boot_id: str
    retired_boot_ids: Sequence[str]
    sequence: int
    content_hash: str

    def has_heard(self, boot_id: str, sequence: int) -> bool:
        """Whether a message is not newer than what is recorded."""
        return boot_id in self.retired_boot_ids or (boot_id == self.boot_id and sequence <= self.sequence)


class Agent(NamedTuple):
    """What is known of the agent of a node."""

    node: str
    state: NodeState
    version: str


def take_report(connection: Connection, report: NodeReport, *, content_hash: str, now: datetime) -> Acknowledgement:
    """Believe a report, unless something newer is known."""
    node = lock(connection, report.node.name)
    if node is None:
        _take_first_report(connection, report, content_hash, now)
    elif node.has_heard(report.boot_id, report.sequence):
        return Acknowledgement(verdict=Verdict.STALE, sequence=node.sequence)
    else:
        _take_further_report(connection, node, report, content_hash=content_hash, now=now)
    return Acknowledgement(verdict=Verdict.ACCEPTED, sequence=report.sequence)


def take_heartbeat(connection: Connection, heartbeat: Heartbeat, *, now: datetime) -> Acknowledgement:
    """Note a sign of life; one statement as long as everything is as the conductor knows it."""
    if _is_as_known(connection, heartbeat, now):
        return Acknowledgement(verdict=Verdict.ACCEPTED, sequence=heartbeat.sequence)
    node = lock(connection, heartbeat.node)
    if node is None:
        return Acknowledgement(verdict=Verdict.REPORT_WANTED, sequence=0)
    if node.has_heard(heartbeat.boot_id, heartbeat.sequence):
        return Acknowledgement(verdict=Verdict.STALE, sequence=node.sequence)
    known = (heartbeat.boot_id, heartbeat.content_hash) == (node.boot_id, node.content_hash)
    sequence = heartbeat.sequence if known else node.sequence
    values = {"state": NodeState.ONLINE, "last_heartbeat_at": now, "sequence": sequence}
    connection.execute(update(Node).where(Node.id == node.id).values(values))
    history.write(connection, _online_again(node), now)
    return Acknowledgement(verdict=Verdict.ACCEPTED if known else Verdict.REPORT_WANTED, sequence=sequence)


def mark_offline(connection: Connection, *, heard_before: datetime, now: datetime) -> list[str]:
    """Mark the nodes that were not heard since a moment; gives their names.

    A node whose row is locked is just being heard, and is left out.
    """
    silent = select(Node.id, Node.name, Node.last_heartbeat_at)
    silent = silent.where(Node.state == NodeState.ONLINE, Node.last_heartbeat_at < heard_before)
    nodes = connection.execute(silent.with_for_update(skip_locked=True)).all()
    values = {"state": NodeState.OFFLINE, "updated_at": now}
    for keys in batches([node.id for node in nodes]):
        connection.execute(update(Node).where(Node.id.in_(keys)).values(values))
    history.write(connection, [_offline(node.name, node.last_heartbeat_at) for node in nodes], now)
    return [node.name for node in nodes]


def agents(connection: Connection) -> list[Agent]:
    """The agents of all nodes, by name of the node."""
    statement = select(Node.name, Node.state, Node.agent_version).order_by(Node.name)
    return [Agent(node, NodeState(state), version) for node, state, version in connection.execute(statement)]


def lock(connection: Connection, name: str) -> LockedNode | None:
    """Read the row of a node and keep everybody else from changing it, or what is recorded of the node."""
    row = connection.execute(
        select(
            Node.id,
            Node.name,
            Node.state,
            Node.boot_id,
            Node.retired_boot_ids,
            Node.sequence,
            Node.content_hash,
            *(getattr(Node, column) for column in rows.NODE_COLUMNS),
        )
        .where(Node.name == name)
        .with_for_update()
    ).one_or_none()
    if row is None:
        return None
    return LockedNode(
        id=row.id,
        info=rows.to_node_info(row),
        state=NodeState(row.state),
        boot_id=row.boot_id,
        retired_boot_ids=row.retired_boot_ids,
        sequence=row.sequence,
        content_hash=row.content_hash,
    )


def _is_as_known(connection: Connection, heartbeat: Heartbeat, now: datetime) -> bool:
    values = {
        "node": heartbeat.node,
        "boot": heartbeat.boot_id,
        "content": heartbeat.content_hash,
        "number": heartbeat.sequence,
        "now": now,
    }
    return connection.execute(_TOUCH, values).rowcount == 1


def _take_first_report(connection: Connection, report: NodeReport, content_hash: str, now: datetime) -> None:
    """Add the node. Of two conductors that do so at once one is refused by the unique name, and repeats."""
    values = _heard(report, content_hash, now) | {"uuid": str(uuid4()), "retired_boot_ids": [], "created_at": now}
    values |= {"name": report.node.name} | rows.node_values(report.node)
    node_id = connection.execute(insert(Node).values(values).returning(Node.id)).scalar_one()
    placement_nodes.add(connection, report.node.name, now)
    empty = RecordedNode(info=report.node, boot_id=report.boot_id, drivers={})
    after = rows.node_values(report.node) | {"boot_id": report.boot_id}
    added = Entry(kind=EventKind.NODE_ADDED, subject=report.node.name, source=AGENT, node=report.node.name, after=after)
    _change(connection, node_id, empty, report, entries=[added], now=now)


def _take_further_report(
    connection: Connection, node: LockedNode, report: NodeReport, *, content_hash: str, now: datetime
) -> None:
    values = _heard(report, content_hash, now)
    entries = _online_again(node)
    if (content_hash, report.boot_id) == (node.content_hash, node.boot_id):
        history.write(connection, entries, now)
    else:
        known = recorded.load(connection, node.id, info=node.info, boot_id=node.boot_id)
        changes = _change(connection, node.id, known, report, entries=entries, now=now)
        if any(isinstance(change, DeployableChange | HandleChange) and change.before is None for change in changes):
            fences.cover(connection, report.node.name, Origin(at=now, service=CONDUCTOR))
        if changes:
            values |= rows.node_values(report.node) | {"updated_at": now}
    if report.boot_id != node.boot_id:
        values["retired_boot_ids"] = [*node.retired_boot_ids, node.boot_id][-_REMEMBERED_BOOTS:]
    connection.execute(update(Node).where(Node.id == node.id).values(values))


def _change(
    connection: Connection,
    node_id: int,
    known: RecordedNode,
    report: NodeReport,
    *,
    entries: list[Entry],
    now: datetime,
) -> Sequence[Change]:
    """Make the record say what the report says, and tell it after the given events."""
    changes = diff(known, report)
    new_devices = inventory.apply(connection, node_id, known, changes, now)
    told = history.entries(changes, node=report.node.name, new_devices=new_devices)
    followed = loaded.follow(connection, report.node.name, changes, Origin(at=now))
    history.write(connection, [*entries, *told, *followed], now)
    if report.uses is not None:
        uses.take(connection, report.node.name, report.uses, now)
    return changes


def _heard(report: NodeReport, content_hash: str, now: datetime) -> rows.Values:
    return {
        "state": NodeState.ONLINE,
        "boot_id": report.boot_id,
        "sequence": report.sequence,
        "content_hash": content_hash,
        "has_kubelet": report.uses is not None,
        "last_heartbeat_at": now,
    }


def _online_again(node: LockedNode) -> list[Entry]:
    if node.state is NodeState.ONLINE:
        return []
    entry = Entry(
        kind=EventKind.NODE_ONLINE,
        subject=node.info.name,
        source=CONDUCTOR,
        node=node.info.name,
        before={"state": node.state},
        after={"state": NodeState.ONLINE},
    )
    return [entry]


def _offline(name: str, heard_at: datetime) -> Entry:
    return Entry(
        kind=EventKind.NODE_OFFLINE,
        subject=name,
        source=CONDUCTOR,
        node=name,
        before={"state": NodeState.ONLINE},
        after={"state": NodeState.OFFLINE, "last_heartbeat_at": heard_at.isoformat()},
    )
