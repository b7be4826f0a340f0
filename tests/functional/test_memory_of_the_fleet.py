"""The fleet in memory, as Python's look for cycles meets it."""

import gc
from collections.abc import Iterator

import pytest
from support.inventory import Inventory

from accel.api.fleet_index import FleetIndex
from accel.cmd.api import spare_what_stays
from accel.db.engine import Database
from accel.placement.fleet import Fleet
from accel.placement.snapshot import Host

NODES, CARDS = 20, 4


@pytest.fixture(autouse=True)
def nothing_spared() -> Iterator[None]:
    """Whatever a test spares is looked at again after it."""
    yield
    gc.unfreeze()


def hosts_looked_at() -> int:
    return sum(isinstance(thing, Host) for thing in gc.get_objects())


def test_a_fleet_that_was_read_is_not_looked_through_for_cycles(database: Database) -> None:
    Inventory(database).fleet(NODES, CARDS)
    before = hosts_looked_at()
    index = FleetIndex(database, when_read=spare_what_stays)

    assert index.ask(len) == NODES
    assert hosts_looked_at() <= before


def test_nodes_that_are_spared_go_when_they_are_read_anew(database: Database) -> None:
    Inventory(database).fleet(NODES, CARDS)
    index = FleetIndex(database, when_read=spare_what_stays)
    index.ask(len)
    spared = gc.get_freeze_count()
    index.doubt(index.ask(lambda fleet: list(fleet.hosts)))

    assert index.ask(Fleet.copy).hosts.keys()
    assert gc.get_freeze_count() <= spared - NODES * CARDS
