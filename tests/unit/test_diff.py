"""What changes when a report is believed, rule by rule."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from support.clocks import Clock
from support.records import recorded
from support.reports import address, answer, card, child, failed, gpu, pci_handle, report, unnamed

from accel.model.device import Attribute, Health, Presence, Signal
from accel.model.diff import Change, DeviceChange, DriverChange, HandleChange, NodeChange, diff
from accel.model.event import EventKind
from accel.model.record import RecordedNode
from accel.model.report import Failure, FailureKind


def kinds(changes: tuple[Change, ...]) -> list[str]:
    return [EventKind.NODE_CHANGED if isinstance(change, NodeChange) else str(change.kind) for change in changes]


def device_change(changes: tuple[Change, ...]) -> DeviceChange:
    [change] = [change for change in changes if isinstance(change, DeviceChange)]
    return change


def with_device(record: RecordedNode, **changed: object) -> RecordedNode:
    """The record with its only device changed."""
    [known] = record.devices
    return replace(record, devices=(replace(known, device=replace(known.device, **changed)),))


def test_an_equal_report_changes_nothing() -> None:
    seen = report(answer(gpu(1), gpu(2)), failed("pci"))
    assert diff(recorded(seen), seen) == ()


def test_a_device_seen_for_the_first_time_is_added_with_its_parts() -> None:
    changes = diff(recorded(report(answer())), report(answer(gpu(1))))
    assert changes == (DeviceChange(kind=EventKind.DEVICE_ADDED, driver="nvidia", before=None, after=gpu(1)),)


def test_a_fact_that_changed_is_a_change_of_the_same_device() -> None:
    changes = diff(recorded(report(answer(gpu(1)))), report(answer(gpu(1, kernel_driver="nvidia"))))
    assert kinds(changes) == ["device.changed"]
    assert device_change(changes).after.kernel_driver == "nvidia"


def test_a_device_not_reported_by_a_driver_that_answered_is_lost_and_its_fitness_unknown() -> None:
    changes = diff(recorded(report(answer(gpu(1)))), report(answer()))
    after = device_change(changes).after
    assert kinds(changes) == ["device.lost"]
    assert (after.presence, after.health) == (Presence.LOST, Health.UNKNOWN)
    assert after.reason == "not reported any more by driver nvidia"


def test_devices_of_a_driver_that_is_not_asked_any_more_are_lost() -> None:
    changes = diff(recorded(report(answer(gpu(1)))), report(answer(driver="pci")))
    assert kinds(changes) == ["driver.removed", "driver.added", "device.lost"]


def test_a_lost_device_that_stays_away_changes_no_further() -> None:
    [known] = recorded(report(answer(gpu(1)))).devices
    gone = replace(known, device=replace(known.device, presence=Presence.LOST), unreported_at=Clock()())
    record = replace(recorded(report(answer())), devices=(gone,))
    assert diff(record, report(answer())) == ()


def test_a_device_that_was_reported_as_lost_and_then_not_at_all_says_so() -> None:
    lost = with_device(recorded(report(answer(gpu(1)))), presence=Presence.LOST, reason="fell off the bus")
    change = device_change(diff(lost, report(answer())))
    assert (change.kind, change.is_reported) == (EventKind.DEVICE_CHANGED, False)
    assert change.after is not None
    assert change.after.reason == "not reported any more by driver nvidia"


def test_a_lost_device_that_is_reported_again_is_the_same_device() -> None:
    lost = with_device(recorded(report(answer(gpu(1)))), presence=Presence.LOST)
    changes = diff(lost, report(answer(gpu(1))))
    assert kinds(changes) == ["device.returned"]
    assert device_change(changes).before == replace(lost.devices[0], deployables=())


def test_a_device_that_its_driver_reports_as_lost_keeps_the_parts_the_driver_cannot_see() -> None:
    fallen = gpu(1, presence=Presence.LOST, health=Health.UNHEALTHY, reason="fell off the bus", deployables=())
    changes = diff(recorded(report(answer(gpu(1)))), report(answer(fallen)))
    assert kinds(changes) == ["device.lost"]
    assert device_change(changes).after == fallen


def test_a_card_that_moves_to_another_slot_stays_the_same_device() -> None:
    changes = diff(recorded(report(answer(gpu(1)))), report(answer(gpu(1, address=address(7)))))
    assert kinds(changes) == ["device.changed"]


def test_devices_of_a_driver_that_failed_stay_and_their_health_is_unknown() -> None:
    changes = diff(recorded(report(answer(gpu(1)))), report(failed()))
    after = device_change(changes).after
    assert kinds(changes) == ["driver.failed", "health.changed"]
    assert (after.presence, after.health, after.reason) == (
        Presence.PRESENT,
        Health.UNKNOWN,
        "driver nvidia has no answer: timeout",
    )


def test_a_lost_device_says_why_it_was_lost_even_when_its_driver_fails_later() -> None:
    lost = with_device(recorded(report(answer(gpu(1)))), presence=Presence.LOST, reason="fell off the bus")
    assert kinds(diff(lost, report(failed()))) == ["driver.failed"]


def test_a_driver_that_fails_again_in_other_words_is_recorded_but_is_no_news() -> None:
    other = Failure(kind=FailureKind.TIMEOUT, message="no answer within 31 s")
    changes = diff(recorded(report(failed())), report(failed(failure=other)))
    [change] = changes
    assert isinstance(change, DriverChange)
    assert (change.kind, change.after) == (None, other)


def test_a_driver_that_answers_again_has_recovered() -> None:
    assert kinds(diff(recorded(report(failed())), report(answer()))) == ["driver.recovered"]


def test_a_failure_of_one_driver_leaves_the_devices_of_another_alone() -> None:
    before = report(answer(gpu(1)), answer(gpu(2), driver="pci"))
    changes = diff(recorded(before), report(answer(gpu(1)), failed("pci")))
    assert kinds(changes) == ["driver.failed", "health.changed"]
    assert device_change(changes).after.identity == "GPU-2"


def test_a_device_known_by_its_slot_only_takes_the_better_identity_when_one_is_seen() -> None:
    changes = diff(recorded(report(answer(unnamed(1)))), report(answer(gpu(1))))
    assert kinds(changes) == ["device.changed"]
    assert device_change(changes).after.identity == "GPU-1"


def test_a_device_seen_by_its_slot_only_keeps_the_better_identity_that_is_recorded() -> None:
    changes = diff(recorded(report(answer(gpu(1)))), report(answer(unnamed(1))))
    assert changes == ()


def test_another_product_in_the_same_slot_is_another_device() -> None:
    changes = diff(recorded(report(answer(unnamed(1)))), report(answer(gpu(1, product="2330"))))
    assert kinds(changes) == ["device.lost", "device.added"]


def test_a_card_with_another_uuid_in_the_same_slot_is_another_device() -> None:
    changes = diff(recorded(report(answer(gpu(1)))), report(answer(gpu(2, address=address(1)))))
    assert kinds(changes) == ["device.lost", "device.added"]


def test_a_slot_alone_means_the_card_that_is_there_before_one_that_was() -> None:
    both = recorded(report(answer(gpu(1), gpu(3, address=address(1)))))
    was, there = both.devices
    gone = replace(was, device=replace(was.device, presence=Presence.LOST), unreported_at=Clock()())
    record = replace(both, devices=(gone, there))
    assert diff(record, report(answer(unnamed(1, deployables=(card(3),))))) == ()


def test_devices_without_address_are_matched_by_identity_only() -> None:
    before = report(answer(gpu(1, address=None)))
    changes = diff(recorded(before), report(answer(gpu(2, address=None))))
    assert kinds(changes) == ["device.lost", "device.added"]


def test_a_slot_seen_by_another_driver_tells_nothing_of_a_better_known_device_whose_driver_failed() -> None:
    changes = diff(recorded(report(answer(gpu(1)))), report(failed(), answer(unnamed(1), driver="pci")))
    assert kinds(changes) == ["driver.failed", "driver.added", "health.changed"]
    assert device_change(changes).driver == "nvidia"
    assert device_change(changes).after.health is Health.UNKNOWN


def test_a_device_whose_driver_failed_is_taken_over_by_a_driver_that_knows_it() -> None:
    changes = diff(recorded(report(answer(gpu(1)))), report(failed(), answer(gpu(1), driver="other")))
    assert device_change(changes).driver == "other"
    assert device_change(changes).after.health is Health.HEALTHY


def test_one_identity_reported_by_two_drivers_is_one_device_of_the_first() -> None:
    changes = diff(recorded(report()), report(answer(gpu(1)), answer(gpu(1, model="?"), driver="pci")))
    assert kinds(changes) == ["driver.added", "driver.added", "device.added"]
    assert device_change(changes).after.model == "NVIDIA A100"


def test_one_slot_reported_by_two_drivers_is_one_device_with_the_better_identity() -> None:
    changes = diff(recorded(report()), report(answer(unnamed(1), driver="pci"), answer(gpu(1))))
    assert device_change(changes).after.identity == "GPU-1"


def test_parts_that_appear_are_added_parents_first() -> None:
    cut = gpu(1, deployables=(child(1, 0), card(1)))
    changes = diff(recorded(report(answer(gpu(1, deployables=())))), report(answer(cut)))
    assert [change.after.name for change in changes] == [card(1).name, child(1, 0).name]


def test_parts_that_vanish_are_removed_when_nobody_holds_them() -> None:
    cut = gpu(1, deployables=(card(1, handles=()), child(1, 0)))
    changes = diff(recorded(report(answer(cut))), report(answer(gpu(1))))
    assert kinds(changes) == ["handle.added", "deployable.removed"]


def test_a_held_part_that_vanishes_is_lost_with_its_handle() -> None:
    cut = gpu(1, deployables=(card(1, handles=()), child(1, 0), child(1, 1)))
    record = recorded(report(answer(cut)), held=frozenset({child(1, 0).name}))
    changes = diff(record, report(answer(gpu(1, deployables=(card(1, handles=()),)))))
    assert kinds(changes) == ["deployable.lost", "handle.lost", "deployable.removed"]


def test_what_a_held_part_is_a_part_of_is_kept_too() -> None:
    cut = gpu(1, deployables=(card(1, handles=()), child(1, 0)))
    record = recorded(report(answer(cut)), held=frozenset({child(1, 0).name}))
    changes = diff(record, report(answer(gpu(1, deployables=()))))
    assert kinds(changes) == ["deployable.lost", "deployable.lost", "handle.lost"]


def test_a_lost_part_is_removed_once_nobody_holds_it() -> None:
    record = recorded(report(answer(gpu(1))))
    [device] = record.devices
    lost = replace(device, deployables=(replace(device.deployables[0], presence=Presence.LOST),))
    changes = diff(replace(record, devices=(lost,)), report(answer(gpu(1, deployables=()))))
    assert kinds(changes) == ["deployable.removed"]


def test_a_lost_part_that_is_reported_again_returns_with_its_handle() -> None:
    record = recorded(report(answer(gpu(1))), held=frozenset({card(1).name}))
    [device] = record.devices
    [part] = device.deployables
    handle = replace(part.handles[0], presence=Presence.LOST)
    lost = replace(device, deployables=(replace(part, presence=Presence.LOST, handles=(handle,)),))
    changes = diff(replace(record, devices=(lost,)), report(answer(gpu(1))))
    assert kinds(changes) == ["deployable.returned", "handle.returned"]


def test_a_held_handle_that_vanishes_is_lost_and_a_free_one_is_removed() -> None:
    pool = card(1, handles=(pci_handle(1, 1), pci_handle(1, 2)))
    record = recorded(report(answer(gpu(1, deployables=(pool,)))))
    [device] = record.devices
    [part] = device.deployables
    held = replace(part, handles=(replace(part.handles[0], is_held=True), part.handles[1]))
    record = replace(record, devices=(replace(device, deployables=(held,)),))
    changes = diff(record, report(answer(gpu(1, deployables=(card(1, handles=()),)))))
    assert [(str(change.kind), change.before.id) for change in changes if isinstance(change, HandleChange)] == [
        ("handle.lost", held.handles[0].id),
        ("handle.removed", held.handles[1].id),
    ]


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ((Attribute(key="a", value="1"), Attribute(key="b", value="2")), ["attribute.added"]),
        ((Attribute(key="a", value="2"),), ["attribute.changed"]),
        ((), ["attribute.removed"]),
        ((Attribute(key="a", value="1"),), []),
    ],
)
def test_a_drivers_attributes_become_what_it_reports(attributes: tuple[Attribute, ...], expected: list[str]) -> None:
    before = gpu(1, deployables=(card(1, attributes=(Attribute(key="a", value="1"),)),))
    after = gpu(1, deployables=(card(1, attributes=attributes),))
    assert kinds(diff(recorded(report(answer(before))), report(answer(after)))) == expected


def test_a_parent_that_is_not_reported_is_no_parent() -> None:
    changes = diff(recorded(report(answer())), report(answer(gpu(1, deployables=(child(1, 0),)))))
    assert [part.parent for part in device_change(changes).after.deployables] == [None]


def test_parts_that_are_each_others_parents_are_cut_loose() -> None:
    circle = (card(1, parent=child(1, 0).name), child(1, 0))
    changes = diff(recorded(report(answer())), report(answer(gpu(1, deployables=circle))))
    assert [part.parent for part in device_change(changes).after.deployables] == [None, card(1).name]


def test_a_reboot_and_an_upgrade_of_the_node_are_changes_of_the_node() -> None:
    before = report(answer())
    changes = diff(recorded(before), report(answer(), boot_id="boot-2", agent_version="0.2.0"))
    [change] = changes
    assert isinstance(change, NodeChange)
    assert (change.boot_id_after, change.after.agent_version) == ("boot-2", "0.2.0")


def test_a_slot_that_is_taken_again_brings_back_a_gone_card_though_the_driver_that_knew_it_fails() -> None:
    [known] = recorded(report(answer(gpu(1)))).devices
    gone = replace(known, device=replace(known.device, presence=Presence.LOST), unreported_at=Clock()())
    record = replace(recorded(report(failed())), devices=(gone,))
    change = device_change(diff(record, report(failed(), answer(unnamed(1), driver="pci"))))
    assert (change.kind, change.driver) == (EventKind.DEVICE_RETURNED, "pci")
    assert change.after is not None
    assert change.after.identity == "GPU-1"


def test_a_slot_whose_card_has_fallen_means_that_card_and_not_one_that_was_there_before() -> None:
    fallen = unnamed(1, presence=Presence.LOST, reason="fell off the bus")
    both = recorded(
        report(answer(gpu(1, presence=Presence.LOST, reason="fell off the bus"), gpu(3, address=address(1))))
    )
    is_fallen, was = both.devices
    gone = replace(was, device=replace(was.device, presence=Presence.LOST), unreported_at=Clock()())
    assert diff(replace(both, devices=(is_fallen, gone)), report(answer(fallen))) == ()


def signal(value: Health = Health.HEALTHY, *, minutes: int = 0, text: str = "no errors") -> Signal:
    at = datetime(2026, 11, 21, tzinfo=UTC) + timedelta(minutes=minutes)
    return Signal(source="nvml.ecc", at=at, value=value, text=text)


def test_a_signal_that_says_the_same_is_said_since_it_was_said_first() -> None:
    known = recorded(report(answer(gpu(1, signals=(signal(),)))))

    assert diff(known, report(answer(gpu(1, signals=(signal(minutes=60),))))) == ()


def test_other_words_are_recorded_and_are_no_event() -> None:
    known = recorded(report(answer(gpu(1, signals=(signal(),)))))

    change = device_change(diff(known, report(answer(gpu(1, signals=(signal(minutes=60, text="3 corrected"),))))))

    assert change.kind is None
    assert change.after is not None
    assert change.after.signals == (signal(minutes=60, text="3 corrected"),)


def test_a_new_complaint_is_a_change_of_health_even_where_the_device_stays_in_service() -> None:
    known = recorded(report(answer(gpu(1, signals=(signal(),)))))

    changes = diff(known, report(answer(gpu(1, signals=(signal(Health.UNKNOWN, minutes=1),)))))

    assert kinds(changes) == ["health.changed"]
