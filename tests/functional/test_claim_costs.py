"""Claims cost the same number of statements, however many requests one call names and however many there are."""

from collections.abc import Callable
from pathlib import Path

from sqlalchemy import insert, select
from support.databases import counted_statements, migrated
from support.inventory import BEGIN, Inventory
from support.site import Site

from accel.db.engine import Database
from accel.db.tables import AcceleratorRequest, AttachHandle, Holder
from accel.model.request import RequestState

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


def add_live(database: Database, amount: int) -> None:
    """Add so many bound requests, each with a handle of a fleet of its own."""
    inventory = Inventory(database)
    inventory.fleet(amount // 10, 10)
    profile = inventory.profile("live")
    with database.writer() as connection:
        handles = connection.scalars(select(AttachHandle.id).order_by(AttachHandle.id)).all()
        requests = [
            {
                "id": number,
                "uuid": f"live-{number}",
                "project_id": "live",
                "state": RequestState.BOUND,
                "profile_id": profile["id"],
                "profile_name": "live",
                "group_index": 0,
                "group": {},
                "resource_class": "PGPU",
                "instance_uuid": f"vm-{number}",
                "reason": "",
                "steps": [],
                "created_at": BEGIN,
            }
            for number in range(1, amount + 1)
        ]
        holders = [
            {
                "uuid": f"holder-{row['id']}",
                "attach_handle_id": handle,
                "kind": "instance",
                "name": row["instance_uuid"],
                "project_id": "live",
                "request_id": row["id"],
                "created_at": BEGIN,
            }
            for row, handle in zip(requests, handles, strict=True)
        ]
        connection.execute(insert(AcceleratorRequest), requests)
        connection.execute(insert(Holder), holders)


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
