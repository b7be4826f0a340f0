"""The attributes of many deployables, made into texts by each of the databases."""

import json

from support.inventory import Inventory

from accel.db import deployables
from accel.db.engine import Database
from accel.db.paging import ListQuery


def test_attributes_are_in_the_order_of_their_making_however_they_were_made(any_database: Database) -> None:
    inventory = Inventory(any_database)
    device = inventory.device(inventory.node())
    owners = [inventory.deployable(device, f"part-{number}") for number in range(30)]
    made: dict[object, list[dict[str, str]]] = {owner["id"]: [] for owner in owners}
    for number in range(400):
        owner = owners[number * 7 % 31 % 30]
        key, value = "abc"[number * 5 % 3], f'"{number}" é \\ \n'
        inventory.attribute(owner, key=key, value=value, driver_key=None)
        made[owner["id"]].append({key: value})
    with any_database.reader() as connection:
        rows = deployables.find(connection, ListQuery()).rows
        found = deployables.attributes_of(connection, rows)
    assert {row: json.loads(text) for row, text in found.items()} == made


def test_a_deployable_without_attributes_is_left_out(any_database: Database) -> None:
    inventory = Inventory(any_database)
    inventory.deployable(inventory.device(inventory.node()))
    with any_database.reader() as connection:
        rows = deployables.find(connection, ListQuery()).rows
        assert deployables.attributes_of(connection, rows) == {}
