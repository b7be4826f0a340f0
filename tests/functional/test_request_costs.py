"""Calls about accelerator requests cost the same number of statements, however many they are about and there are."""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import webob
from support.api import NEWEST, Client, client
from support.databases import counted_statements, migrated
from support.live_requests import add_live
from support.site import Site

from accel.db.engine import Database

REQUESTS = "/v2/accelerator_requests"
AT_MOST = {
    "make": 3,
    "list": 1,
    "list of an instance": 1,
    "list of a resolved instance": 2,
    "show": 1,
    "bind": 7,
    "unbind": 5,
    "delete": 3,
    "delete by instance": 5,
}
"""Statements of each call, where there are no quotas and no Nova."""


def costs(site: Site, api: Client, amount: int) -> dict[str, int]:
    """What each call costs, about so many requests that are made at once."""
    found: dict[str, int] = {}
    profile, vm = f"asks-for-{amount}", str(uuid4())
    api.send("POST", "/v2/device_profiles", [{"name": profile, "groups": [{"resources:PGPU": str(amount)}]}])

    def ask(name: str, call: Callable[[], webob.Response]) -> webob.Response:
        with counted_statements(site.database) as statements:
            answer = call()
        assert answer.status_int < 300, answer.text
        found[name] = len(statements)
        return answer

    def make() -> webob.Response:
        return api.send("POST", REQUESTS, {"device_profile_name": profile})

    def get(path: str) -> webob.Response:
        return api.request("GET", f"{REQUESTS}{path}", headers=NEWEST)

    made = [thing["uuid"] for thing in ask("make", make).json["arqs"]]
    target = site.target(instance_uuid=vm)
    binds = {uuid: [_add(name, getattr(target, name)) for name in _PATHS] for uuid in made}
    unbinds = {uuid: [{"path": "/hostname", "op": "remove"}] for uuid in made}
    ask("bind", lambda: api.send("PATCH", REQUESTS, binds))
    assert len(ask("list of an instance", lambda: get(f"?instance={vm}")).json["arqs"]) == amount
    ask("list of a resolved instance", lambda: get(f"?instance={vm}&bind_state=resolved"))
    ask("list", lambda: get(""))
    ask("show", lambda: get(f"/{made[-1]}"))
    ask("unbind", lambda: api.send("PATCH", REQUESTS, unbinds))
    ask("delete", lambda: api.request("DELETE", f"{REQUESTS}?arqs={','.join(made)}"))
    again = [thing["uuid"] for thing in make().json["arqs"]]
    api.send("PATCH", REQUESTS, dict(zip(again, binds.values(), strict=True)))
    ask("delete by instance", lambda: api.request("DELETE", f"{REQUESTS}?instance={vm}"))
    return found


_PATHS = ("hostname", "device_rp_uuid", "instance_uuid")


def _add(name: str, value: str) -> dict[str, Any]:
    return {"path": f"/{name}", "op": "add", "value": value}


def site_of(database: Database) -> Site:
    site = Site(database)
    site.report(site.gpu(handles=16))
    return site


def test_sixteen_requests_cost_what_one_costs(database: Database) -> None:
    site, api = site_of(database), client(database)

    assert costs(site, api, 1) == costs(site, api, 16)


def test_among_five_thousand_live_requests_a_call_costs_what_it_costs_among_ten(tmp_path: Path) -> None:
    found = []
    for amount in (10, 5000):
        with migrated("sqlite", tmp_path) as database:
            add_live(database, amount)
            found.append(costs(site_of(database), client(database), 2))

    assert found[0] == found[1]


def test_no_call_costs_many_statements(database: Database) -> None:
    found = costs(site_of(database), client(database), 2)

    assert found.keys() == AT_MOST.keys()
    assert [name for name, cost in found.items() if cost > AT_MOST[name]] == [], found
