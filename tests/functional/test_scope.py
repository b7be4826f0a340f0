"""Every route about things of projects, with every kind of token and things of every project: a table of data."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

import pytest
import webob
import yaml
from support.api import NEWEST, Client, client
from support.databases import migrated
from support.inventory import Inventory
from support.stand_in_keystone import PERSONAS, asking_keystone

from accel.api.routes import ROUTES

TABLE = yaml.safe_load((Path(__file__).parent.parent / "data" / "scope.yaml").read_text())
COLUMNS = TABLE.pop("personas").split()
ABOUT = ("arq:", "claim:", "placement:", "device_profile:", "event:", "quota:", "job:")
"""How the rules begin that are about things of projects."""

_FREE_HANDLES = 60
"""There must be one for each claim that succeeds."""
GROUPS = [{"resources:FPGA": "1"}]


class Row(NamedTuple):
    """A request, whose thing it is about, and what becomes of it for each persona."""

    method: str
    path: str
    whose: str
    cells: tuple[str, ...]

    @property
    def route(self) -> tuple[str, str]:
        template = re.sub(r"\{(request|claim|job)\}", "{uuid}", self.path.partition("?")[0]).replace(
            "{project}", "{project_id}"
        )
        return self.method.removesuffix("+"), template


def _rows() -> Iterator[Row]:
    for text in TABLE.values():
        for line in text.splitlines():
            if line and not line.startswith("#"):
                method, path, whose, *cells = line.split()
                yield Row(method, path, whose, tuple(cells))


ROWS = list(_rows())


class Things:
    """Makes things of projects; each has a name that no other has."""

    def __init__(self, inventory: Inventory, api: Client) -> None:
        self._inventory = inventory
        self._api = api
        self._node = inventory.node()
        device = inventory.device(self._node)
        self._part = inventory.deployable(device, num_accelerators=10_000)  # each handle is one of its own
        inventory.attribute(self._part, "rc", "FPGA")
        for _ in range(_FREE_HANDLES):
            inventory.handle(self._part)
        self._public = inventory.profile("public")
        self._quotas: set[str] = set()

    def make(self, row: Row) -> dict[str, str]:
        """The thing that a request is about, by what it is called in the table."""
        whose, _, which = row.whose.partition(":")
        project = None if whose == "nobody" else whose
        name = f"thing-{uuid4().hex}"
        if "claim:" in _rule(row) and row.route != ("POST", "/v2/placements/claims"):
            return self._claim(project)
        if "job:" in _rule(row):
            state = "failed" if which == "failed" else "queued"
            device = self._inventory.device(self._node, identity=name)
            return {"job": self._inventory.job(device, project_id=project, state=state)["uuid"]}
        if "arq" in _rule(row) and row.method != "POST":
            return self._request(project, is_bound=which == "bound")
        if "event" in _rule(row):
            self._inventory.event(subject=name, project_id=project)
        elif "quota" in _rule(row):
            if whose not in self._quotas:
                self._inventory.quota(whose)
                self._quotas.add(whose)
        elif row.route != ("POST", "/v2/device_profiles"):
            self._profile(name, project, is_public=project is None or which == "public")
        return {"profile": name, "event": name, "project": whose}

    def _request(self, project: str | None, *, is_bound: bool) -> dict[str, str]:
        instance = str(uuid4())
        values = {"state": "Bound", "instance_uuid": instance} if is_bound else {}
        request = self._inventory.request(self._public, project_id=project, **values)
        if is_bound:
            handle = self._inventory.handle(self._part)
            self._inventory.holder(handle, request_id=request["id"], project_id=project)
        return {"request": request["uuid"], "instance": instance}

    def _claim(self, project: str | None) -> dict[str, str]:
        claim = self._inventory.claim(project_id=project, lease_seconds=60)
        values = {"state": "Bound", "claim_id": claim["id"]}
        request = self._inventory.request(self._public, project_id=project, **values)
        handle = self._inventory.handle(self._part)
        self._inventory.holder(handle, kind="reservation", request_id=request["id"], project_id=project)
        return {"claim": claim["uuid"]}

    def _profile(self, name: str, project: str | None, *, is_public: bool) -> None:
        new = {"name": name, "groups": GROUPS, "project_id": project, "is_public": is_public}
        headers = NEWEST | {"X-Auth-Token": "<admin>"}
        assert self._api.send("POST", "/v2/device_profiles", [new], **headers).status_int == 201


def _rule(row: Row) -> str:
    rules = {(route.method, route.path): route.policy for route in ROUTES}
    return rules[row.route] or ""


def _body(row: Row, thing: dict[str, str]) -> Any:
    """What is sent about a thing."""
    project = None if row.whose == "nobody" else row.whose
    bodies = {
        ("arq:", "POST"): lambda: {"device_profile_name": thing["profile"]},
        ("claim:", "POST"): lambda: (
            {"device_profile_name": thing["profile"]} if "profile" in thing else {"lease_seconds": 60}
        ),
        ("placement:", "POST"): lambda: {"device_profile_name": thing["profile"]},
        ("arq:", "PATCH"): lambda: {thing["request"]: [{"path": "/hostname", "op": "remove"}]},
        ("device_profile:", "POST"): lambda: [
            {"name": thing["profile"], "groups": GROUPS, "project_id": project, "is_public": project is None},
        ],
        ("device_profile:", "PATCH"): lambda: {"version": 1, "description": "changed"},
        ("device_profile:", "PUT"): lambda: {"version": 1, "name": thing["profile"], "groups": GROUPS},
        ("quota:", "PUT"): lambda: {"quotas": {"PGPU": 5}},
    }
    about = next(about for about in ABOUT if _rule(row).startswith(about))
    key = (about, row.method.removesuffix("+"))
    return bodies[key]() if key in bodies else None


class World(NamedTuple):
    """An application and what makes things for it."""

    api: Client
    things: Things

    def ask(self, row: Row, persona: str) -> webob.Response:
        thing = self.things.make(row)
        headers = NEWEST | {"X-Auth-Token": f"<{persona}>"}
        if row.method.endswith("+"):
            headers |= {"X-Service-Token": "<nova>"}
        method, path = row.method.removesuffix("+"), row.path.format(**thing)
        body = _body(row, thing)
        if body is None:
            return self.api.request(method, path, headers=headers)
        return self.api.send(method, path, body, **headers)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    directory = tmp_path_factory.mktemp("scope")
    with migrated("sqlite", directory) as database, asking_keystone(directory) as config:
        api = client(database, "--config-file", str(config))
        yield World(api, Things(Inventory(database, gap=1000), api))


def test_the_table_has_every_such_route_for_the_own_and_a_foreign_project_and_every_persona() -> None:
    wanted = {(route.method, route.path) for route in ROUTES if (route.policy or "").startswith(ABOUT)}

    assert set(COLUMNS) == set(PERSONAS)
    for whose in ("own", "foreign"):
        assert {row.route for row in ROWS if row.whose.partition(":")[0] == whose} == wanted


@pytest.mark.parametrize("row", [pytest.param(row, id=f"{row.method} {row.path} {row.whose}") for row in ROWS])
def test_what_becomes_of_a_request_is_as_the_table_says(row: Row, world: World) -> None:
    found = [_cell(row, world.ask(row, persona)) for persona in COLUMNS]

    assert dict(zip(COLUMNS, found, strict=True)) == dict(zip(COLUMNS, row.cells, strict=True))


def _cell(row: Row, answer: webob.Response) -> str:
    if answer.status_int == 200 and re.search(r"\?.*{", row.path):
        return "in" if len(next(iter(answer.json.values()))) == 1 else "out"
    return str(answer.status_int)
