"""The attributes of deployables as texts, made and kept by each of the databases."""

import json
from collections.abc import Iterator
from datetime import timedelta
from functools import partial

import pytest
from sqlalchemy import insert, select, update
from support.databases import counted_statements, opened_beside
from support.inventory import BEGIN, Inventory
from support.races import Gate, overlapping

from accel.conductor.manager import Limits, Manager
from accel.db import attributes, deployables
from accel.db.engine import Connection, Database, DatabaseOptions
from accel.db.events import Origin
from accel.db.paging import ListQuery
from accel.db.tables import Attribute, Deployable

ORIGIN = Origin(at=BEGIN + timedelta(days=1))


@pytest.fixture
def other_database(any_database: Database) -> Iterator[Database]:
    """The same database by connections of another service, which tries nothing twice."""
    with opened_beside(any_database, DatabaseOptions(attempts=1)) as database:
        yield database


def texts(database: Database) -> dict[int, str]:
    """What the API shows, by the key of the deployable."""
    with database.reader() as connection:
        return {row.id: row.attributes for row in deployables.find(connection, ListQuery()).rows}


def kept(database: Database) -> dict[int, str | None]:
    with database.reader() as connection:
        return dict(connection.execute(select(Deployable.id, Deployable.attributes_text)).all())


def mend(database: Database) -> int:
    return Manager(database, lambda: ORIGIN.at, Limits()).mend_attribute_texts()


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
    asked_for = texts(any_database)
    assert {row: json.loads(text) for row, text in asked_for.items()} == made

    assert mend(any_database) == len(owners)
    assert kept(any_database) == asked_for == texts(any_database)


def test_only_texts_that_are_not_kept_are_made_when_they_are_asked_for(any_database: Database) -> None:
    inventory = Inventory(any_database)
    device = inventory.device(inventory.node())
    known = inventory.deployable(device, "known", attributes_text='[{"kept":"1"}]')
    unknown = inventory.deployable(device, "unknown")
    bare = inventory.deployable(device, "bare")
    inventory.attribute(unknown, "made", "2")
    with counted_statements(any_database) as statements:
        seen = texts(any_database)
    assert seen == {known["id"]: '[{"kept":"1"}]', unknown["id"]: '[{"made":"2"}]', bare["id"]: "[]"}
    assert len(statements) == 2
    with any_database.reader() as connection:
        assert deployables.get(connection, unknown["uuid"]).attributes == '[{"made":"2"}]'


def test_what_an_operator_adds_and_removes_is_in_the_text_at_once(any_database: Database) -> None:
    inventory = Inventory(any_database)
    part = inventory.deployable(inventory.device(inventory.node()), attributes_text="[]")
    add = partial(attributes.create, deployable=part["uuid"], origin=ORIGIN)
    first = any_database.write(partial(add, key="a", value="1"))
    any_database.write(partial(add, key="b", value="2"))
    assert kept(any_database) == {part["id"]: '[{"a":"1"},{"b":"2"}]'}
    any_database.write(partial(attributes.remove, uuid=first.uuid, origin=ORIGIN))
    assert kept(any_database) == {part["id"]: '[{"b":"2"}]'}


def test_of_two_who_add_attributes_at_once_neither_loses_that_of_the_other(
    any_database: Database, other_database: Database
) -> None:
    inventory = Inventory(any_database)
    part = inventory.deployable(inventory.device(inventory.node()), attributes_text="[]")
    gate = Gate()

    def first(connection: Connection) -> None:
        attributes.create(connection, part["uuid"], key="a", value="1", origin=ORIGIN)
        gate()

    second = partial(attributes.create, deployable=part["uuid"], key="b", value="2", origin=ORIGIN)
    overlapping(gate, lambda: any_database.write(first), lambda: other_database.write(second), of_second=other_database)
    assert kept(any_database) == {part["id"]: '[{"a":"1"},{"b":"2"}]'}


def test_what_a_release_that_knows_no_texts_has_changed_is_found_at_the_next_start(any_database: Database) -> None:
    inventory = Inventory(any_database)
    device = inventory.device(inventory.node())
    stale, right = (inventory.deployable(device, name, attributes_text="[]") for name in ("stale", "right"))
    row = {"uuid": "one", "deployable_id": stale["id"], "key": "a", "value": "1", "created_at": BEGIN}
    with any_database.writer() as connection:
        connection.execute(insert(Attribute).values(row))
    assert mend(any_database) == 1
    with any_database.writer() as connection:
        connection.execute(update(Attribute).values(value="2"))
    assert (mend(any_database), mend(any_database)) == (1, 0)
    assert kept(any_database) == {stale["id"]: '[{"a":"2"}]', right["id"]: "[]"}


def test_all_deployables_are_looked_at_however_many_there_are(any_database: Database) -> None:
    inventory = Inventory(any_database, gap=7)
    inventory.fleet(150, 8)
    assert mend(any_database) == 1200
    assert set(kept(any_database).values()) == set(texts(any_database).values())
    assert None not in kept(any_database).values()
