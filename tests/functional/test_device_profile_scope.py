"""Whose device profiles a caller sees and changes, where a policy lets the members of projects have their own."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import webob
from oslo_context.context import RequestContext
from support.api import NEWEST, Client, client
from support.populated import populate, uuid
from support.stand_in_keystone import Persona, asking_keystone

from accel.api import identity
from accel.db.engine import Database
from accel.db.scope import Scope

RED, BLUE = "red", "blue"
MEMBERS = {project: Persona(("member", "reader"), project=project) for project in (RED, BLUE)}
POLICY = "".join(f'"device_profile:{act}": "rule:project_member"\n' for act in ("create", "update", "delete"))


@pytest.fixture
def api(database: Database, tmp_path: Path) -> Iterator[Client]:
    populate(database)
    policy = tmp_path / "policy.yaml"
    policy.write_text(POLICY)
    with asking_keystone(tmp_path, MEMBERS) as config:
        config.write_text(f"{config.read_text()}[oslo_policy]\npolicy_file = {policy}\n")
        yield client(database, "--config-file", str(config))


def ask(api: Client, project: str, method: str, path: str) -> webob.Response:
    return api.request(method, path, headers=NEWEST | {"X-Auth-Token": f"<{project}>"})


def send(api: Client, project: str, method: str, path: str, body: Any) -> webob.Response:
    return api.send(method, path, body, **NEWEST, **{"X-Auth-Token": f"<{project}>"})


@pytest.mark.parametrize(("project", "names"), [(RED, ["gold", "secret"]), (BLUE, ["gold"])])
def test_a_project_sees_what_is_public_and_what_is_its_own(project: str, names: list[str], api: Client) -> None:
    answer = ask(api, project, "GET", "/v2/device_profiles").json
    assert [profile["name"] for profile in answer["device_profiles"]] == names


@pytest.mark.parametrize("key", ["secret", uuid(7, 2)])
def test_what_another_project_has_is_not_there(key: str, api: Client) -> None:
    path = f"/v2/device_profiles/{key}"
    change = {"version": 3, "description": "mine"}
    assert [ask(api, project, "GET", path).status_int for project in (RED, BLUE)] == [200, 404]
    assert send(api, BLUE, "PATCH", path, change).status_int == 404
    assert ask(api, BLUE, "DELETE", path).status_int == 404
    assert ask(api, BLUE, "DELETE", f"/v2/device_profiles?value=gold,{key}").status_int == 404
    assert [ask(api, RED, "GET", f"/v2/device_profiles/{name}").status_int for name in ("gold", key)] == [200, 200]


def test_what_another_project_has_is_no_place_in_a_list(api: Client) -> None:
    path = f"/v2/device_profiles?marker={uuid(7, 2)}"
    assert [ask(api, project, "GET", path).status_int for project in (RED, BLUE)] == [200, 400]


def test_what_a_project_makes_is_its_own(api: Client) -> None:
    new = {"name": "mine", "groups": [{"resources:FPGA": "1"}], "is_public": False}
    assert send(api, BLUE, "POST", "/v2/device_profiles", [new]).json["project_id"] == "blue"
    assert [ask(api, project, "GET", "/v2/device_profiles/mine").status_int for project in (BLUE, RED)] == [200, 404]


def test_a_project_makes_nothing_for_another_and_gives_nothing_away(api: Client) -> None:
    new = {"name": "gift", "groups": [{"resources:FPGA": "1"}], "project_id": "blue"}
    assert send(api, RED, "POST", "/v2/device_profiles", [new]).status_int == 403
    gift = {"version": 3, "project_id": "blue"}
    assert send(api, RED, "PATCH", "/v2/device_profiles/secret", gift).status_int == 403


def test_what_everybody_sees_is_changed_by_its_own_project_only(api: Client) -> None:
    new = {"name": "shared", "groups": [{"resources:FPGA": "1"}]}
    assert send(api, RED, "POST", "/v2/device_profiles", [new]).status_int == 201
    change = {"version": 1, "description": "mine"}
    for name in ("shared", "gold"):
        path = f"/v2/device_profiles/{name}"
        assert ask(api, BLUE, "GET", path).status_int == 200
        assert send(api, BLUE, "PATCH", path, change).status_int == 404
        assert ask(api, BLUE, "DELETE", path).status_int == 404
    assert send(api, RED, "PATCH", "/v2/device_profiles/shared", change).status_int == 200
    assert ask(api, RED, "DELETE", "/v2/device_profiles/shared").status_int == 204


def test_a_name_is_taken_whoever_has_it(api: Client) -> None:
    new = {"name": "secret", "groups": [{"resources:FPGA": "1"}]}
    answer = send(api, BLUE, "POST", "/v2/device_profiles", [new])
    assert answer.status_int == 409
    assert "red" not in answer.text


@pytest.mark.parametrize(
    ("roles", "project", "user", "scope"),
    [
        (["reader"], RED, "mia", Scope(project_id=RED)),
        (["admin", "reader"], RED, "ada", Scope(project_id=RED, sees_all=True)),
        (["reader"], None, "mia", Scope()),
        (["admin"], identity.LOCAL_PROJECT, None, Scope(sees_all=True)),
        (["reader"], identity.LOCAL_PROJECT, "mia", Scope(project_id=identity.LOCAL_PROJECT)),
    ],
)
def test_only_an_administrator_sees_what_is_others(
    roles: list[str], project: str | None, user: str | None, scope: Scope
) -> None:
    assert identity.scope_of(RequestContext(roles=roles, project_id=project, user_id=user)) == scope
