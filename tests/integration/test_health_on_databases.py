"""What is the matter with devices is found by SQL, whichever database it is."""

from support.ailing import QUERIES, found, populate
from support.api import client
from support.inventory import Inventory

from accel.db import health
from accel.db.engine import Database


def test_they_are_found_on_every_database(any_database: Database) -> None:
    populate(Inventory(any_database))
    api = client(any_database)

    for query, identities in QUERIES:
        assert found(api, query) == identities, query


def test_complaints_are_counted_on_every_database(any_database: Database) -> None:
    populate(Inventory(any_database))

    counts = any_database.read(health.complaints_by_source)

    assert counts == {("temperature", "unhealthy"): 2, ("pcie.link", "unknown"): 1}
