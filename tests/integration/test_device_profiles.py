"""Device profiles under concurrency, on every database."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from support.api import NEWEST, Client, client
from support.databases import counted_statements

from accel.db.engine import Database

GROUPS = [{"trait:CUSTOM_B": "required", "resources:FPGA": "1", "trait:CUSTOM_A": "required"}]
THREADS = 6


@pytest.fixture
def api(any_database: Database) -> Client:
    return client(any_database)


def make(api: Client, name: str, **more: object) -> int:
    return api.send("POST", "/v2/device_profiles", [{"name": name, "groups": GROUPS, **more}], **NEWEST).status_int


def at_once(act: Callable[[int], int]) -> list[int]:
    """What several threads that begin together are answered, in order of the answers' size."""
    ready = Barrier(THREADS)

    def run(number: int) -> int:
        ready.wait()
        return act(number)

    with ThreadPoolExecutor(THREADS) as threads:
        return sorted(threads.map(run, range(THREADS)))


def events(api: Client, kind: str) -> list[object]:
    found: list[object] = api.get(f"/v2/events?kind={kind}")["events"]
    return found


def test_of_concurrent_changes_of_one_version_exactly_one_wins(api: Client) -> None:
    make(api, "gold")

    def change(number: int) -> int:
        body = {"version": 1, "description": str(number)}
        return api.send("PATCH", "/v2/device_profiles/gold", body, **NEWEST).status_int

    assert at_once(change) == [200, *[409] * (THREADS - 1)]
    assert api.get("/v2/device_profiles/gold")["device_profile"]["version"] == 2
    assert len(events(api, "profile.changed")) == 1


def test_of_concurrent_profiles_of_one_name_exactly_one_is_made(api: Client) -> None:
    assert at_once(lambda _: make(api, "gold")) == [201, *[409] * (THREADS - 1)]
    assert len(events(api, "profile.created")) == 1


def test_of_concurrent_profiles_of_one_uuid_exactly_one_is_made(api: Client) -> None:
    uuid = "12345678-1234-4234-8234-123456789abc"
    answers = at_once(lambda number: make(api, f"gold-{number}", uuid=uuid))
    assert answers == [201, *[409] * (THREADS - 1)]


def test_of_concurrent_deletions_exactly_one_deletes(api: Client) -> None:
    make(api, "gold")
    answers = at_once(lambda _: api.request("DELETE", "/v2/device_profiles/gold").status_int)
    assert answers == [204, *[404] * (THREADS - 1)]
    assert len(events(api, "profile.deleted")) == 1


def test_the_keys_of_a_group_keep_their_order(api: Client) -> None:
    make(api, "gold")
    (found,) = api.get("/v2/device_profiles?name=gold")["device_profiles"]
    assert [list(group) for group in found["groups"]] == [list(group) for group in GROUPS]


@pytest.mark.parametrize("count", [1, 40])
def test_deleting_costs_the_same_however_many_are_named(count: int, api: Client, any_database: Database) -> None:
    names = [f"profile-{number}" for number in range(count)]
    for name in names:
        make(api, name)
    with counted_statements(any_database) as statements:
        assert api.request("DELETE", f"/v2/device_profiles?value={','.join(names)}").status_int == 204
    assert len(statements) == 4


def test_a_change_and_a_creation_cost_few_statements(api: Client, any_database: Database) -> None:
    with counted_statements(any_database) as statements:
        make(api, "gold")
    created, _ = len(statements), statements.clear()
    with counted_statements(any_database) as statements:
        api.send("PATCH", "/v2/device_profiles/gold", {"version": 1, "name": "silver"}, **NEWEST)
    assert (created, len(statements)) == (5, 5)
