"""Whose quotas a caller sees."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import webob
from support.api import NEWEST, Client, client
from support.inventory import Inventory
from support.stand_in_keystone import ADMIN, Persona, asking_keystone

from accel.db.engine import Database

CALLERS = {
    "red": Persona(("reader",), project="red"),
    "grey": Persona(("reader",), project="grey"),
    "admin": Persona(ADMIN, project="blue"),
}


@pytest.fixture
def api(database: Database, tmp_path: Path) -> Iterator[Client]:
    inventory = Inventory(database)
    for project in ("red", "blue"):
        inventory.quota(project)
    with asking_keystone(tmp_path, CALLERS) as config:
        yield client(database, "--config-file", str(config))


def ask(api: Client, caller: str, path: str) -> webob.Response:
    return api.request("GET", path, headers=NEWEST | {"X-Auth-Token": f"<{caller}>"})


@pytest.mark.parametrize(("caller", "projects"), [("red", ["red"]), ("grey", []), ("admin", ["blue", "red"])])
def test_a_project_is_listed_its_own_and_an_administrator_all(caller: str, projects: list[str], api: Client) -> None:
    assert [row["project_id"] for row in ask(api, caller, "/v2/quotas").json["quotas"]] == projects


def test_a_filter_does_not_open_another_project(api: Client) -> None:
    assert ask(api, "red", "/v2/quotas?project_id=blue").json == {"quotas": []}


@pytest.mark.parametrize(("caller", "statuses"), [("red", [200, 404]), ("grey", [404, 404]), ("admin", [200, 200])])
def test_another_project_is_not_there(caller: str, statuses: list[int], api: Client) -> None:
    assert [ask(api, caller, f"/v2/quotas/{project}").status_int for project in ("red", "blue")] == statuses


def test_a_change_is_told_to_its_project_only(api: Client) -> None:
    body = {"quotas": {"PGPU": 9}}
    api.send("PUT", "/v2/quotas/red", body, **NEWEST, **{"X-Auth-Token": "<admin>"})

    (event,) = ask(api, "admin", "/v2/events?kind=quota.changed").json["events"]

    assert (event["project_id"], event["source"]) == ("red", "api:id-of-admin")
    assert (event["before"], event["after"]) == ({"PGPU": 1}, {"PGPU": 9})
