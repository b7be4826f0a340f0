"""What containers of pods use, by the word of their kubelets, and what becomes of it.

A handle that a container uses and nobody holds is held by the pod from then on, so whoever looks for what is free needs
to know nothing of pods. Whoever is recorded first keeps the handle: a container that uses what somebody else holds is
told of in the history as a double owner, and its pod becomes the holder when the other one lets go.

Every function that writes is a part of a transaction that has locked the node.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import uuid4

from sqlalchemy import Connection, bindparam, delete, insert, select

from accel.db import history
from accel.db.batches import batches
from accel.db.fences import FENCE
from accel.db.history import AGENT, Entry
from accel.db.paging import AnySelect
from accel.db.tables import AttachHandle, Deployable, Device, Holder, Node
from accel.db.use_tables import Use as UseRow
from accel.model.event import EventKind
from accel.model.node import DeviceStatus
from accel.model.offer import Withdrawal, id_on_node
from accel.model.report import Use

POD = "pod"
"""The kind of holder that a pod is."""
_NAME_LENGTH = 255

_HANDLES: AnySelect = (
    select(
        AttachHandle.id,
        AttachHandle.uuid,
        AttachHandle.info,
        AttachHandle.info_key,
        Deployable.name.label("part"),
        Device.uuid.label("device"),
        Device.status,
        Holder.id.label("holder_id"),
        Holder.uuid.label("holder"),
        Holder.kind,
        Holder.name,
    )
    .join_from(Node, Device, Device.node_id == Node.id)
    .join(Deployable, Deployable.device_id == Device.id)
    .join(AttachHandle, AttachHandle.deployable_id == Deployable.id)
    .outerjoin(Holder, Holder.attach_handle_id == AttachHandle.id)
    .where(Node.name == bindparam("node"))
    .order_by(AttachHandle.id)
)
_USES: AnySelect = (
    select(UseRow.id, UseRow.attach_handle_id, UseRow.name)
    .join_from(Node, Device, Device.node_id == Node.id)
    .join(Deployable, Deployable.device_id == Device.id)
    .join(AttachHandle, AttachHandle.deployable_id == Deployable.id)
    .join(UseRow, UseRow.attach_handle_id == AttachHandle.id)
    .where(Node.name == bindparam("node"))
)
_HAVE_KUBELETS = (
    select(Node.name).where(Node.has_kubelet, Node.name.in_(bindparam("nodes", expanding=True))).order_by(Node.name)
)


class Held(NamedTuple):
    """How many attach handles the containers of a pod have."""

    namespace: str
    pod: str
    handles: int


def take(connection: Connection, node: str, told: Iterable[Use], now: datetime) -> None:
    """Believe a kubelet: these are all uses there are on its node. A handle that is not recorded is left out."""
    rows = connection.execute(_HANDLES, {"node": node}).all()
    ids = {id_on_node(row.part, row.info_key): row.id for row in rows}
    wanted = {(ids[use.handle], use.name) for use in told if use.handle in ids}
    known = {(use.attach_handle_id, use.name): use.id for use in connection.execute(_USES, {"node": node})}
    for keys in batches([key for use, key in known.items() if use not in wanted]):
        connection.execute(delete(UseRow).where(UseRow.id.in_(keys)))
    new = sorted(wanted - known.keys())
    if new:
        values = [{"attach_handle_id": handle, "name": name, "created_at": now} for handle, name in new]
        connection.execute(insert(UseRow), values)
    if wanted != known.keys():
        _settle(connection, node, rows, _by_handle(wanted), now, fresh={handle for handle, _ in new})


def settle(connection: Connection, node: str, now: datetime) -> None:
    """Let pods hold what they use and what nobody holds any more."""
    used = _by_handle({(use.attach_handle_id, use.name) for use in connection.execute(_USES, {"node": node})})
    if used:
        _settle(connection, node, connection.execute(_HANDLES, {"node": node}).all(), used, now)


def with_kubelets(connection: Connection, nodes: Collection[str]) -> list[str]:
    """Those of some nodes whose kubelets say what pods use."""
    return [name for some in batches(sorted(nodes)) for name in connection.scalars(_HAVE_KUBELETS, {"nodes": some})]


def withdrawals(connection: Connection, node: str) -> tuple[Withdrawal, ...]:
    """What a node is not to give to anybody new, and why, without a name."""
    found = ((row, _reason(row)) for row in connection.execute(_HANDLES, {"node": node}))
    return tuple(
        Withdrawal(handle=id_on_node(row.part, row.info_key), reason=reason) for row, reason in found if reason
    )


def held(connection: Connection) -> list[Held]:
    """How many handles each pod uses, in the order of their names."""
    handles: defaultdict[tuple[str, str], set[int]] = defaultdict(set)
    for handle, name in connection.execute(select(UseRow.attach_handle_id, UseRow.name)):
        namespace, pod, *_ = name.split("/")
        handles[namespace, pod].add(handle)
    return [Held(*pod, len(keys)) for pod, keys in sorted(handles.items())]


def _reason(row: Any) -> str:
    if row.kind == FENCE:
        return "a job is at the device, or has left it fenced"
    if row.kind not in (None, POD):
        return f"it is held outside this cluster ({row.kind})"
    if row.status == DeviceStatus.MAINTAINING:
        return "an operator has disabled the device"
    return ""


def _by_handle(uses: Collection[tuple[int, str]]) -> Mapping[int, list[str]]:
    found: defaultdict[int, list[str]] = defaultdict(list)
    for handle, name in sorted(uses):
        found[handle].append(_short(name))
    return found


def _short(name: str) -> str:
    return name if len(name) <= _NAME_LENGTH else f"{name[: _NAME_LENGTH - 1]}…"


def _settle(
    connection: Connection,
    node: str,
    rows: Sequence[Any],
    used: Mapping[int, list[str]],
    now: datetime,
    *,
    fresh: Collection[int] = (),
) -> None:
    """Make holders of pods agree with what they use.

    :param fresh: the handles that somebody has begun to use: double owners are told of once
    """
    entries: list[Entry] = []
    over: list[int] = []
    new: list[dict[str, Any]] = []
    for row in rows:
        names = used.get(row.id, [])
        if row.kind == POD and row.name not in names:
            over.append(row.holder_id)
            entries.append(_entry(EventKind.HOLDER_RELEASED, row, node, row.holder, row.name))
        if names and (row.kind is None or (row.kind == POD and row.name not in names)):
            uuid = str(uuid4())
            new.append({"uuid": uuid, "attach_handle_id": row.id, "kind": POD, "name": names[0], "created_at": now})
            entries.append(_entry(EventKind.HOLDER_ADDED, row, node, uuid, names[0]))
        elif row.kind not in (None, POD) and row.id in fresh:
            entries.append(_doubled(row, node, names))
    for keys in batches(over):
        connection.execute(delete(Holder).where(Holder.id.in_(keys)))
    if new:
        connection.execute(insert(Holder), new)
    history.write(connection, entries, now)


def _entry(kind: EventKind, row: Any, node: str, holder: str, name: str) -> Entry:
    told = {"kind": POD, "name": name, "handle": row.uuid, "info": row.info}
    is_over = kind is EventKind.HOLDER_RELEASED
    return Entry(
        kind=kind,
        subject=holder,
        source=AGENT,
        node=node,
        device_uuid=row.device,
        before=told if is_over else None,
        after=None if is_over else told,
    )


def _doubled(row: Any, node: str, names: Sequence[str]) -> Entry:
    return Entry(
        kind=EventKind.HOLDER_DOUBLED,
        subject=row.holder,
        source=AGENT,
        node=node,
        device_uuid=row.device,
        before={"kind": row.kind, "name": row.name, "handle": row.uuid, "info": row.info},
        after={"kind": POD, "names": list(names), "handle": row.uuid, "info": row.info},
    )
