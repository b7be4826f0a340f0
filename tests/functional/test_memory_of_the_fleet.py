"""The fleet in memory, as Python's look for cycles meets it, and as many do who ask at once."""

import gc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from itertools import count

import pytest
from support.inventory import Inventory
from support.races import PATIENCE_SECONDS, Gate

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


def test_who_may_go_by_what_was_true_a_moment_ago_waits_for_nobody_who_reads(database: Database) -> None:
    Inventory(database).fleet(NODES, CARDS)
    gate, readings = Gate("second"), count(1)

    def clock() -> datetime:
        gate("second" if next(readings) == 2 else "another")
        return datetime.now(UTC)

    index = FleetIndex(database, clock=clock)
    index.ask(len)
    with ThreadPoolExecutor(1) as pool:
        reader = pool.submit(index.ask, len)
        gate.wait()
        assert index.ask(len, may_be_old_by=1e-9) == NODES
        gate.open()
        assert reader.result(PATIENCE_SECONDS) == NODES
