"""The health of devices over the API, in figures, and on the command line."""

from collections.abc import Iterator
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from support.ailing import AT, QUERIES, found, populate
from support.api import NEWEST, Client, client
from support.cli import run
from support.inventory import Inventory
from support.served_fleet import ServedFleet, served_fleet

from accel.db.engine import Database


@pytest.fixture
def inventory(database: Database) -> Inventory:
    inventory = Inventory(database)
    populate(inventory)
    return inventory


@pytest.fixture
def api(database: Database, inventory: Inventory) -> Client:
    del inventory
    return client(database)


@pytest.mark.parametrize(("query", "identities"), QUERIES)
def test_devices_are_found_by_what_is_the_matter_with_them(api: Client, query: str, identities: list[str]) -> None:
    assert found(api, query) == identities


def test_a_device_s_health_has_its_signals_with_source_value_words_and_time(api: Client) -> None:
    hot = api.get("/v2/health?type=GPU")["health"][0]

    assert api.get(f"/v2/health/{hot['uuid']}") == hot
    assert (hot["health"], hot["reason"], hot["node"]) == ("unhealthy", "temperature: too hot", "alpha")
    assert hot["signals"][1] == {
        "source": "temperature",
        "value": "unhealthy",
        "text": "temperature says so",
        "count": None,
        "at": AT,
    }


def test_a_device_that_is_not_there_has_no_health(api: Client) -> None:
    path = "/v2/health/6c1f5d11-6a0e-4a57-9d0d-8a6b0a3f2a1c"

    assert api.request("GET", path, headers=NEWEST).status_int == 404


@pytest.mark.parametrize("query", ["?value=good", "?source=%25", "?source=PCIe", "?complaints=maybe", "?marker=7"])
def test_what_cannot_be_asked_is_refused(api: Client, query: str) -> None:
    assert api.request("GET", f"/v2/health{query}", headers=NEWEST).status_int == 400


def test_there_is_no_health_before_2_4(api: Client) -> None:
    assert api.request("GET", "/v2/health", headers={"OpenStack-API-Version": "accelerator 2.3"}).status_int == 404


def test_complaints_are_figures_by_source_and_value(api: Client) -> None:
    text = api.request("GET", "/metrics").text
    figures = {
        (sample.labels["source"], sample.labels["value"]): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "accel_device_complaints"
    }

    assert figures == {("temperature", "unhealthy"): 2, ("pcie.link", "unknown"): 1}


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedFleet]:
    with served_fleet(tmp_path_factory.mktemp("fleet")) as fleet:
        populate(Inventory(fleet.database))
        yield fleet


def listed(fleet: ServedFleet, *options: str) -> list[dict[str, Any]]:
    outcome = run("health", *options, "-f", "json", endpoint=fleet.url)
    assert outcome.code == 0, outcome.err
    rows: list[dict[str, Any]] = outcome.json
    return rows


def told(fleet: ServedFleet, *options: str) -> list[tuple[str, str, str]]:
    return [(row["node"], row["source"], row["value"]) for row in listed(fleet, *options)]


def test_the_command_lists_what_is_the_matter_whoever_says_it(fleet: ServedFleet) -> None:
    assert told(fleet) == [
        ("alpha", "temperature", "unhealthy"),
        ("beta", "driver", "unhealthy"),
        ("beta", "pcie.link", "unknown"),
        ("beta", "presence", "unknown"),
    ]
    assert [row["text"] for row in listed(fleet, "--node", "beta")] == [
        "it runs the image of the factory",
        "pcie_link says so",
        "not reported any more",
    ]


def test_the_command_lists_what_is_well_where_it_is_asked_for(fleet: ServedFleet) -> None:
    assert told(fleet, "--value", "healthy") == [
        ("alpha", "pcie.aer", "healthy"),
        ("alpha", "pcie.aer", "healthy"),
        ("alpha", "temperature", "healthy"),
    ]
    assert len(told(fleet, "--all-signals", "--node", "alpha")) == 4
    assert told(fleet, "--source", "pcie.link") == [("beta", "pcie.link", "unknown")]


def test_one_device_is_named_as_anywhere(fleet: ServedFleet) -> None:
    (row,) = listed(fleet, "--type", "GPU")

    assert told(fleet, "--device", row["uuid"][:8], "--all-signals") == [
        ("alpha", "pcie.aer", "healthy"),
        ("alpha", "temperature", "unhealthy"),
    ]


def test_a_device_is_shown_with_its_signals(fleet: ServedFleet) -> None:
    (row,) = listed(fleet, "--type", "GPU")

    shown = run("device", "show", row["uuid"], endpoint=fleet.url)

    assert "temperature: unhealthy, temperature says so" in shown.out
    assert len(run("device", "show", row["uuid"], "-f", "json", endpoint=fleet.url).json["signals"]) == 2


def test_health_list_is_the_same_in_more_words(fleet: ServedFleet) -> None:
    assert run("health", "list", endpoint=fleet.url).out.count("unhealthy") == 2
