"""What becomes of accelerator requests while no conductor answers the API."""

from pathlib import Path
from typing import Any

import pytest
from support.api import NEWEST, Client
from support.claimable import NODE, add_claimable, instance, provider
from support.claims import claims_over, terms
from support.populated import uuid
from support.steps import FileStep

from accel import conf
from accel.api.app import make_app
from accel.conductor.claims import Task
from accel.db import notifications
from accel.db.engine import Database
from accel.db.transitions import Terms
from accel.errors import AccelError, ConductorUnavailable

PATH = "/v2/accelerator_requests"


class Away:
    """What the API has of conductors that are all away."""

    def take_up_work(self) -> None:
        raise ConductorUnavailable("nobody answers")


class Stubborn:
    """A step that is never done and never undone."""

    def do(self, task: Task) -> None:
        raise AccelError(f"{task.node} is away")

    def undo(self, task: Task) -> None:
        self.do(task)


def api_over(database: Database, terms: Terms | None = None) -> Client:
    """The API with nobody behind it.

    :param terms: how it claims, by default as a configuration that says nothing
    """
    add_claimable(database)
    configuration = conf.load([], prog="accel-api", default_config_files=[])
    return Client(make_app(database, configuration, Away(), terms=terms))


@pytest.fixture
def api(database: Database) -> Client:
    return api_over(database)


def bind(number: int, **changed: str) -> dict[str, Any]:
    values = {"hostname": NODE, "device_rp_uuid": provider(1), "instance_uuid": instance(11)} | changed
    return {uuid(8, number): [{"path": f"/{name}", "op": "add", "value": value} for name, value in values.items()]}


def unbind(number: int) -> dict[str, Any]:
    return {uuid(8, number): [{"path": "/hostname", "op": "remove"}]}


def test_what_needs_no_work_on_its_node_is_bound_and_unbound(api: Client) -> None:
    answer = api.send("PATCH", PATH, bind(1), **NEWEST)

    assert answer.status_int == 202
    assert api.get(f"{PATH}/{uuid(8, 1)}")["state"] == "Bound"
    assert api.send("PATCH", PATH, unbind(1), **NEWEST).status_int == 202
    assert api.get(f"{PATH}/{uuid(8, 1)}")["state"] == "Unbound"


def test_what_cannot_be_bound_is_refused_with_the_reason(api: Client) -> None:
    answer = api.send("PATCH", PATH, bind(1, device_rp_uuid=provider(3)), **NEWEST)

    assert (answer.status_int, answer.json["code"]) == (409, "accel.conflict")
    assert "row remapping failed" in answer.json["detail"]


def test_what_is_to_be_made_ready_on_its_node_is_bound_when_a_conductor_is_back(
    database: Database, tmp_path: Path
) -> None:
    api = api_over(database, terms(steps=["prepare"], worker=None))

    assert api.send("PATCH", PATH, bind(1), **NEWEST).status_int == 202
    assert api.get(f"{PATH}/{uuid(8, 1)}")["state"] == "BindStarted"

    claims_over(database, steps={"prepare": FileStep(tmp_path)}).take_up_work()
    assert api.get(f"{PATH}/{uuid(8, 1)}")["state"] == "Bound"


def test_what_nobody_has_begun_to_make_ready_can_be_unbound(database: Database, tmp_path: Path) -> None:
    api = api_over(database, terms(steps=["prepare"], worker=None))
    api.send("PATCH", PATH, bind(1), **NEWEST)

    assert api.send("PATCH", PATH, unbind(1), **NEWEST).status_int == 202
    assert api.get(f"{PATH}/{uuid(8, 1)}")["state"] == "UnbindStarted"

    claims_over(database, steps={"prepare": FileStep(tmp_path)}).take_up_work()
    assert api.get(f"{PATH}/{uuid(8, 1)}")["state"] == "Unbound"
    assert [path.name for path in tmp_path.iterdir() if "sqlite" not in path.name] == []


def test_what_nova_is_to_be_told_of_a_bind_waits_for_a_conductor(database: Database) -> None:
    api = api_over(database, terms(tells_nova=True, worker=None))
    api.send("PATCH", PATH, bind(1), **NEWEST)

    with database.reader() as connection:
        assert notifications.count(connection) == 1


def test_the_rest_goes_on(api: Client) -> None:
    answer = api.send("POST", PATH, {"device_profile_name": "one"})
    (made,) = answer.json["arqs"]

    assert answer.status_int == 201
    assert api.get(f"{PATH}?ref={made['uuid']}")["arqs"][0]["state"] == "Initial"
    assert api.request("DELETE", f"{PATH}?arqs={made['uuid']},{uuid(8, 7)}").status_int == 204


def test_what_is_to_be_undone_on_its_node_is_deleted_when_a_conductor_is_back(
    api: Client, database: Database, tmp_path: Path
) -> None:
    being_bound = uuid(8, 6)

    for _ in range(2):
        assert api.request("DELETE", f"{PATH}?instance={instance(2)}").status_int == 204
    body = api.get(f"{PATH}/{being_bound}")
    assert (body["state"], body["attach_handle_uuid"]) == ("Deleting", uuid(4, 6))
    assert api.get(f"{PATH}?instance={instance(2)}&bind_state=resolved")["arqs"] == [body]

    claims_over(database, steps={"prepare": FileStep(tmp_path)}).take_up_work()
    assert api.request("GET", f"{PATH}/{being_bound}").status_int == 404
    assert api.get(f"{PATH}?state=Deleting") == {"arqs": []}
    assert api.get(f"/v2/attach_handles/{uuid(4, 6)}")["is_free"]


def test_what_a_step_cannot_undo_is_kept_and_says_why(api: Client, database: Database) -> None:
    api.request("DELETE", f"{PATH}/{uuid(8, 6)}")

    claims_over(database, steps={"prepare": Stubborn()}).take_up_work()
    body = api.get(f"{PATH}/{uuid(8, 6)}")
    assert (body["state"], body["reason"]) == ("Deleting", f"{NODE} is away")
