"""Whatever agents report, in whatever order: what must hold after every report."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support import holding
from support.clocks import Clock
from support.databases import migrated
from support.inventories import handle_uuids, load
from support.reports import NODE, answer, card, child, failed, gpu, report, unnamed

from accel.conductor.manager import Limits, Manager
from accel.db.engine import Database
from accel.errors import Conflict
from accel.model.device import Device, Health, Presence
from accel.model.diff import diff
from accel.model.record import RecordedNode
from accel.model.report import DriverReport, NodeReport

SLOTS = range(4)
FEW_EXAMPLES = settings(
    max_examples=40, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
NUMBERS = count()


@st.composite
def devices(draw: st.DrawFn, slot: int) -> Device:
    """What a driver may say of the card in a slot."""
    make = draw(st.sampled_from([gpu, unnamed]))
    children = draw(st.integers(0, 2))
    parts = (card(slot, handles=card(slot).handles if not children else ()), *(child(slot, n) for n in range(children)))
    device = make(slot, deployables=draw(st.sampled_from([parts, parts[::-1], ()])))
    return replace(
        device,
        health=draw(st.sampled_from([Health.HEALTHY, Health.UNHEALTHY])),
        presence=draw(st.sampled_from([Presence.PRESENT, Presence.PRESENT, Presence.LOST])),
    )


@st.composite
def drivers(draw: st.DrawFn, name: str) -> DriverReport:
    """The answer of a driver, or its failure."""
    slots = draw(st.sets(st.sampled_from(SLOTS)))
    if draw(st.integers(0, 4)) == 0:
        return failed(name)
    return answer(*(draw(devices(slot)) for slot in sorted(slots)), driver=name)


@st.composite
def reports(draw: st.DrawFn) -> NodeReport:
    """Everything one report may say."""
    names = draw(st.sets(st.sampled_from(["nvidia", "pci"])))
    return report(*(draw(drivers(name)) for name in sorted(names)))


def shuffled(seen: NodeReport) -> NodeReport:
    turned = tuple(replace(answer, devices=answer.devices[::-1]) for answer in seen.drivers)
    return replace(seen, drivers=turned)


def held(record: RecordedNode) -> set[tuple[str, int]]:
    """Every held handle with the device it is of."""
    return {
        (device.uuid, handle.id)
        for device in record.devices
        for part in device.deployables
        for handle in part.handles
        if handle.is_held
    }


def hold_some(database: Database, node: str, parts: list[str]) -> None:
    """Hold what can be held of the named parts."""
    for part in parts:
        for uuid in handle_uuids(database, f"{node}_{part}"):
            try:
                database.write(
                    lambda connection, uuid=uuid: holding.hold(
                        connection, uuid, kind="instance", name="vm", project_id=None, now=Clock()()
                    )
                )
            except Conflict:
                continue


def of_node(seen: NodeReport, node: str, sequence: int) -> NodeReport:
    """The same report by another node."""

    def renamed(device: Device) -> Device:
        parts = tuple(
            replace(
                part,
                name=part.name.replace(NODE, node, 1),
                parent=part.parent.replace(NODE, node, 1) if part.parent else None,
            )
            for part in device.deployables
        )
        return replace(device, deployables=parts)

    drivers = tuple(replace(answer, devices=tuple(map(renamed, answer.devices))) for answer in seen.drivers)
    return replace(seen, node=replace(seen.node, name=node), sequence=sequence, drivers=drivers)


@pytest.fixture(scope="module")
def shared_database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """One database for all examples: each is about a node of its own."""
    with migrated("sqlite", Path(tmp_path_factory.mktemp("histories"))) as database:
        yield database


PARTS = [part.name.removeprefix(f"{NODE}_") for slot in SLOTS for part in (card(slot), child(slot, 0))]


@FEW_EXAMPLES
@given(history=st.lists(reports(), min_size=1, max_size=4), wanted=st.lists(st.sampled_from(PARTS), max_size=4))
def test_after_every_report_the_record_says_what_it_said_and_nothing_held_is_gone(
    shared_database: Database, history: list[NodeReport], wanted: list[str]
) -> None:
    manager = Manager(shared_database, Clock(), Limits())
    node = f"node-{next(NUMBERS)}"
    kept: set[tuple[str, int]] = set()
    for sequence, seen in enumerate(history):
        told = of_node(seen, node, sequence)
        manager.report(told)
        record = load(shared_database, node)
        assert diff(record, told) == ()
        assert diff(record, shuffled(told)) == ()
        assert kept <= held(record)
        hold_some(shared_database, node, wanted)
        kept = held(load(shared_database, node))


@FEW_EXAMPLES
@given(first=reports(), second=reports())
def test_the_order_of_devices_does_not_matter(shared_database: Database, first: NodeReport, second: NodeReport) -> None:
    node = f"node-{next(NUMBERS)}"
    Manager(shared_database, Clock(), Limits()).report(of_node(first, node, 1))
    record = load(shared_database, node)
    told = of_node(second, node, 2)
    assert sorted(map(repr, diff(record, told))) == sorted(map(repr, diff(record, shuffled(told))))
