"""A node with more devices than any real one: statements and packets have limits, on each database others."""

import pytest
from sqlalchemy import func, select
from support.clocks import Clock
from support.databases import counted_statements
from support.inventories import load, rows_in
from support.reports import answer, card, child, gpu, report

from accel.conductor.manager import Limits, Manager
from accel.db.engine import Database
from accel.db.tables import AttachHandle, Attribute, Deployable, Device, Event
from accel.model.device import Device as Card
from accel.model.report import Verdict

DEVICES = 1000
PARTS = 6


def cut(number: int) -> Card:
    """A card cut into parts, with more to tell than is usual."""
    parts = tuple(child(number, index) for index in range(PARTS))
    return gpu(number, vendor_board_info="x" * 2000, deployables=(card(number, handles=(), num_accelerators=0), *parts))


@pytest.mark.timeout(120)
def test_a_node_of_a_thousand_devices_comes_changes_and_goes(any_database: Database) -> None:
    clock = Clock()
    manager = Manager(any_database, clock, Limits())
    whole = tuple(cut(number) for number in range(DEVICES))
    assert manager.report(report(answer(*whole))).verdict is Verdict.ACCEPTED
    parts = DEVICES * (PARTS + 1)
    tables = (Device, Deployable, Attribute, AttachHandle)
    assert rows_in(any_database, *tables) == [DEVICES, parts, parts + DEVICES, parts - DEVICES]
    assert len(load(any_database).devices) == DEVICES

    uncut = tuple(gpu(number) for number in range(DEVICES))
    with counted_statements(any_database) as statements:
        manager.report(report(answer(*uncut), sequence=2))
    assert rows_in(any_database, *tables) == [DEVICES, DEVICES, 2 * DEVICES, DEVICES]
    assert len(statements) < 60

    manager.report(report(answer(), sequence=3))
    clock.pass_(hours=2)
    assert manager.remove_expired_devices().devices == DEVICES
    assert rows_in(any_database, *tables) == [0, 0, 0, 0]
    with any_database.reader() as connection:
        told = dict(connection.execute(select(Event.kind, func.count()).group_by(Event.kind)).all())
    assert (told["device.added"], told["device.lost"], told["device.removed"]) == (DEVICES, DEVICES, DEVICES)
