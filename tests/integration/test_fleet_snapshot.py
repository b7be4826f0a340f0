"""The fleet as placement reads it, whole and by what history tells, on every database we support."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
from support.clocks import Clock
from support.databases import counted_statements
from support.holding import hold
from support.inventory import Inventory
from support.populated import populate, uuid
from support.site import Site
from support.snapshots import KeptSnapshot, free_in, free_in_database, whole

from accel.db import attributes, changed_nodes, fleet, history
from accel.db.changed_nodes import Position
from accel.db.engine import Connection, Database
from accel.db.events import Origin
from accel.db.history import Entry
from accel.model.event import EventKind
from accel.placement.snapshot import Obstacle

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def test_a_snapshot_has_nodes_cards_links_and_what_is_free(any_database: Database) -> None:
    populate(any_database)
    hosts = whole(any_database)

    alpha, beta = hosts["alpha"], hosts["beta"]
    first, second = alpha.cards
    assert (alpha.rack, alpha.labels, alpha.is_online, beta.is_online) == ("r1", {"zone": "a"}, True, False)
    assert (first.uuid, str(first.address), first.numa_node) == (uuid(1, 1), "0000:3b:00.0", 0)
    assert (first.links, second.links) == ({uuid(1, 2): 12}, {uuid(1, 1): 12})
    assert (second.obstacle, second.reason) == (Obstacle.UNHEALTHY, "row remapping failed")
    [card, held, free] = first.units
    assert (card.figures, card.free) == ({"memory_bytes": str(80 << 30)}, ())
    assert (held.resource_class, held.free, held.held) == ("CUSTOM_MIG_3G_40GB", (), 1)
    assert ([handle.uuid for handle in free.free], free.held) == ([uuid(4, 3)], 0)
    fake, *_ = beta.cards
    assert fake.units[0].traits == {"CUSTOM_FAKE_DEVICE"}
    assert free_in(hosts.values()) == free_in_database(any_database)


def test_what_one_node_is_read_for_is_what_it_is_in_the_whole(any_database: Database) -> None:
    populate(any_database)

    assert any_database.read(lambda it: fleet.load(it, ["beta", "nosuch"])) == [whole(any_database)["beta"]]
    assert any_database.read(lambda it: fleet.load(it, [])) == []


def test_a_snapshot_costs_the_same_number_of_statements_for_any_fleet(any_database: Database) -> None:
    inventory = Inventory(any_database)
    inventory.fleet(1, 1)
    inventory.settle()

    def costs() -> list[int]:
        names = sorted(whole(any_database))
        return [cost(any_database, None), cost(any_database, names[:1]), cost(any_database, names)]

    few = costs()
    Inventory(any_database, first=100_000).fleet(600, 2, prefix="more-")
    assert costs() == few == [5, 5, 5]


def cost(database: Database, names: list[str] | None) -> int:
    with counted_statements(database) as statements:
        database.read(lambda it: fleet.load(it, names))
    return len(statements)


def test_an_operators_attribute_and_a_holder_are_seen(any_database: Database) -> None:
    populate(any_database)
    snapshot = KeptSnapshot(any_database, Clock())
    origin = Origin(at=NOW)

    made = any_database.write(
        lambda it: attributes.create(it, uuid(2, 3), key="trait1", value="CUSTOM_QUIET", origin=origin)
    )
    assert snapshot.refresh() == {"alpha"}
    assert "CUSTOM_QUIET" in snapshot.hosts["alpha"].cards[0].units[2].traits

    any_database.write(lambda it: attributes.remove(it, made.uuid, origin=origin))
    any_database.write(lambda it: hold(it, uuid(4, 3), kind="pod", name="p", project_id=None, now=NOW))
    assert snapshot.refresh() == {"alpha"}
    assert snapshot.hosts == whole(any_database)
    assert uuid(4, 3) not in free_in(snapshot.hosts.values())


def test_when_nothing_has_changed_one_statement_says_so(any_database: Database) -> None:
    site = Site(any_database)
    site.report(site.gpu())
    snapshot = KeptSnapshot(any_database, site.clock)

    with counted_statements(any_database) as statements:
        assert snapshot.refresh() == frozenset()
    assert len(statements) == 1


@pytest.mark.parametrize("any_database", ["postgresql", "mariadb"], indirect=True)
def test_a_change_whose_transaction_ends_late_is_seen_when_it_ends(any_database: Database) -> None:
    site = Site(any_database)
    site.report(site.gpu())
    position = any_database.read(lambda it: changed_nodes.now_at(it, now=NOW))
    is_written, may_end = threading.Event(), threading.Event()

    def late(connection: Connection) -> None:
        _tell(connection, "late")
        is_written.set()
        assert may_end.wait(30)

    thread = threading.Thread(target=lambda: any_database.write(late))
    thread.start()
    assert is_written.wait(30)
    any_database.write(lambda it: _tell(it, "early"))
    began_before = any_database.read(lambda it: changed_nodes.now_at(it, now=NOW))
    first = _since(any_database, position, NOW)
    may_end.set()
    thread.join()
    second = _since(any_database, first.position, NOW + timedelta(seconds=59))

    assert (first.nodes, second.nodes) == ({"early"}, {"late"})
    assert _since(any_database, began_before, NOW).nodes == {"late"}
    assert second.position is not None
    assert second.position.missing == {}


@pytest.mark.parametrize("any_database", ["postgresql", "mariadb"], indirect=True)
def test_a_number_that_was_rolled_back_is_asked_for_for_a_minute_only(any_database: Database) -> None:
    position = any_database.read(lambda it: changed_nodes.now_at(it, now=NOW))

    def never(connection: Connection) -> None:
        _tell(connection, "never")
        raise KeyError

    with pytest.raises(KeyError):
        any_database.write(never)
    any_database.write(lambda it: _tell(it, "there"))
    asked = [_since(any_database, position, NOW)]
    for seconds in (59, 60):
        asked.append(_since(any_database, asked[-1].position, NOW + timedelta(seconds=seconds)))

    assert [len(changes.position.missing) for changes in asked if changes.position] == [1, 1, 0]


def test_another_history_than_before_is_noticed(any_database: Database) -> None:
    site = Site(any_database)
    site.report(site.gpu())

    assert _since(any_database, Position(newest=10**6), NOW).position is None


def _since(database: Database, position: Position | None, now: datetime) -> changed_nodes.Changes:
    assert position is not None
    return database.read(lambda it: changed_nodes.since(it, position, now=now))


def _tell(connection: Connection, node: str) -> None:
    history.write(connection, [Entry(kind=EventKind.NODE_CHANGED, subject=node, source="agent", node=node)], NOW)
