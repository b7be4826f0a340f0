"""A list costs the same number of statements, however long it is."""

import pytest
from support.api import NEWEST, Client, client
from support.databases import counted_statements
from support.inventory import Inventory

from accel.db.engine import Database

PATHS = [
    "/v2/devices",
    "/v2/devices?type=GPU&free=true&sort_key=model",
    "/v2/devices?limit=5",
    "/v2/deployables",
    "/v2/deployables?rc=PGPU",
    "/v2/attributes",
    "/v2/device_profiles",
    "/v2/device_profiles?name=gold,profile-7",
    "/v2/attach_handles",
    "/v2/attach_handles?is_free=true&ref=0000:00:00.0&sort_key=node",
    "/v2/quotas",
    "/v2/quotas/gold",
    "/v2/nodes",
    "/v2/nodes/node-00000/topology",
    "/v2/events",
    "/v2/summary",
]


def _cost(database: Database, api: Client, path: str) -> int:
    with counted_statements(database) as statements:
        assert api.request("GET", path, headers=NEWEST).status_int == 200
    return len(statements)


@pytest.mark.parametrize("path", PATHS)
def test_the_number_of_statements_does_not_grow(path: str, database: Database) -> None:
    api = client(database)
    inventory = Inventory(database)
    inventory.fleet(1, 1)
    inventory.profile("gold")
    inventory.quota("gold")
    with_one = _cost(database, api, path)
    inventory.fleet(150, 8, prefix="more-")
    for number in range(50):
        inventory.profile(f"profile-{number}")
        inventory.quota(f"project-{number}")

    assert _cost(database, api, path) == with_one <= 4
