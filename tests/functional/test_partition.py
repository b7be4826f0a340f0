"""Plans of partitioning, as clients of the API and of the command line meet them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.api import NEWEST, Client, client, fault
from support.cli import run
from support.databases import counted_statements
from support.divisible import gpu
from support.inventory import Inventory
from support.served_fleet import FLEET, ServedFleet, served_fleet
from support.stand_in_keystone import ADMIN, Persona, asking_keystone

from accel.db.engine import Database

PLAN = "/v2/partition/plan"
NO_PLACEMENT, CONFLICT, WRONG_USE = 5, 6, 2


@pytest.fixture
def inventory(database: Database) -> Inventory:
    return Inventory(database)


@pytest.fixture
def api(database: Database) -> Client:
    return client(database)


def post(api: Client, body: Any, status: int = 200) -> Any:
    answered = api.send("POST", PLAN, body, **NEWEST)
    assert answered.status_int == status, answered.text
    return answered.json


def test_a_plan_says_steps_cost_and_undo(api: Client, inventory: Inventory) -> None:
    device = gpu(inventory, inventory.node("n1"))

    answer = post(api, {"device_uuid": device["uuid"], "layout": {"3g.20gb": 2}})

    (plan,) = answer["plans"]
    assert answer["demand"] is None
    assert [step["act"] for step in plan["steps"]] == ["cut", "make", "make", "verify"]
    assert (plan["possible"], plan["applicable"], plan["rule"]) == (True, True, None)
    assert (plan["before"], plan["after"], plan["lost"]) == ({"whole": 1}, {"3g.20gb": 2}, {"whole": 1})
    assert (plan["device"], plan["scheme"], plan["undo"]) == ("n1/0000:07:00.0", "mig", {})


def test_an_impossible_layout_is_an_answer_that_names_the_rule(api: Client, inventory: Inventory) -> None:
    device = gpu(inventory, inventory.node("n1"))

    (plan,) = post(api, {"device_uuid": device["uuid"], "layout": {"3g.20gb": 2, "1g.5gb": 1}})["plans"]

    assert (plan["possible"], plan["rule"]) == (False, "slices")
    assert "9 slices" in plan["text"]


def test_a_demand_chooses_devices_of_a_pool(api: Client, inventory: Inventory) -> None:
    node = inventory.node("n1")
    gpu(inventory, node, identity="GPU-a")
    gpu(inventory, node, "1g.5gb@6", identity="GPU-b")
    gpu(inventory, inventory.node("n2", state="offline"), identity="GPU-c")
    gpu(inventory, node, identity="GPU-d", health="unhealthy")
    gpu(inventory, node, "1g.5gb@6", identity="GPU-e", status="maintaining")

    answer = post(api, {"demand": {"1g.5gb": 15}})

    assert answer["demand"] == {
        "wanted": {"1g.5gb": 15},
        "free": {"1g.5gb": 1},
        "made": {"1g.5gb": 13},
        "missing": {"1g.5gb": 1},
    }
    assert [plan["layout"] for plan in answer["plans"]] == [{"1g.5gb": 7}, {"1g.5gb": 7}]
    assert post(api, {"demand": {"1g.5gb": 15.0}}) == answer
    assert post(api, {"demand": {"1g.5gb": 1}, "node": "n2"})["demand"]["missing"] == {"1g.5gb": 1}
    assert post(api, {"demand": {"1g.5gb": 1}, "model": "H100"})["plans"] == []


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({}, "device_uuid with layout, or demand"),
        ({"device_uuid": "6f1c5f1a-28b3-5d0b-b5ba-0c1a5a4a0001"}, "device_uuid with layout, or demand"),
        ({"layout": {}}, "device_uuid with layout, or demand"),
        ({"layout": {"1g": 1}, "demand": {"1g": 1}}, "device_uuid with layout, or demand"),
        ({"demand": {}}, "demand"),
        ({"demand": {"1g.5gb": 0}}, "demand.1g.5gb"),
        ({"demand": {"a b": 1}}, "a b"),
        ({"demand": {"1g.5gb": "x"}}, "demand.1g.5gb"),
        ({"more": 1}, "more"),
    ],
)
def test_what_is_asked_wrongly_is_told_by_its_field(api: Client, body: Any, words: str) -> None:
    answered = api.send("POST", PLAN, body, **NEWEST)

    assert answered.status_int == 400
    assert words in fault(answered)


def test_a_device_that_cannot_be_cut_or_is_not_there(api: Client, inventory: Inventory) -> None:
    device = inventory.device(inventory.node("n1"))

    post(api, {"device_uuid": device["uuid"], "layout": {}}, 409)
    post(api, {"device_uuid": "6f1c5f1a-28b3-5d0b-b5ba-0c1a5a4a0001", "layout": {}}, 404)


def test_plans_cost_as_many_statements_for_a_thousand_devices_as_for_one(
    database: Database, inventory: Inventory
) -> None:
    node = inventory.node("n1")
    gpu(inventory, node)
    api = client(database)

    def ask() -> int:
        with counted_statements(database) as statements:
            post(api, {"demand": {"1g.5gb": 3}})
        return len(statements)

    few = ask()
    for number in range(50):
        gpu(inventory, node, "1g.5gb@6", identity=f"GPU-{number}", held_by="someone")
    assert ask() == few


# --- who may know ---


CALLERS = {"admin": Persona(ADMIN), "crimson": Persona(("manager",), project="crimson"), "azure": Persona(("manager",))}


@pytest.mark.parametrize(
    ("caller", "told"), [("admin", "pod train"), ("crimson", "pod train"), ("azure", "another project")]
)
def test_what_others_have_is_called_another_projects(
    database: Database, inventory: Inventory, tmp_path: Path, caller: str, told: str
) -> None:
    device = gpu(inventory, inventory.node("n1"), "3g.20gb@0", "1g.5gb@6", held_by="crimson")
    body = {"device_uuid": device["uuid"], "layout": {"3g.20gb": 2}}
    with asking_keystone(tmp_path, CALLERS) as config:
        api = client(database, "--config-file", str(config))

        answered = api.send("POST", PLAN, body, **NEWEST, **{"X-Auth-Token": f"<{caller}>"})

    assert answered.status_int == 200, answered.text
    assert [one["held_by"] for one in answered.json["plans"][0]["in_the_way"]] == [told]


# --- on the command line ---


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[ServedFleet]:
    with served_fleet(tmp_path) as fleet:
        fleet.report_fleet(FLEET, tmp_path)
        yield fleet


def test_a_plan_is_told_step_by_step(fleet: ServedFleet) -> None:
    said = run("device", "list", "--node", "mig-01", "-f", "json", endpoint=fleet.url)
    uuid = said.json[0]["uuid"]

    said = run("partition", "plan", "--device", uuid, "--layout", "3g.40gb=1,2g.20gb=2", endpoint=fleet.url)

    assert said.code == 0, said.err
    assert "comes from 1g.10gb=1, 3g.40gb=1 to 2g.20gb=2, 3g.40gb=1 in 4 steps." in said.out
    assert "  1. take out 1g.10gb at slice 0" in said.lines
    assert "Lost: 1g.10gb=1." in said.lines
    assert f"Undo: accel partition apply --device {uuid[:8]} --layout 1g.10gb=1 --layout 3g.40gb=1" in said.lines


def test_exit_codes_say_whether_it_can_be(fleet: ServedFleet) -> None:
    def code(*words: str) -> int:
        return run("partition", "plan", *words, endpoint=fleet.url).code

    assert code("--demand", "1g.10gb=2") == 0
    assert code("--demand", "1g.10gb=1000") == NO_PLACEMENT
    assert code("--device", "gpu-01/0000:13:00.0", "--layout", "4g.40gb=2") in {NO_PLACEMENT, 3}
    assert code("--demand", "1g.10gb") == WRONG_USE
    assert code("--demand", "1g.10gb=1", "--layout", "1g.10gb=1") == WRONG_USE
    assert code() == WRONG_USE


def test_what_is_missing_is_told(fleet: ServedFleet) -> None:
    said = run("partition", "plan", "--demand", "1g.10gb=1000", "--node", "mig-01", endpoint=fleet.url)

    assert said.lines[0] == "Wanted are 1g.10gb=1000; free already: 1g.10gb=1."
    assert "No device gives 1g.10gb=993 besides." in said.out
