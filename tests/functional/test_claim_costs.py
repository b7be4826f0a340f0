"""Claims cost the same number of statements, however many requests one call names and however many there are."""

from collections.abc import Callable
from pathlib import Path

from support.databases import counted_statements, migrated
from support.live_requests import add_live
from support.site import Site

from accel.db.engine import Database

MOST_STATEMENTS = 12
"""What a call costs at most, whatever it asks for."""


def cost(database: Database, call: Callable[[], object]) -> int:
    with counted_statements(database) as statements:
        call()
    return len(statements)


def costs(site: Site, amount: int) -> dict[str, int]:
    """What it costs to make, bind, unbind, bind again and delete so many requests."""
    uuids = site.make(amount)
    conductor, database = site.conductor(), site.database
    wanted = site.binds(uuids, instance=f"vm{amount}")
    return {
        "bind": cost(database, lambda: conductor.change_requests(wanted)),
        "unbind": cost(database, lambda: conductor.change_requests(site.unbinds(uuids))),
        "bind again": cost(database, lambda: conductor.change_requests(wanted)),
        "delete": cost(database, lambda: site.delete(*uuids)),
    }


def test_sixteen_requests_in_one_call_cost_what_one_costs(database: Database) -> None:
    site = Site(database)
    site.report(site.gpu(handles=17))
    site.limit(100)
    assert costs(site, 16) == costs(site, 1)
    assert max(costs(site, 1).values()) <= MOST_STATEMENTS


def test_claims_cost_the_same_at_ten_live_requests_and_at_five_thousand(tmp_path: Path) -> None:
    found = []
    for amount in (10, 5000):
        with migrated("sqlite", tmp_path) as database:
            add_live(database, amount)
            site = Site(database)
            site.report(site.gpu(handles=2))
            site.limit(100)
            found.append(costs(site, 2))
    assert found[0] == found[1]
