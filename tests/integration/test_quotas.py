"""What projects may hold and what they hold, on every database."""

from collections.abc import Callable
from typing import Any

import pytest
from support.api import NEWEST, Client, client
from support.databases import counted_statements
from support.races import at_once, outcome
from support.site import Site

from accel.db.engine import Database
from accel.errors import Conflict

THREADS = 4


@pytest.fixture
def site(shared_database: Database) -> Site:
    return Site(shared_database)


@pytest.fixture
def api(shared_database: Database) -> Client:
    return client(shared_database)


def put(api: Client, project: str, limits: dict[str, int]) -> int:
    return api.send("PUT", f"/v2/quotas/{project}", {"quotas": limits}, **NEWEST).status_int


def quotas(api: Client, project: str) -> list[tuple[str, int, int]]:
    found: list[dict[str, Any]] = api.get(f"/v2/quotas/{project}")["quota"]["quotas"]
    return [(quota["resource_class"], quota["limit"], quota["used"]) for quota in found]


def events(api: Client, project: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = api.get(f"/v2/events?kind=quota.changed&project_id={project}")["events"]
    return found


def test_what_is_used_is_what_requests_hold_with_a_limit_or_without(site: Site, api: Client) -> None:
    site.report(site.gpu(handles=3))
    first, second, _ = site.make(3)
    site.conductor().change_requests(site.binds([first, second]))

    assert quotas(api, site.project) == [("PGPU", -1, 2)]
    put(api, site.project, {"PGPU": 5, "FPGA": 1})
    assert quotas(api, site.project) == [("FPGA", 1, 0), ("PGPU", 5, 2)]

    site.conductor().change_requests(site.unbinds([first]))
    assert quotas(api, site.project) == [("FPGA", 1, 0), ("PGPU", 5, 1)]
    assert {"project_id": site.project} | api.get(f"/v2/quotas?project_id={site.project}")["quotas"][0] == {
        "project_id": site.project,
        "quotas": api.get(f"/v2/quotas/{site.project}")["quota"]["quotas"],
    }


def test_a_limit_below_what_is_held_takes_nothing_away_and_lets_nothing_more_be_taken(site: Site, api: Client) -> None:
    site.report(site.gpu(handles=3))
    first, second, third = site.make(3)
    site.conductor().change_requests(site.binds([first, second]))

    put(api, site.project, {"PGPU": 1})

    assert quotas(api, site.project) == [("PGPU", 1, 2)]
    refused = outcome(lambda: site.conductor().change_requests(site.binds([third], instance="other")), Conflict)
    assert "1 of PGPU, 2 held and 1 more wanted" in str(refused)
    put(api, site.project, {"PGPU": -1})
    site.conductor().change_requests(site.binds([third], instance="other"))
    assert quotas(api, site.project) == [("PGPU", -1, 3)]


@pytest.mark.parametrize("before", [{}, {"PGPU": 7}], ids=["none before", "one before"])
def test_of_concurrent_changes_one_is_the_last_and_history_tells_all(
    before: dict[str, int], site: Site, api: Client
) -> None:
    if before:
        put(api, site.project, before)

    def change(limit: int) -> Callable[[], int]:
        return lambda: put(api, site.project, {"PGPU": limit})

    assert at_once([change(limit) for limit in range(THREADS)]) == [200] * THREADS

    told = events(api, site.project)
    assert [event["before"] for event in told[1:]] == [event["after"] for event in told[:-1]]
    assert quotas(api, site.project) == [("PGPU", told[-1]["after"]["PGPU"], 0)]


@pytest.mark.parametrize("count", [1, 40])
def test_a_change_costs_the_same_however_many_classes_it_is_about(count: int, site: Site, api: Client) -> None:
    names = [f"CUSTOM_{number}" for number in range(count)]
    gone = {f"{name}_GONE": 1 for name in names}
    put(api, site.project, dict.fromkeys(names, 1) | gone)

    new = {f"{name}_NEW": 1 for name in names}
    with counted_statements(site.database) as statements:
        assert put(api, site.project, dict.fromkeys(names, 2) | new | dict.fromkeys(gone, -1)) == 200

    assert len(statements) == 7
    assert quotas(api, site.project) == sorted([*((name, 2, 0) for name in names), *((name, 1, 0) for name in new)])


def test_pages_of_projects_do_not_grow_dearer(site: Site, api: Client) -> None:
    for number in range(12):
        put(api, f"{site.project}-{number:02}", {"PGPU": 1, "FPGA": 1})

    with counted_statements(site.database) as statements:
        page = api.get(f"/v2/quotas?limit=10&marker={site.project}")

    assert len(statements) == 3
    assert [row["project_id"] for row in page["quotas"]] == [f"{site.project}-{number:02}" for number in range(10)]
    assert all(len(row["quotas"]) == 2 for row in page["quotas"])
    assert page["quotas_links"][0]["href"].endswith(f"&marker={site.project}-09")
