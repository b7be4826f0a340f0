"""What is asked for these days decides which free cards are worth keeping together."""

from typing import Any

import pytest
from support.api import NEWEST, Client
from support.claims import local_claims
from support.clocks import Seconds
from support.databases import counted_statements
from support.inventory import Inventory

from accel import conf as configuration
from accel.api.app import make_app
from accel.api.fleet_index import FleetIndex
from accel.api.placing import Placing
from accel.api.recent_sizes import RecentSizes
from accel.db.engine import Database

ONE = {"groups": [{"resources": {"PGPU": 1}}], "seed": "a"}
HALF, NEARLY_IDLE = "half-00000", "idle-00000"
"""Nodes of eight GPUs, of which four are free, and seven."""
EVERY_SECONDS, LOOKED_AT = 60, 60
"""When requests are looked at, and the newest for how many accelerators."""


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


@pytest.fixture
def api(database: Database, seconds: Seconds) -> Client:
    inventory = Inventory(database)
    inventory.fleet(1, 8, prefix="half-")
    inventory.fleet(1, 8, prefix="idle-")
    inventory.settle()
    api = process(database, seconds)
    for amount, other in ((4, NEARLY_IDLE), (1, HALF)):
        body = {"groups": [{"resources": {"PGPU": amount}}], "exclude_nodes": [other]}
        assert api.send("POST", "/v2/placements/claims", body, **NEWEST).status_int == 201
    seconds.now += EVERY_SECONDS
    return api


def process(database: Database, seconds: Seconds) -> Client:
    """A process of the API."""
    recent = RecentSizes(database, accelerators=LOOKED_AT, every_seconds=EVERY_SECONDS, seconds=seconds)
    placing = Placing(index=FleetIndex(database), recent=recent)
    conf = configuration.load([], prog="accel-api", default_config_files=[])
    return Client(make_app(database, conf, local_claims(database), placing=placing))


def ask_for(api: Client, amount: int, times: int) -> None:
    """Make requests for so many GPUs at once, without binding them."""
    name = f"of-{amount}"
    profile = [{"name": name, "groups": [{"resources:PGPU": str(amount)}]}]
    api.send("POST", "/v2/device_profiles", profile, **NEWEST)
    for _ in range(times):
        made = api.send("POST", "/v2/accelerator_requests", {"device_profile_name": name}, **NEWEST)
        assert made.status_int == 201, made.text


def best(api: Client, **more: Any) -> str:
    answered = api.send("POST", "/v2/placements/candidates", ONE | more, **NEWEST)
    [node] = answered.json["candidates"][0]["nodes"]
    return str(node)


def test_one_gpu_is_not_taken_of_the_last_four_where_four_are_asked_for(api: Client) -> None:
    ask_for(api, 4, times=15)
    assert best(api) == NEARLY_IDLE
    assert best(api, order="default") == NEARLY_IDLE


def test_one_gpu_is_taken_of_the_fuller_node_where_one_is_asked_for(api: Client) -> None:
    ask_for(api, 1, times=15)
    assert best(api) == HALF


def test_after_few_requests_no_size_is_expected_more_than_others(api: Client) -> None:
    ask_for(api, 4, times=7)
    assert best(api) == HALF


def test_what_is_asked_for_is_looked_at_every_so_often_and_the_newest_counts(api: Client, seconds: Seconds) -> None:
    ask_for(api, 1, times=15)
    assert best(api) == HALF
    ask_for(api, 4, times=15)
    assert best(api) == HALF
    seconds.now += EVERY_SECONDS
    assert best(api) == NEARLY_IDLE
    ask_for(api, 1, times=LOOKED_AT)
    seconds.now += EVERY_SECONDS
    assert best(api) == HALF


def test_processes_that_see_the_same_requests_give_the_same_answer(
    api: Client, database: Database, seconds: Seconds
) -> None:
    ask_for(api, 4, times=13)
    ask_for(api, 1, times=9)
    other = process(database, seconds)
    answers = [one.send("POST", "/v2/placements/candidates", ONE, **NEWEST).json for one in (api, other)]
    assert answers[0] == answers[1]


@pytest.mark.parametrize("times", [1, 15])
def test_looking_costs_one_statement_now_and_then_and_a_question_none(
    times: int, api: Client, database: Database, seconds: Seconds
) -> None:
    def cost() -> int:
        with counted_statements(database) as statements:
            best(api)
        return len(statements)

    ask_for(api, 4, times=times)
    best(api)
    seconds.now += EVERY_SECONDS
    assert [cost(), cost()] == [2, 1]


def test_without_a_look_at_requests_the_answer_does_not_depend_on_them(api: Client, database: Database) -> None:
    ask_for(api, 4, times=15)
    conf = configuration.load([], prog="accel-api", default_config_files=[])
    conf.set_override("demand_requests", 0, group="placement_engine")
    assert best(Client(make_app(database, conf, local_claims(database)))) == HALF
    conf.set_override("demand_requests", 1000, group="placement_engine")
    assert best(Client(make_app(database, conf, local_claims(database)))) == NEARLY_IDLE
