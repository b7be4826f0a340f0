"""Several conductors at once, on every database we support."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TypeVar

import pytest
from support import holding
from support.clocks import Clock
from support.databases import opened_beside
from support.inventories import device, event_kinds, events, handle_uuids, hold, load, rows_in
from support.reports import answer, card, child, failed, gpu, heartbeat, report

from accel.conductor.manager import Limits, Manager
from accel.db.engine import Database
from accel.db.tables import AttachHandle, Attribute, Deployable, Device, Holder, Node
from accel.errors import Conflict, InvalidValue
from accel.model.device import Presence
from accel.model.report import Verdict
from accel.rpc.wire import content_hash

T = TypeVar("T")


@pytest.fixture
def two_managers(any_database: Database) -> Sequence[Manager]:
    """Two conductors: each has connections of its own."""
    with opened_beside(any_database) as first, opened_beside(any_database) as second:
        yield Manager(first, Clock(), Limits()), Manager(second, Clock(), Limits())


def at_once(calls: Sequence[Callable[[], T]]) -> list[T]:
    """Run all calls at the same moment, each in a thread."""
    barrier = threading.Barrier(len(calls))

    def run(call: Callable[[], T]) -> T:
        barrier.wait()
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


def test_first_reports_that_race_make_one_node_with_one_set_of_devices_and_events(
    two_managers: Sequence[Manager], any_database: Database
) -> None:
    seen = report(answer(gpu(1), gpu(2)))
    taken = at_once([lambda manager=manager: manager.report(seen) for manager in two_managers * 3])
    assert sorted(ack.verdict for ack in taken) == [Verdict.ACCEPTED, *[Verdict.STALE] * 5]
    assert rows_in(any_database, Node, Device, Deployable, Attribute, AttachHandle) == [1, 2, 2, 4, 2]
    assert event_kinds(any_database) == ["node.added", "driver.added", "device.added", "device.added"]


def test_one_report_taken_by_two_conductors_counts_once(
    two_managers: Sequence[Manager], any_database: Database
) -> None:
    cards = [gpu(number) for number in range(8)]
    two_managers[0].report(report(answer(*cards)))
    for sequence in range(2, 6):
        seen = report(answer(*(replace(card, reason=f"round {sequence}") for card in cards)), sequence=sequence)
        at_once([lambda manager=manager, seen=seen: manager.report(seen) for manager in two_managers * 3])
    assert event_kinds(any_database).count("device.changed") == 4 * 8


def test_reports_and_heartbeats_in_any_order_end_with_the_newest_word(
    two_managers: Sequence[Manager], any_database: Database
) -> None:
    two_managers[0].report(report(answer(gpu(0)), sequence=0))
    told = [report(answer(*(gpu(n) for n in range(sequence + 1))), sequence=sequence) for sequence in range(1, 9)]
    calls = [lambda seen=seen, manager=two_managers[seen.sequence % 2]: manager.report(seen) for seen in reversed(told)]
    calls += [lambda seen=seen: two_managers[0].heartbeat(heartbeat(seen, "old", seen.sequence)) for seen in told[:4]]
    at_once(calls)
    record = load(any_database)
    assert {known.device.identity for known in record.devices} == {f"GPU-{n}" for n in range(9)}
    assert all(known.device.presence is Presence.PRESENT for known in record.devices)


def test_reports_of_different_nodes_do_not_disturb_each_other(
    two_managers: Sequence[Manager], any_database: Database
) -> None:
    def tell(number: int) -> None:
        manager = two_managers[number % 2]
        seen = [report(answer(gpu(n)), sequence=n, name=f"n{number}") for n in range(3)]
        for one in seen:
            manager.report(one)
        manager.heartbeat(heartbeat(seen[-1], content_hash(seen[-1]), 3))

    at_once([lambda number=number: tell(number) for number in range(6)])
    assert rows_in(any_database, Node, Device) == [6, 18]


def test_every_kind_of_change_is_written_on_every_database(
    two_managers: Sequence[Manager], any_database: Database
) -> None:
    manager = two_managers[0]
    cut = gpu(1, deployables=(card(1, handles=()), child(1, 0), child(1, 1)))
    manager.report(report(answer(cut, gpu(2)), failed("pci")))
    hold(any_database, child(1, 0).name)
    changed = gpu(1, reason="x", deployables=(card(1, num_accelerators=0, attributes=()),))
    manager.report(report(answer(changed), sequence=2, rack="r1"))
    manager.report(report(answer(cut, gpu(2)), sequence=3, boot_id="boot-2"))
    assert {part.part.name for part in device(any_database, "GPU-1").deployables} == {p.name for p in cut.deployables}
    assert {event.node for event in events(any_database)} == {"node-1"}
    assert set(event_kinds(any_database)[6:]) == {
        "node.changed",
        "driver.removed",
        "device.changed",
        "device.lost",
        "device.returned",
        "deployable.added",
        "deployable.changed",
        "deployable.lost",
        "deployable.removed",
        "deployable.returned",
        "attribute.added",
        "attribute.removed",
        "handle.added",
        "handle.lost",
        "handle.removed",
        "handle.returned",
    }


def test_a_node_is_marked_offline_once_by_all_conductors_together(
    two_managers: Sequence[Manager], any_database: Database
) -> None:
    two_managers[0].report(report(answer(gpu(1))))
    late = Clock()
    late.pass_(hours=1)
    managers = [Manager(any_database, late, Limits()) for _ in range(4)]
    named = at_once([manager.mark_offline_nodes for manager in managers])
    assert sorted(named) == [[], [], [], ["node-1"]]
    assert event_kinds(any_database).count("node.offline") == 1


def test_lost_devices_are_removed_once_by_all_conductors_together(
    two_managers: Sequence[Manager], any_database: Database
) -> None:
    manager = two_managers[0]
    manager.report(report(answer(gpu(1, deployables=(card(1), child(1, 0))), gpu(2))))
    holder_of = card(2).name
    hold(any_database, holder_of)
    manager.report(report(answer(), sequence=2))
    late = Clock()
    late.pass_(hours=2)
    managers = [Manager(any_database, late, Limits()) for _ in range(4)]
    removed = at_once([manager.remove_expired_devices for manager in managers])
    assert sum(one.devices for one in removed) == 1
    assert [known.device.identity for known in load(any_database).devices] == ["GPU-2"]
    assert event_kinds(any_database).count("device.removed") == 1


def test_of_many_claims_on_one_handle_one_wins(two_managers: Sequence[Manager], any_database: Database) -> None:
    two_managers[0].report(report(answer(gpu(1))))
    [uuid] = handle_uuids(any_database, card(1).name)

    def claim() -> bool:
        try:
            any_database.write(
                lambda connection: holding.hold(
                    connection, uuid, kind="instance", name="vm", project_id="p", now=Clock()()
                )
            )
        except Conflict:
            return False
        return True

    assert sorted(at_once([claim] * 8)) == [*[False] * 7, True]
    assert rows_in(any_database, Holder) == [1]


def test_a_value_that_does_not_fit_is_refused_where_the_database_minds(any_database: Database) -> None:
    manager = Manager(any_database, Clock(), Limits())
    manager.report(report(answer(gpu(1))))
    if any_database.engine.name == "sqlite":  # it takes texts of any length
        manager.report(report(answer(gpu(1, model="x" * 300)), sequence=2))
        return
    with pytest.raises(InvalidValue, match="fits its column"):
        manager.report(report(answer(gpu(1, model="x" * 300)), sequence=2))
    assert device(any_database, "GPU-1").device.model == "NVIDIA A100"


@pytest.mark.parametrize("text", ["half a pair: \ud800", "NUL: \x00"])
def test_a_text_that_is_none_is_refused_where_it_cannot_be_kept_and_harms_nothing(
    any_database: Database, text: str
) -> None:
    manager = Manager(any_database, Clock(), Limits())
    manager.report(report(answer(gpu(1))))
    if "NUL" in text and any_database.engine.name != "postgresql":
        manager.report(report(answer(gpu(1, model=text)), sequence=2))
        assert device(any_database, "GPU-1").device.model == text
        return
    with pytest.raises(InvalidValue):
        manager.report(report(answer(gpu(1, model=text)), sequence=2))
    assert manager.report(report(answer(gpu(1), gpu(2)), sequence=3)).verdict is Verdict.ACCEPTED
