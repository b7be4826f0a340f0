"""Long histories of one inventory: whatever happens to hosts, drivers, agents and holders, what must hold holds."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import pytest
from sqlalchemy import select
from support import holding
from support.clocks import Clock
from support.databases import counted_statements, migrated
from support.inventories import load
from support.replay import State, events_after, replayed, stored
from support.reports import heartbeat
from support.snapshots import KeptSnapshot, free_in, free_in_database, whole
from support.world import World

from accel.conductor.manager import Limits, Manager
from accel.db import attribute_texts, counts
from accel.db.engine import Database
from accel.db.tables import AttachHandle, Base, Deployable, Device, Holder, Node
from accel.errors import Conflict
from accel.model.device import Health, Presence
from accel.model.diff import Change, DeployableChange, HandleChange, diff
from accel.model.identity import sightings
from accel.model.record import RecordedDevice, RecordedNode
from accel.model.report import NodeReport, Verdict
from accel.rpc.wire import content_hash

STEPS = 120
MOST_STATEMENTS = 30
"""What a report costs at most, whatever changed."""


@dataclass
class History:
    """Hosts, the conductor that hears of them, and those who hold things."""

    database: Database
    chance: Random
    clock: Clock = field(default_factory=Clock)
    told: State = field(default_factory=dict)
    last_event: int = 0
    sent: list[NodeReport] = field(default_factory=list)
    held: dict[str, int] = field(default_factory=dict)
    """Holders, each with the key of its handle."""

    def __post_init__(self) -> None:
        self.manager = Manager(self.database, self.clock, Limits())
        self.worlds = [World(name, self.chance) for name in ("a", "b")]
        self.snapshot = KeptSnapshot(self.database, self.clock)

    def step(self) -> None:
        """Let one thing happen, and check everything."""
        steps: Sequence[Callable[[], None]] = (
            *[self.report] * 6,
            *(self.repeat, self.beat, self.hold, self.hold, self.release, self.wait),
        )
        self.chance.choice(steps)()
        self.clock.pass_(seconds=self.chance.randint(0, 100))
        check_rows(self.database)
        self.check_holders()
        self.check_events()
        self.check_snapshot()

    def report(self) -> None:
        world = self.chance.choice(self.worlds)
        for _ in range(self.chance.randint(0, 3)):
            world.change()
        seen = world.report()
        with counted_statements(self.database) as statements:
            assert self.manager.report(seen).verdict is Verdict.ACCEPTED
        assert len(statements) <= MOST_STATEMENTS
        self.sent.append(seen)
        check_record(load(self.database, world.name), seen)

    def repeat(self) -> None:
        """Something from before arrives once more: nothing changes."""
        if self.sent:
            before = contents(self.database)
            assert self.manager.report(self.chance.choice(self.sent)).verdict is Verdict.STALE
            assert contents(self.database) == before

    def beat(self) -> None:
        world = self.chance.choice(self.worlds)
        of_world = [seen for seen in self.sent if seen.node.name == world.name]
        if of_world:
            world.sequence += 1
            taken = self.manager.heartbeat(heartbeat(of_world[-1], content_hash(of_world[-1]), world.sequence))
            is_of_this_boot = of_world[-1].boot_id == f"boot-{world.boot}"
            assert taken.verdict in ((Verdict.ACCEPTED,) if is_of_this_boot else (Verdict.ACCEPTED, Verdict.STALE))

    def hold(self) -> None:
        """Somebody asks for a handle, often for one of a thing that is held already by another name."""
        with self.database.reader() as connection:
            uuids = connection.scalars(select(AttachHandle.uuid).order_by(AttachHandle.id)).all()
            things = select(AttachHandle.info_key).join(Holder)
            again = select(AttachHandle.uuid).where(AttachHandle.info_key.in_(things)).order_by(AttachHandle.id)
            held_things = connection.scalars(again).all()
        if not uuids:
            return
        uuid = self.chance.choice(held_things if held_things and self.chance.random() < 0.5 else uuids)
        try:
            with self.database.writer() as connection:
                holder = holding.hold(connection, uuid, kind="pod", name="p", project_id=None, now=self.clock())
        except Conflict:
            return
        with self.database.reader() as connection:
            handle = connection.scalars(select(AttachHandle.id).where(AttachHandle.uuid == uuid)).one()
        self.held[holder] = handle

    def release(self) -> None:
        if self.held:
            holder = self.chance.choice(sorted(self.held))
            self.database.write(lambda connection: holding.release(connection, holder, now=self.clock()))
            del self.held[holder]

    def wait(self) -> None:
        """Time passes until nodes are offline, and sometimes until what is lost is removed."""
        self.clock.pass_(seconds=self.chance.choice((200, 4000)))
        self.manager.mark_offline_nodes()
        gone_for_long = self.clock.now - Limits().lost_device_grace
        self.manager.remove_expired_devices()
        for world in self.worlds:
            if self.sent and any(seen.node.name == world.name for seen in self.sent):
                for known in load(self.database, world.name).devices:
                    assert known.is_held or not known.unreported_at or known.unreported_at >= gone_for_long

    def check_snapshot(self) -> None:
        """What placement knows by history alone is the fleet; what it takes for free is free."""
        self.snapshot.refresh()
        assert self.snapshot.hosts == whole(self.database)
        assert free_in(self.snapshot.hosts.values()) == free_in_database(self.database)

    def check_holders(self) -> None:
        """Nothing that is held is ever gone."""
        with self.database.reader() as connection:
            chain = select(Holder.uuid, Holder.attach_handle_id).join(AttachHandle).join(Deployable).join(Device)
            assert {row.uuid: row.attach_handle_id for row in connection.execute(chain)} == self.held

    def check_events(self) -> None:
        """What the events tell, beginning with nothing, is what the tables hold."""
        new = events_after(self.database, self.last_event)
        self.told = replayed(self.told, new)
        self.last_event = new[-1].id if new else self.last_event
        for key, values in self.told.items():
            if key[0] == "node":
                values.setdefault("state", "online")
        assert self.told == stored(self.database)


def check_record(record: RecordedNode, seen: NodeReport) -> None:
    """The record says of every driver what it said. Lost parts that were given back await their removal."""
    assert [change for change in diff(record, seen) if not _is_given_back(change)] == []
    failing = {answer.driver for answer in seen.drivers if answer.failure is not None}
    for sighting in sightings(seen):
        known = _recorded_as(record, sighting.device.identity, str(sighting.device.address))
        if known.driver in failing and known.driver != sighting.driver:
            continue  # all that was seen is its slot; who knows it better has no answer
        _check_device(known, sighting.driver, sighting.device)
    for known in record.devices:
        if known.driver in failing and known.device.presence is Presence.PRESENT:
            assert known.device.health is Health.UNKNOWN
    said = {answer.driver for answer in seen.drivers}
    assert all(known.device.presence is Presence.LOST for known in record.devices if known.driver not in said)


def _is_given_back(change: Change) -> bool:
    is_part = isinstance(change, DeployableChange | HandleChange)
    return is_part and change.after is None and change.before is not None and change.before.presence is Presence.LOST


def _recorded_as(record: RecordedNode, identity: str, address: str) -> RecordedDevice:
    by_identity = [known for known in record.devices if known.device.identity == identity]
    by_slot = [k for k in record.devices if str(k.device.address) == address and k.unreported_at is None]
    [known] = by_identity or by_slot
    return known


def _check_device(known: RecordedDevice, driver: str, device: Any) -> None:
    assert known.driver == driver
    assert (known.device.presence, known.device.health) == (device.presence, device.health)
    if device.presence is Presence.PRESENT:
        there = [part for part in known.deployables if part.presence is Presence.PRESENT]
        assert {part.part.name: part.part.parent for part in there} == {p.name: p.parent for p in device.deployables}
        handles = {h.handle.key for part in there for h in part.handles if h.presence is Presence.PRESENT}
        assert handles == {handle.key for part in device.deployables for handle in part.handles}


def check_rows(database: Database) -> None:
    """What no constraint says: times of loss, roots of trees, that one thing has one holder by whatever name, and that
    only what is there and well is free.
    """
    with database.reader() as connection:
        things = select(Device.node_id, AttachHandle.type, AttachHandle.info_key).select_from(Holder)
        held = connection.execute(things.join(AttachHandle).join(Deployable).join(Device)).all()
        assert len(set(held)) == len(held)
        for row in connection.execute(select(*Device.__table__.columns)):
            assert (row.presence == Presence.LOST) == (row.lost_at is not None)
            assert row.unreported_at is None or row.presence == Presence.LOST
        parts = {row.id: row for row in connection.execute(select(*Deployable.__table__.columns))}
        for row in parts.values():
            root = row
            while root.parent_id is not None:
                root = parts[root.parent_id]
            assert row.root_id == (root.id if root is not row else None)
        texts = attribute_texts.make(connection, list(parts))
        assert {key: row.attributes_text for key, row in parts.items()} == {key: texts.get(key, "[]") for key in parts}
        columns = (AttachHandle.presence, Device.presence, Device.health, Device.node_id)
        handles = counts.joined_to_handles(select(*columns, AttachHandle.type, AttachHandle.info_key))
        for is_free in (counts.IS_FREE, counts.IS_FREE_OF_FEW):
            for row in connection.execute(handles.where(is_free)):
                assert row[:3] == ("present", "present", "healthy")
                assert row[3:] not in held


def contents(database: Database) -> list[Any]:
    """Every row of every table."""
    with database.reader() as connection:
        return [connection.execute(select(table)).all() for table in Base.metadata.sorted_tables]


@pytest.mark.parametrize("seed", range(8))
def test_whatever_happens_the_record_is_what_was_said_and_nothing_held_is_gone(seed: int, tmp_path: Path) -> None:
    with migrated("sqlite", tmp_path) as database:
        history = History(database, Random(seed))  # noqa: S311 - chance that can be repeated, no secret
        for _ in range(STEPS):
            history.step()
        with database.reader() as connection:
            assert len(connection.scalars(select(Node.id)).all()) == 2
