"""Cutting devices by jobs: what is ordered, what is fenced meanwhile, and what is refused."""

from typing import Any

import pytest
from support.api import NEWEST, Client, client, fault
from support.divisible import gpu
from support.inventory import BEGIN, Inventory

from accel.db import fences, jobs
from accel.db.engine import Connection, Database
from accel.db.events import Origin
from accel.db.jobs import JobRow
from accel.db.paging import ListQuery
from accel.db.scope import EVERYTHING
from accel.db.tables import Holder

APPLY = "/v2/partition/apply"


@pytest.fixture
def inventory(database: Database) -> Inventory:
    return Inventory(database)


@pytest.fixture
def api(database: Database) -> Client:
    return client(database)


def apply(api: Client, *changes: Any, status: int = 202) -> Any:
    body = {"changes": [{"device_uuid": device["uuid"], "layout": layout} for device, layout in changes]}
    answered = api.send("POST", APPLY, body, **NEWEST)
    assert answered.status_int == status, answered.text
    return answered


def ordered(database: Database) -> list[JobRow]:
    query = ListQuery(filters=[], limit=None, marker=None, sort_key=None, descending=False)
    return list(database.read(lambda connection: jobs.find(connection, query, scope=EVERYTHING)).rows)


def fenced(database: Database) -> int:
    return database.read(
        lambda connection: len(connection.execute(Holder.__table__.select().where(Holder.kind == fences.FENCE)).all())
    )


def test_each_device_is_cut_by_a_job_of_its_own_and_is_nobodys_meanwhile(
    api: Client, database: Database, inventory: Inventory
) -> None:
    node = inventory.node("n1")
    whole, cut = gpu(inventory, node, identity="GPU-a"), gpu(inventory, node, "3g.20gb@0", identity="GPU-b")

    answer = apply(api, (whole, {"3g.20gb": 1, "1g.5gb": 2}), (cut, {})).json

    found = ordered(database)
    assert [(job.kind, job.identity, job.arguments) for job in found] == [
        ("partition", "GPU-a", {"3g.20gb": "1", "1g.5gb": "2"}),
        ("partition", "GPU-b", {}),
    ]
    assert [job["uuid"] for job in answer["jobs"]] == [job.uuid for job in found]
    assert fenced(database) == 2


def test_a_device_that_is_so_already_needs_no_job(api: Client, database: Database, inventory: Inventory) -> None:
    device = gpu(inventory, inventory.node("n1"), "3g.20gb@0")

    assert apply(api, (device, {"3g.20gb": 1})).json == {"jobs": []}
    assert ordered(database) == []


def test_all_are_ordered_or_none(api: Client, database: Database, inventory: Inventory) -> None:
    node = inventory.node("n1")
    free = gpu(inventory, node, identity="GPU-a")
    held = gpu(inventory, node, identity="GPU-b", held_by="crimson")

    refused = apply(api, (free, {"3g.20gb": 1}), (held, {"3g.20gb": 1}), status=409)

    assert "Not while it is held" in fault(refused)
    assert (ordered(database), fenced(database)) == ([], 0)


def test_an_impossible_layout_is_refused_with_its_rule(api: Client, inventory: Inventory) -> None:
    device = gpu(inventory, inventory.node("n1"))

    refused = apply(api, (device, {"4g.20gb": 2}), status=409)

    assert "1 of 4g.20gb at most" in fault(refused)


@pytest.mark.parametrize(
    ("columns", "node", "words"),
    [({"presence": "lost"}, "online", "it is lost"), ({}, "offline", "its node n1 is offline")],
)
def test_a_device_out_of_reach_is_not_cut(
    api: Client, inventory: Inventory, columns: dict[str, str], node: str, words: str
) -> None:
    device = gpu(inventory, inventory.node("n1", state=node), **columns)

    assert words in fault(apply(api, (device, {"3g.20gb": 1}), status=409))


def test_while_a_job_is_at_a_device_no_other_one_is_ordered(
    api: Client, database: Database, inventory: Inventory
) -> None:
    device = gpu(inventory, inventory.node("n1"))
    apply(api, (device, {"3g.20gb": 1}))

    refused = apply(api, (device, {"7g.40gb": 1}), status=409)

    assert f"job {ordered(database)[0].uuid} is at it" in fault(refused)


def test_one_device_is_not_changed_twice_at_once(api: Client, inventory: Inventory) -> None:
    device = gpu(inventory, inventory.node("n1"))

    refused = apply(api, (device, {"3g.20gb": 1}), (device, {}), status=400)

    assert "changes[1].device_uuid" in fault(refused)


def test_parts_that_are_reported_while_a_job_makes_them_are_fenced_too(
    api: Client, database: Database, inventory: Inventory
) -> None:
    node = inventory.node("n1")
    device, other = gpu(inventory, node, identity="GPU-a"), gpu(inventory, node, identity="GPU-b")
    apply(api, (device, {"3g.20gb": 1}))
    for one in (device, other):
        inventory.handle(inventory.deployable(one, f"new-{one['uuid']}"), info={"gpu_instance_id": "1"})

    def report(connection: Connection) -> None:
        fences.cover(connection, "n1", Origin(at=BEGIN))

    database.write(report)
    database.write(report)

    assert fenced(database) == 2
