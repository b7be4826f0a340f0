"""Explanations, what-if and what is free, as a client of the API meets them."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from support.api import NEWEST, Client, client, fault, post
from support.databases import counted_statements
from support.inventory import Inventory
from support.stand_in_keystone import ADMIN, Persona, asking_keystone

from accel.db.engine import Database

EXPLAIN, WHATIF, FREE = "/v2/placements/explain", "/v2/placements/whatif", "/v2/placements/free"
NODES, CARDS = 3, 4
ONE = {"groups": [{"resources": {"PGPU": 1}}]}
TWO = {"groups": [{"resources": {"PGPU": 2}}]}
ALL = {"groups": [{"resources": {"PGPU": CARDS}}]}
RACK = {"nodes": [{"name": "new-{0}", "count": 2, "cards": [{"model": "H100-SXM5-80GB", "count": 8}]}]}


@pytest.fixture
def api(database: Database) -> Client:
    """Three nodes with four GPUs each."""
    Inventory(database).fleet(NODES, CARDS)
    return client(database)


def take(api: Client, body: Mapping[str, Any], **more: Any) -> None:
    post(api, "/v2/placements/claims", {**body, **more}, 201)


def take_on_each(api: Client, body: Mapping[str, Any], **more: Any) -> None:
    """Take the same on each node."""
    names = [node["name"] for node in api.get("/v2/nodes")["nodes"]]
    for name in names:
        take(api, body, exclude_nodes=[other for other in names if other != name], **more)


# --- explanations ---


def test_what_fits_is_not_blocked(api: Client) -> None:
    explained = post(api, EXPLAIN, ALL)

    assert (explained["fits"], explained["nodes"], explained["text"]) == (True, NODES, "It fits on 3 nodes.")
    assert (explained["blocker"], explained["nearest"], explained["counterfactuals"]) == (None, None, [])


def test_it_is_told_what_is_left_after_each_step_and_why(api: Client) -> None:
    explained = post(api, EXPLAIN, {"groups": [{"resources": {"PGPU": 1}, "required": ["CUSTOM_NONE"]}]})

    steps = {step["filter"]: step for step in explained["steps"]}
    assert list(steps)[:5] == ["online", "labels", "excluded", "configured", "class"]
    assert (steps["class"]["nodes"], steps["class"]["devices"]) == (NODES, NODES * CARDS)
    assert steps["traits"]["reasons"] == [{"text": "lacks CUSTOM_NONE", "count": NODES * CARDS, "of": "devices"}]
    assert explained["blocker"]["code"] == "trait"


def test_every_counterfactual_fits_when_it_is_asked(api: Client) -> None:
    take_on_each(api, TWO)
    wanted = {"groups": [{"resources": {"PGPU": CARDS}, "forbidden": ["CUSTOM_NONE"]}], "exclude_nodes": ["node-0"]}

    explained = post(api, EXPLAIN, wanted)

    assert not explained["fits"]
    assert {one["code"] for one in explained["counterfactuals"]} >= {"count", "released"}
    for one in explained["counterfactuals"]:
        again = post(api, EXPLAIN, one["relaxed"])
        assert (again["fits"], again["nodes"]) == (True, one["nodes"])


def test_a_device_profile_is_explained_too(database: Database, api: Client) -> None:
    Inventory(database, first=10**6).profile("five", groups=[{"resources:PGPU": str(CARDS + 1)}])

    explained = post(api, EXPLAIN, {"device_profile_name": "five"})

    assert explained["blocker"]["code"] == "too_large"
    relaxed = explained["counterfactuals"][0]["relaxed"]
    assert relaxed == {"groups": [{"resources": {"PGPU": CARDS}}]}


def test_the_nearest_node_is_told_with_when_something_is_given_back(api: Client) -> None:
    take_on_each(api, TWO, lease_seconds=60)

    nearest = post(api, EXPLAIN, ALL)["nearest"]

    assert (nearest["wanted"], nearest["found"]) == (CARDS, 2)
    assert [one["state"] for one in nearest["missing"]] == ["held", "held"]
    assert all(one["held_until"] for one in nearest["missing"])
    assert "held by reservation" in nearest["text"]


def test_a_claim_that_cannot_be_had_and_candidates_of_which_there_are_none_say_why_in_short(api: Client) -> None:
    wanted = {"groups": [{"resources": {"PGPU": CARDS + 1}}]}
    short = post(api, EXPLAIN, wanted)["text"]

    assert short.startswith("No node has 5 PGPU, free or not; the most on one is 4, of which 4 are free.")
    assert post(api, "/v2/placements/candidates", wanted)["explanation"] == short
    assert post(api, "/v2/placements/claims", wanted, 409)["detail"] == short


def test_an_explanation_costs_the_same_number_of_statements_for_any_fleet(database: Database) -> None:
    def costs(prefix: str, first: int, nodes: int) -> int:
        Inventory(database, first=first).fleet(nodes, CARDS, prefix=prefix)
        api = client(database)
        take_on_each(api, ONE)
        post(api, EXPLAIN, ALL)
        with counted_statements(database) as seen:
            assert post(api, EXPLAIN, ALL)["nearest"]["missing"][0]["held_by"]
        return len(seen)

    assert costs("a-", 1, 1) == costs("b-", 10**6, 10) == 2


def test_what_is_supposed_is_one_of_three_things(api: Client) -> None:
    answered = api.send("POST", EXPLAIN, {**ALL, "suppose": ["magic"]}, **NEWEST)

    assert answered.status_int == 400
    assert "body.suppose[0]: 'magic' is not one of ['released', 'repaired', 'online']" in fault(answered)


# --- whose things are told ---

CALLERS = {
    "crimson": Persona(("member", "reader"), project="crimson"),
    "blue": Persona(("member", "reader"), project="blue"),
    "admin": Persona(ADMIN, project="grey"),
}


@pytest.fixture
def shared(database: Database, tmp_path: Path) -> Iterator[Client]:
    """One node with two GPUs, both of which project crimson holds."""
    inventory = Inventory(database)
    inventory.fleet(1, 2)
    with asking_keystone(tmp_path, CALLERS) as config:
        api = client(database, "--config-file", str(config))
        wanted = {"groups": [{"resources": {"PGPU": 2}}], "consumer": "secret-of-crimson"}
        taken = api.send("POST", "/v2/placements/claims", wanted, **NEWEST, **{"X-Auth-Token": "<crimson>"})
        assert taken.status_int == 201, taken.text
        yield api


@pytest.mark.parametrize(
    ("caller", "told"),
    [
        ("crimson", "reservation secret-of-crimson"),
        ("admin", "reservation secret-of-crimson"),
        ("blue", "another project"),
    ],
)
def test_who_holds_something_is_told_to_its_project_and_to_administrators(
    caller: str, told: str, shared: Client
) -> None:
    answered = shared.send("POST", EXPLAIN, ONE, **NEWEST, **{"X-Auth-Token": f"<{caller}>"})

    assert {one["held_by"] for one in answered.json["nearest"]["missing"]} == {told}
    assert f"2 are held by {told}" in answered.json["text"]


@pytest.mark.parametrize("path", [EXPLAIN, WHATIF, "/v2/placements/claims", "/v2/placements/candidates"])
def test_nothing_of_another_project_is_named(path: str, shared: Client) -> None:
    answered = shared.send("POST", path, ONE, **NEWEST, **{"X-Auth-Token": "<blue>"})

    assert "held" in answered.text
    assert "crimson" not in answered.text


# --- what if ---


def test_a_question_is_put_to_a_fleet_with_other_nodes(api: Client) -> None:
    names = sorted(node["name"] for node in api.get("/v2/nodes")["nodes"])

    outcome = post(api, WHATIF, {**ALL, "count": 20, "add_nodes": RACK, "drain": names[:1]})

    assert (outcome["count"], outcome["fits"]) == (20, 6)
    assert {one["node"]: one["count"] for one in outcome["nodes"]} == {
        "new-1": 2,
        "new-2": 2,
        names[1]: 1,
        names[2]: 1,
    }
    assert outcome["next"]["blocker"]["code"] == "held"
    assert (
        post(api, WHATIF, ALL)
        == {
            "count": 1,
            "fits": 1,
            "nodes": [{"node": outcome["nodes"][0]["node"], "count": 1}],
            "next": None,
        }
        or post(api, WHATIF, ALL)["fits"] == 1
    )
    assert post(api, EXPLAIN, ALL)["nodes"] == NODES


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"drain": ["nosuch"]}, "drain[0]: 'nosuch' is not the name of a node, each of them once"),
        ({"add_nodes": {}}, "add_nodes: this mapping is not complete: nodes is missing"),
        (
            {"add_nodes": {"nodes": [{"name": "n", "cards": [{"model": "H1000"}]}]}},
            "add_nodes.nodes[0].cards[0].model: 'H1000' is not known",
        ),
        ({"add_nodes": {"nodes": [{"name": "n-{0}", "count": 100_000, "cards": []}]}}, "10000 accelerators at most"),
        ({"count": 0}, "body.count: 0 is less than the minimum of 1"),
    ],
)
def test_a_mistake_in_the_other_fleet_is_told_by_its_field(body: Mapping[str, Any], text: str, api: Client) -> None:
    answered = api.send("POST", WHATIF, {**ALL, **body}, **NEWEST)

    assert answered.status_int == 400
    assert text in fault(answered)


def test_a_node_that_there_is_cannot_be_added(api: Client) -> None:
    name = api.get("/v2/nodes")["nodes"][0]["name"]

    answered = api.send("POST", WHATIF, {**ALL, "add_nodes": {"nodes": [{"name": name, "cards": []}]}}, **NEWEST)

    assert (answered.status_int, f"add_nodes: '{name}' is not" in fault(answered)) == (400, True)


# --- what is free ---


def test_what_is_free_is_told_by_model(api: Client) -> None:
    take(api, TWO)

    (found,) = api.get(FREE)["free"]

    assert found["resource_class"] == "PGPU"
    figures = ("total", "free", "held", "unusable", "on_one_node")
    assert [found[name] for name in figures] == [12, 10, 2, 0, 4]
    assert found["largest"]["node"] == CARDS


def test_what_is_free_can_be_asked_for_by_model(api: Client) -> None:
    (found,) = api.get(FREE)["free"]

    assert len(api.get(f"{FREE}?model={found['model'][1:5].upper()}")["free"]) == 1
    assert api.get(f"{FREE}?model=nosuch") == {"free": []}
