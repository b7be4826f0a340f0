"""What becomes of accelerator requests while no conductor answers the API."""

from pathlib import Path
from typing import Any

import pytest
from support.api import NEWEST, Client
from support.claimable import NODE, add_claimable, instance, provider
from support.claims import claims_over
from support.populated import uuid
from support.steps import FileStep

from accel import conf
from accel.api.app import make_app
from accel.conductor.claims import Task
from accel.db.engine import Database
from accel.errors import AccelError, ConductorUnavailable
from accel.model.request import RequestChanges

PATH = "/v2/accelerator_requests"


class Away:
    """What the API has of conductors that are all away."""

    def change_requests(self, wanted: RequestChanges) -> None:
        raise ConductorUnavailable(f"nobody answers: {len(wanted.changes)}")

    def take_up_work(self) -> None:
        raise ConductorUnavailable("nobody answers")


class Stubborn:
    """A step that is never done and never undone."""

    def do(self, task: Task) -> None:
        raise AccelError(f"{task.node} is away")

    def undo(self, task: Task) -> None:
        self.do(task)


@pytest.fixture
def api(database: Database) -> Client:
    add_claimable(database)
    return Client(make_app(database, conf.load([], prog="accel-api", default_config_files=[]), Away()))


def bind(number: int) -> dict[str, Any]:
    values = {"hostname": NODE, "device_rp_uuid": provider(1), "instance_uuid": instance(11)}
    return {uuid(8, number): [{"path": f"/{name}", "op": "add", "value": value} for name, value in values.items()]}


def test_nothing_is_bound_and_the_client_is_told_when_to_try_again(api: Client) -> None:
    answer = api.send("PATCH", PATH, bind(1), **NEWEST)

    assert answer.status_int == 503
    assert answer.json["code"] == "accel.conductor_unavailable"
    assert int(answer.headers["Retry-After"]) > 0
    assert api.get(f"{PATH}/{uuid(8, 1)}")["state"] == "Initial"


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
