"""Reports and heartbeats, from message to rows and events."""

import pytest
from support.clocks import Clock
from support.databases import counted_statements
from support.inventories import (
    device,
    event_kinds,
    events,
    free_devices,
    handle_uuids,
    handles_in_all,
    held_handles,
    hold,
    load,
    release,
    rows_in,
    state,
)
from support.reports import NODE, address, answer, card, child, failed, gpu, heartbeat, report, unnamed

from accel.conductor.manager import Limits, Manager
from accel.db.counts import HandleCounts
from accel.db.engine import Database
from accel.db.tables import AttachHandle, Attribute, Deployable, Device, Node, NodeDriver
from accel.errors import Conflict
from accel.model.device import Health, Presence
from accel.model.report import Heartbeat, Verdict
from accel.rpc.wire import content_hash


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def manager(database: Database, clock: Clock) -> Manager:
    return Manager(database, clock, Limits())


def test_a_first_report_records_the_node_and_all_it_says(manager: Manager, database: Database) -> None:
    cut = gpu(1, deployables=(card(1, handles=()), child(1, 0)))
    taken = manager.report(report(answer(cut, gpu(2)), failed("pci"), sequence=7))
    assert (taken.verdict, taken.sequence) == (Verdict.ACCEPTED, 7)
    assert rows_in(database, Node, NodeDriver, Device, Deployable, Attribute, AttachHandle) == [1, 2, 2, 3, 5, 2]
    assert event_kinds(database) == [
        "node.added",
        "driver.added",
        "driver.failed",
        "device.added",
        "device.added",
    ]


def test_what_is_recorded_is_what_was_reported(manager: Manager, database: Database) -> None:
    cut = gpu(1, deployables=(card(1, handles=()), child(1, 0)))
    manager.report(report(answer(cut)))
    known = device(database, "GPU-1")
    parts = {part.part.name: part for part in known.deployables}
    assert known.driver == "nvidia"
    assert parts[child(1, 0).name].part.parent == card(1).name
    assert [handle.handle for handle in parts[child(1, 0).name].handles] == list(child(1, 0).handles)
    assert {known.attribute for known in parts[card(1).name].attributes} == set(card(1).attributes)


def test_parts_know_their_parent_and_the_root_of_their_tree(manager: Manager, database: Database) -> None:
    grandchild = child(1, 1, parent=child(1, 0).name)
    manager.report(report(answer(gpu(1, deployables=(grandchild, child(1, 0), card(1))))))
    with database.reader() as connection:
        columns = (Deployable.name, Deployable.id, Deployable.parent_id, Deployable.root_id)
        parts = {row.name: row for row in connection.execute(Deployable.__table__.select().with_only_columns(*columns))}
    root, middle, leaf = parts[card(1).name], parts[child(1, 0).name], parts[grandchild.name]
    assert (root.parent_id, root.root_id) == (None, None)
    assert (middle.parent_id, middle.root_id) == (root.id, root.id)
    assert (leaf.parent_id, leaf.root_id) == (middle.id, root.id)


def test_an_event_tells_what_differs_by_whom_and_about_what(manager: Manager, database: Database) -> None:
    manager.report(report(answer(gpu(1))))
    manager.report(report(answer(gpu(1, kernel_driver="vfio-pci")), sequence=2))
    event = events(database)[-1]
    assert (event.kind, event.node, event.source) == ("device.changed", NODE, "driver:nvidia")
    assert event.device_uuid == device(database, "GPU-1").uuid
    assert (event.before, event.after) == ({"kernel_driver": None}, {"kernel_driver": "vfio-pci"})


def test_a_repeated_report_is_stale_and_changes_nothing(manager: Manager, database: Database) -> None:
    manager.report(report(answer(gpu(1)), sequence=5))
    told = events(database)
    again = manager.report(report(answer(gpu(1)), sequence=5))
    assert (again.verdict, again.sequence) == (Verdict.STALE, 5)
    assert events(database) == told


def test_an_older_report_that_arrives_late_is_stale(manager: Manager, database: Database) -> None:
    manager.report(report(answer(gpu(1), gpu(2)), sequence=5))
    late = manager.report(report(answer(), sequence=4))
    assert (late.verdict, late.sequence) == (Verdict.STALE, 5)
    assert rows_in(database, Device) == [2]


def test_a_new_boot_begins_a_new_count_and_ends_the_old_one(manager: Manager, database: Database) -> None:
    manager.report(report(answer(gpu(1)), sequence=900))
    fresh = manager.report(report(answer(gpu(1)), sequence=1, boot_id="boot-2"))
    late = manager.report(report(answer(), sequence=901))
    assert (fresh.verdict, late.verdict, late.sequence) == (Verdict.ACCEPTED, Verdict.STALE, 1)
    assert device(database, "GPU-1").device.presence is Presence.PRESENT
    assert event_kinds(database)[-1] == "node.changed"


def test_a_vanished_device_is_lost_keeps_its_holder_and_returns_as_itself(manager: Manager, database: Database) -> None:
    manager.report(report(answer(gpu(1))))
    before = device(database, "GPU-1")
    hold(database, card(1).name)
    manager.report(report(answer(), sequence=2))
    assert device(database, "GPU-1").device.presence is Presence.LOST
    assert held_handles(database) == 1
    manager.report(report(answer(gpu(1)), sequence=3))
    after = device(database, "GPU-1")
    assert (after.uuid, after.device.presence, after.lost_at) == (before.uuid, Presence.PRESENT, None)
    assert event_kinds(database)[-2:] == ["device.lost", "device.returned"]


def test_a_device_that_is_lost_says_since_when(manager: Manager, database: Database, clock: Clock) -> None:
    manager.report(report(answer(gpu(1))))
    clock.pass_(minutes=1)
    lost_at = clock()
    manager.report(report(answer(), sequence=2))
    clock.pass_(minutes=1)
    manager.report(report(answer(), sequence=3, rack="r2"))
    assert device(database, "GPU-1").lost_at == lost_at


def test_a_failing_driver_keeps_its_devices(manager: Manager, database: Database) -> None:
    manager.report(report(answer(gpu(1))))
    manager.report(report(failed(), sequence=2))
    known = device(database, "GPU-1").device
    assert (known.presence, known.health, known.reason) == (
        "present",
        "unknown",
        "driver nvidia has no answer: timeout",
    )
    manager.report(report(answer(gpu(1)), sequence=3))
    assert device(database, "GPU-1").device.health == "healthy"
    assert event_kinds(database)[-4:] == ["driver.failed", "health.changed", "driver.recovered", "health.changed"]


def test_cutting_a_held_card_anew_keeps_what_is_held_as_lost(manager: Manager, database: Database) -> None:
    manager.report(report(answer(gpu(1, deployables=(card(1, handles=()), child(1, 0), child(1, 1))))))
    hold(database, child(1, 0).name)
    manager.report(report(answer(gpu(1)), sequence=2))
    parts = {part.part.name: part for part in device(database, "GPU-1").deployables}
    assert set(parts) == {card(1).name, child(1, 0).name}
    assert parts[child(1, 0).name].presence is Presence.LOST
    assert [handle.presence for handle in parts[child(1, 0).name].handles] == [Presence.LOST]


def test_an_operators_attributes_survive_reports(manager: Manager, database: Database) -> None:
    manager.report(report(answer(gpu(1))))
    part = device(database, "GPU-1").deployables[0]
    with database.writer() as connection:
        values = {"uuid": "u", "deployable_id": part.id, "key": "rc", "value": "MINE", "created_at": Clock()()}
        connection.execute(Attribute.__table__.insert().values(values))
    manager.report(report(answer(gpu(1, deployables=(card(1, attributes=()),))), sequence=2))
    with database.reader() as connection:
        assert connection.scalars(Attribute.__table__.select().with_only_columns(Attribute.value)).all() == ["MINE"]


def test_a_weakly_known_device_keeps_its_uuid_when_it_is_known_better(manager: Manager, database: Database) -> None:
    manager.report(report(answer(unnamed(1))))
    [before] = load(database).devices
    manager.report(report(answer(gpu(1)), sequence=2))
    [after] = load(database).devices
    assert (after.uuid, after.device.identity) == (before.uuid, "GPU-1")


@pytest.mark.parametrize("count", [1, 16, 256])
def test_an_unchanged_report_costs_six_statements_however_many_devices_are_compared(
    manager: Manager, database: Database, count: int
) -> None:
    devices = tuple(gpu(number) for number in range(count))
    manager.report(report(answer(*devices), sequence=1))
    with database.writer() as connection:  # so that the report is compared, as after an upgrade of the conductor
        connection.execute(Node.__table__.update().values(content_hash="of an older release"))
    with counted_statements(database) as compared:
        manager.report(report(answer(*devices), sequence=2))
    with counted_statements(database) as touched:
        manager.report(report(answer(*devices), sequence=3))
    assert (len(compared), len(touched)) == (6, 2)


@pytest.mark.parametrize("count", [1, 16, 256])
def test_a_first_report_costs_the_same_statements_however_many_devices_there_are(
    manager: Manager, database: Database, count: int
) -> None:
    with counted_statements(database) as statements:
        manager.report(report(answer(*(gpu(number) for number in range(count)))))
    assert len(statements) == 11


def test_a_heartbeat_of_the_recorded_content_is_one_statement(manager: Manager, database: Database) -> None:
    seen = report(answer(gpu(1)))
    manager.report(seen)
    with counted_statements(database) as statements:
        taken = manager.heartbeat(heartbeat(seen, content_hash(seen), 2))
    assert (taken.verdict, taken.sequence, len(statements)) == (Verdict.ACCEPTED, 2, 1)


def test_a_heartbeat_of_an_unknown_node_asks_for_a_report(manager: Manager) -> None:
    taken = manager.heartbeat(Heartbeat(node="stranger", boot_id="b", sequence=1, content_hash="x"))
    assert taken.verdict is Verdict.REPORT_WANTED


def test_a_heartbeat_of_another_content_asks_for_a_report_that_is_then_taken(manager: Manager) -> None:
    seen = report(answer(gpu(1)))
    manager.report(seen)
    assert manager.heartbeat(heartbeat(seen, "other", 2)).verdict is Verdict.REPORT_WANTED
    assert manager.report(report(answer(gpu(2)), sequence=2)).verdict is Verdict.ACCEPTED


def test_a_heartbeat_of_a_new_boot_asks_for_a_report(manager: Manager) -> None:
    seen = report(answer(gpu(1)))
    manager.report(seen)
    booted = Heartbeat(node=NODE, boot_id="boot-2", sequence=1, content_hash=content_hash(seen))
    assert manager.heartbeat(booted).verdict is Verdict.REPORT_WANTED


def test_a_heartbeat_from_before_is_stale(manager: Manager) -> None:
    seen = report(answer(gpu(1)), sequence=5)
    manager.report(seen)
    stale = manager.heartbeat(heartbeat(seen, content_hash(seen), 5))
    assert (stale.verdict, stale.sequence) == (Verdict.STALE, 5)


def test_a_silent_node_is_offline_and_its_devices_are_as_they_were(
    manager: Manager, database: Database, clock: Clock
) -> None:
    manager.report(report(answer(gpu(1))))
    before = load(database)
    clock.pass_(seconds=180)
    assert manager.mark_offline_nodes() == []
    clock.pass_(seconds=1)
    assert manager.mark_offline_nodes() == [NODE]
    assert manager.mark_offline_nodes() == []
    assert (state(database), load(database)) == ("offline", before)
    assert event_kinds(database)[-1] == "node.offline"


def test_a_conductor_that_has_just_started_concludes_nothing_from_silence(manager: Manager, clock: Clock) -> None:
    manager.report(report(answer(gpu(1))))
    clock.pass_(hours=8)
    started_at = clock()
    clock.pass_(seconds=179)
    assert manager.mark_offline_nodes(hears_since=started_at) == []
    clock.pass_(seconds=1)
    assert manager.mark_offline_nodes(hears_since=started_at) == [NODE]


def test_a_node_that_is_heard_again_by_heartbeat_is_online(manager: Manager, database: Database, clock: Clock) -> None:
    seen = report(answer(gpu(1)))
    manager.report(seen)
    clock.pass_(minutes=5)
    manager.mark_offline_nodes()
    assert manager.heartbeat(heartbeat(seen, content_hash(seen), 2)).verdict is Verdict.ACCEPTED
    assert (state(database), event_kinds(database)[-1]) == ("online", "node.online")


@pytest.mark.parametrize("devices", [(gpu(1),), (gpu(1), gpu(2))])
def test_a_node_that_is_heard_again_by_report_is_online(
    manager: Manager, database: Database, clock: Clock, devices: tuple[object, ...]
) -> None:
    manager.report(report(answer(gpu(1))))
    clock.pass_(minutes=5)
    manager.mark_offline_nodes()
    manager.report(report(answer(*devices), sequence=2))
    assert state(database) == "online"
    assert event_kinds(database).count("node.online") == 1


def test_a_lost_device_is_removed_when_the_grace_time_is_over(
    manager: Manager, database: Database, clock: Clock
) -> None:
    manager.report(report(answer(gpu(1, deployables=(card(1), child(1, 0))), gpu(2))))
    manager.report(report(answer(gpu(2)), sequence=2))
    clock.pass_(hours=1)
    assert manager.remove_expired_devices().devices == 0
    clock.pass_(seconds=1)
    assert manager.remove_expired_devices().devices == 1
    assert [known.device.identity for known in load(database).devices] == ["GPU-2"]
    assert event_kinds(database)[-1] == "device.removed"


def test_a_lost_device_that_somebody_holds_is_removed_only_after_it_is_given_back(
    manager: Manager, database: Database, clock: Clock
) -> None:
    manager.report(report(answer(gpu(1))))
    holder = hold(database, card(1).name)
    manager.report(report(answer(), sequence=2))
    clock.pass_(days=100)
    assert manager.remove_expired_devices() == (0, 0, 0)
    release(database, holder)
    assert manager.remove_expired_devices().devices == 1
    assert rows_in(database, Device, Deployable, Attribute, AttachHandle) == [0, 0, 0, 0]


def test_a_lost_part_is_removed_after_it_is_given_back(manager: Manager, database: Database) -> None:
    manager.report(report(answer(gpu(1, deployables=(card(1, handles=()), child(1, 0))))))
    holder = hold(database, child(1, 0).name)
    manager.report(report(answer(gpu(1)), sequence=2))
    assert manager.remove_expired_devices() == (0, 0, 0)
    release(database, holder)
    assert manager.remove_expired_devices() == (0, 1, 0)
    assert [part.part.name for part in device(database, "GPU-1").deployables] == [card(1).name]


def test_a_handle_that_is_held_or_lost_is_given_to_nobody(manager: Manager, database: Database) -> None:
    manager.report(report(answer(gpu(1), gpu(2))))
    hold(database, card(1).name)
    with pytest.raises(Conflict, match="has a holder already"):
        hold(database, card(1).name)
    manager.report(report(answer(gpu(1)), sequence=2))
    with pytest.raises(Conflict, match="not there to be held"):
        hold(database, card(2).name)


def test_a_function_that_is_held_through_a_lost_card_is_not_handed_out_again_with_the_card_in_its_slot(
    manager: Manager, database: Database
) -> None:
    manager.report(report(answer(gpu(1))))
    holder = hold(database, card(1).name)
    manager.report(report(answer(gpu(2, address=address(1), deployables=(card(1),))), sequence=2))
    _, of_successor = handle_uuids(database, card(1).name)
    with pytest.raises(Conflict, match="through the handle of a device that is lost"):
        hold(database, card(1).name, handle=of_successor)
    assert free_devices(database) == []
    assert handles_in_all(database) == HandleCounts(total=2, free=0, held=1)
    release(database, holder)
    assert free_devices(database) == ["GPU-2"]
    assert handles_in_all(database) == HandleCounts(total=2, free=1, held=0)
    hold(database, card(1).name, handle=of_successor)


def test_a_device_that_its_driver_goes_on_reporting_as_lost_is_never_removed(manager: Manager, clock: Clock) -> None:
    manager.report(report(answer(gpu(1))))
    fallen = gpu(1, presence=Presence.LOST, health=Health.UNHEALTHY, reason="fell off the bus", deployables=())
    manager.report(report(answer(fallen), sequence=2))
    clock.pass_(days=100)
    assert manager.remove_expired_devices() == (0, 0, 0)
    manager.report(report(answer(), sequence=3))
    clock.pass_(minutes=59)
    assert manager.remove_expired_devices() == (0, 0, 0)
    clock.pass_(minutes=2)
    assert manager.remove_expired_devices() == (1, 0, 0)


def test_what_time_removes_is_told_whole(manager: Manager, database: Database, clock: Clock) -> None:
    manager.report(report(answer(gpu(1, deployables=(card(1), child(1, 0))))))
    manager.report(report(answer(), sequence=2))
    clock.pass_(hours=2)
    manager.remove_expired_devices()
    event = events(database)[-1]
    assert (event.kind, event.source, event.after) == ("device.removed", "conductor", None)
    assert [part["name"] for part in event.before["deployables"]] == [card(1).name, child(1, 0).name]
    assert event.before["deployables"][0]["attributes"] == [
        {"key": a.key, "value": a.value} for a in card(1).attributes
    ]


def test_what_is_in_a_part_moves_with_it_to_another_tree(manager: Manager, database: Database) -> None:
    leaf = child(1, 1, parent=child(1, 0).name)
    manager.report(report(answer(gpu(1, deployables=(card(1), child(1, 0), leaf)))))
    other, between = card(9), child(1, 2, parent=card(9).name)
    moved = (other, between, child(1, 0, parent=between.name), leaf)
    manager.report(report(answer(gpu(1, deployables=moved)), sequence=2))
    with database.reader() as connection:
        columns = (Deployable.name, Deployable.id, Deployable.parent_id, Deployable.root_id)
        parts = {row.name: row for row in connection.execute(Deployable.__table__.select().with_only_columns(*columns))}
    assert set(parts) == {part.name for part in moved}
    assert {part.root_id for part in parts.values()} == {None, parts[other.name].id}
    assert parts[leaf.name].parent_id == parts[child(1, 0).name].id


def test_a_device_that_another_driver_reports_now_keeps_its_uuid_its_name_and_its_holder(
    manager: Manager, database: Database
) -> None:
    manager.report(report(answer(gpu(1)), answer(driver="pci")))
    before = device(database, "GPU-1")
    hold(database, card(1).name)
    manager.report(report(answer(unnamed(1), driver="pci"), sequence=2))
    after = device(database, "GPU-1")
    assert (after.uuid, after.driver, after.is_held) == (before.uuid, "pci", True)
    assert after.deployables[0].id == before.deployables[0].id
    assert (events(database)[-1].before, events(database)[-1].after) == ({"driver": "nvidia"}, {"driver": "pci"})
    manager.report(report(answer(gpu(1)), answer(driver="pci"), sequence=3))
    assert (device(database, "GPU-1").uuid, device(database, "GPU-1").driver) == (before.uuid, "nvidia")


def test_of_two_hosts_under_one_name_the_one_that_booted_last_is_believed(manager: Manager, database: Database) -> None:
    manager.report(report(answer(gpu(1)), boot_id="of-host-1", sequence=50))
    manager.report(report(answer(gpu(2)), boot_id="of-host-2", sequence=1))
    refused = manager.report(report(answer(gpu(1)), boot_id="of-host-1", sequence=51))
    beat = manager.heartbeat(Heartbeat(node=NODE, boot_id="of-host-1", sequence=52, content_hash="x"))
    assert (refused.verdict, beat.verdict) == (Verdict.STALE, Verdict.STALE)
    assert device(database, "GPU-2").device.presence is Presence.PRESENT
    assert events(database)[-2].kind == "device.lost"


def test_a_node_that_is_changed_has_an_event_that_says_how(manager: Manager, database: Database) -> None:
    manager.report(report(answer(gpu(1))))
    manager.report(report(answer(gpu(1)), sequence=2, rack="r7", labels={"zone": "b"}, kernel="6.12"))
    event = events(database)[-1]
    assert (event.kind, event.after) == ("node.changed", {"rack": "r7", "labels": {"zone": "b"}, "kernel": "6.12"})
    assert event.before == {"rack": "", "labels": {"zone": "a"}, "kernel": "6.1"}


def test_what_is_given_back_twice_was_held_once(manager: Manager, database: Database) -> None:
    manager.report(report(answer(gpu(1))))
    holder = hold(database, card(1).name)
    release(database, holder)
    with pytest.raises(Conflict, match="holds nothing"):
        release(database, holder)
