"""The shapes of recent requests, on every database we support."""

from support.databases import counted_statements
from support.inventory import BEGIN, Inventory

from accel.db import recent_requests
from accel.db.engine import Database

PAIR, MIXED = (("PGPU", 2),), (("FPGA", 1), ("PGPU", 1))


def fill(database: Database) -> None:
    """A call for two of a profile, and after it a claim of an FPGA and a GPU on each of two nodes."""
    inventory = Inventory(database)
    profile = inventory.profile("pair")
    for _ in range(2):
        inventory.request(profile, resource_class="PGPU", created_at=BEGIN)
    claim = inventory.claim()
    for resource_class in ("PGPU", "FPGA"):
        for name in ("a", "b"):
            inventory.request(
                profile, claim_id=claim["id"], hostname=name, resource_class=resource_class, created_at=BEGIN
            )


def test_what_was_asked_of_one_node_together_is_one_request(any_database: Database) -> None:
    fill(any_database)
    with counted_statements(any_database) as statements:
        found = any_database.read(lambda connection: recent_requests.shapes(connection, 100))
    assert found == {PAIR: 1, MIXED: 2}
    assert len(statements) == 1


def test_the_newest_count_and_none_that_is_seen_in_part(any_database: Database) -> None:
    fill(any_database)
    assert any_database.read(lambda connection: recent_requests.shapes(connection, 5)) == {MIXED: 2}


def test_where_nothing_was_asked_for_there_are_none(any_database: Database) -> None:
    assert not any_database.read(lambda connection: recent_requests.shapes(connection, 5))
