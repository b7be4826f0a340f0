"""Whose device profiles a caller sees. Who the caller is, a layer in front of the application says."""

from typing import Any

import pytest
import webob
from support.api import NEWEST, Client, client
from support.populated import populate, uuid

from accel.api import environment
from accel.db.engine import Database
from accel.db.scope import Scope

RED, BLUE, NOBODY = Scope(project_id="red"), Scope(project_id="blue"), Scope()


@pytest.fixture
def api(database: Database) -> Client:
    populate(database)
    return client(database)


def ask(api: Client, scope: Scope, method: str, path: str) -> webob.Response:
    return api.request(method, path, headers=NEWEST, environ={environment.SCOPE: scope})


def send(api: Client, scope: Scope, method: str, path: str, body: Any) -> webob.Response:
    content = {"Content-Type": "application/json", **NEWEST}
    request = webob.Request.blank(path, method=method, headers=content, environ={environment.SCOPE: scope})
    request.json = body
    return request.get_response(api.application)


@pytest.mark.parametrize(("scope", "names"), [(RED, ["gold", "secret"]), (BLUE, ["gold"]), (NOBODY, ["gold"])])
def test_a_project_sees_what_is_public_and_what_is_its_own(scope: Scope, names: list[str], api: Client) -> None:
    answer = ask(api, scope, "GET", "/v2/device_profiles").json
    assert [profile["name"] for profile in answer["device_profiles"]] == names


@pytest.mark.parametrize("key", ["secret", uuid(7, 2)])
def test_what_another_project_has_is_not_there(key: str, api: Client) -> None:
    path = f"/v2/device_profiles/{key}"
    change = {"version": 3, "description": "mine"}
    assert [ask(api, scope, "GET", path).status_int for scope in (RED, BLUE)] == [200, 404]
    assert send(api, BLUE, "PATCH", path, change).status_int == 404
    assert ask(api, BLUE, "DELETE", path).status_int == 404
    assert ask(api, BLUE, "DELETE", f"/v2/device_profiles?value=gold,{key}").status_int == 404
    assert [ask(api, RED, "GET", f"/v2/device_profiles/{name}").status_int for name in ("gold", key)] == [200, 200]


def test_what_another_project_has_is_no_place_in_a_list(api: Client) -> None:
    path = f"/v2/device_profiles?marker={uuid(7, 2)}"
    assert [ask(api, scope, "GET", path).status_int for scope in (RED, BLUE)] == [200, 400]


def test_what_a_project_makes_is_its_own(api: Client) -> None:
    new = {"name": "mine", "groups": [{"resources:FPGA": "1"}], "is_public": False}
    assert send(api, BLUE, "POST", "/v2/device_profiles", [new]).json["project_id"] == "blue"
    assert [ask(api, scope, "GET", "/v2/device_profiles/mine").status_int for scope in (BLUE, RED)] == [200, 404]


def test_a_project_makes_nothing_for_another_and_gives_nothing_away(api: Client) -> None:
    new = {"name": "gift", "groups": [{"resources:FPGA": "1"}], "project_id": "blue"}
    assert send(api, RED, "POST", "/v2/device_profiles", [new]).status_int == 403
    gift = {"version": 3, "project_id": "blue"}
    assert send(api, RED, "PATCH", "/v2/device_profiles/secret", gift).status_int == 403


def test_a_name_is_taken_whoever_has_it(api: Client) -> None:
    new = {"name": "secret", "groups": [{"resources:FPGA": "1"}]}
    answer = send(api, BLUE, "POST", "/v2/device_profiles", [new])
    assert answer.status_int == 409
    assert "red" not in answer.text


def test_nobody_sees_more_than_what_is_public_unless_somebody_says_so() -> None:
    assert environment.scope({}) == Scope()
