"""Candidates and claims as a client of the API meets them."""

from typing import Any

import pytest
import webob
from support.api import NEWEST, Client, client, fault, post
from support.databases import counted_statements
from support.inventory import Inventory
from support.reports import answer, report
from support.site import Site

from accel.conductor.manager import Limits, Manager
from accel.db.engine import Database

CANDIDATES, CLAIMS = "/v2/placements/candidates", "/v2/placements/claims"
ONE = {"groups": [{"resources": {"PGPU": 1}}]}
NODES, CARDS = 3, 4
ALL = {"groups": [{"resources": {"PGPU": CARDS}}]}


@pytest.fixture
def api(database: Database) -> Client:
    """Three nodes with four GPUs each."""
    Inventory(database).fleet(NODES, CARDS)
    return client(database)


def claim(api: Client, body: Any = ONE, **more: Any) -> Any:
    return post(api, CLAIMS, body | more, 201)


def delete(api: Client, path: str) -> webob.Response:
    return api.request("DELETE", path, headers=NEWEST)


def places(answered: Any) -> list[list[str]]:
    return [candidate["nodes"] for candidate in answered["candidates"]]


# --- candidates ---


def test_candidates_are_places_with_their_handles_the_best_first(api: Client) -> None:
    taken = claim(api, {"groups": [{"resources": {"PGPU": 2}}]})
    answered = post(api, CANDIDATES, {"groups": [{"resources": {"PGPU": 2}}], "order": "pack"})

    assert answered["evaluated_nodes"] == NODES
    assert len(answered["candidates"]) == NODES
    assert places(answered)[0] == taken["nodes"]
    scores = [candidate["score"] for candidate in answered["candidates"]]
    assert scores == sorted(scores, reverse=True)
    handles = {one["attach_handle_uuid"] for one in answered["candidates"][0]["allocations"]}
    assert len(handles) == 2
    assert handles.isdisjoint(one["attach_handle_uuid"] for one in taken["allocations"])


def test_an_order_is_a_name_or_weights(api: Client) -> None:
    taken = claim(api)["nodes"]

    assert places(post(api, CANDIDATES, ONE | {"order": {"pack": 1}}))[0] == taken
    assert places(post(api, CANDIDATES, ONE | {"order": "spread"}))[-1] == taken
    assert post(api, CANDIDATES, ONE | {"order": {"pack": 1}})["candidates"][0]["scores"].keys() == {"pack"}


def test_as_many_candidates_as_are_wanted_and_the_same_for_the_same_seed(api: Client) -> None:
    assert len(post(api, CANDIDATES, ONE | {"limit": 2})["candidates"]) == 2
    assert post(api, CANDIDATES, ONE | {"seed": "a"}) == post(api, CANDIDATES, ONE | {"seed": "a"})
    firsts = {places(post(api, CANDIDATES, ONE | {"seed": str(seed)}))[0][0] for seed in range(20)}
    assert len(firsts) == NODES


def test_a_device_profile_asks_the_question(api: Client) -> None:
    groups = [{"resources:PGPU": "2", "accel:where": "memory >= 80GiB, model ~ simulated", "accel:near": "node"}]
    api.send("POST", "/v2/device_profiles", [{"name": "two", "groups": groups}], **NEWEST)

    [first, *_] = post(api, CANDIDATES, {"device_profile_name": "two"})["candidates"]
    assert len(first["allocations"]) == 2


def test_where_nothing_fits_no_candidate_and_why(api: Client) -> None:
    answered = post(api, CANDIDATES, {"groups": [{"resources": {"PGPU": CARDS + 1}}]})

    assert answered["candidates"] == []
    assert answered["explanation"]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({}, "either device_profile_name or groups"),
        (ONE | {"device_profile_name": "x"}, "either device_profile_name or groups"),
        ({"device_profile_name": "x", "together": [{"groups": [0], "near": "numa"}]}, "together is about groups"),
        ({"groups": [{"resources": {"NOSUCH": 1}}]}, "groups[0].resources: 'NOSUCH' is not a resource class"),
        ({"groups": [{"resources": {"PGPU": 1}, "count": 1}]}, "groups[0].count"),
        ({"groups": [{"count": 1, "where": ["memory"]}]}, "groups[0].where[0]: 'memory' is not a comparison"),
        ({"groups": [{"count": 1024}], "nodes": 2}, "2048 accelerators"),
        (ONE | {"together": [{"groups": [1], "near": "numa"}]}, "together[0].groups"),
        (ONE | {"order": {"beauty": 1}}, "order: 'beauty' is not one of"),
        (ONE | {"order": {"pack": 0}}, "one weight above 0"),
        (ONE | {"order": "beauty"}, "order: 'beauty' is not one of ['default', "),
        (
            {"groups": [{"near": "me"}]},
            "groups[0].near: 'me' is not one of ['node', 'numa', 'switch', 'linked', 'device']",
        ),
        (ONE | {"limit": 0}, "limit"),
        (ONE | {"nosuch": 1}, "nosuch"),
    ],
    ids=str,
)
def test_a_mistaken_question_is_refused_with_what_is_wrong(body: Any, said: str, api: Client) -> None:
    assert said in fault(api.send("POST", CANDIDATES, body, **NEWEST))
    assert api.send("POST", CANDIDATES, body, **NEWEST).status_int == 400


def test_an_unknown_profile_is_not_there(api: Client) -> None:
    post(api, CANDIDATES, {"device_profile_name": "nosuch"}, 404)
    post(api, CLAIMS, {"device_profile_name": "nosuch"}, 404)


def test_before_2_4_there_is_no_placement(api: Client) -> None:
    assert api.send("POST", CANDIDATES, ONE).status_int == 404


def test_numbers_may_be_written_with_a_fraction_of_nothing(api: Client) -> None:
    made = claim(api, {"groups": [{"resources": {"PGPU": 2.0}}], "nodes": 1.0}, lease_seconds=60.0)

    assert (len(made["allocations"]), made["lease_seconds"]) == (2, 60)


# --- claims ---


def test_a_claim_is_made_listed_shown_and_released(api: Client) -> None:
    made = claim(api, ALL, consumer="training", lease_seconds=60)

    assert (made["state"], len(made["allocations"]), len(made["nodes"])) == ("ready", CARDS, 1)
    path = f"{CLAIMS}/{made['uuid']}"
    assert api.get(path) == made
    assert api.get(CLAIMS) == {"claims": [made]}
    assert delete(api, path).status_int == 204
    assert api.get(CLAIMS) == {"claims": []}
    assert delete(api, path).status_int == 404
    assert api.request("GET", path, headers=NEWEST).status_int == 404


@pytest.mark.parametrize(
    ("query", "is_found"),
    [
        ("consumer=training", True),
        ("consumer=other", False),
        ("idempotency_key=k", True),
        ("node={node}", True),
        ("node=elsewhere", False),
        ("ref={start}", True),
        ("ref=training", True),
        ("project_id=local", True),
        ("project_id=other", False),
    ],
)
def test_claims_are_found_by_what_they_are_for_and_where_they_are(query: str, is_found: bool, api: Client) -> None:  # noqa: FBT001 (a cell of the table above)
    made = claim(api, consumer="training", idempotency_key="k")
    claim(api, consumer="something else") if "node" not in query and "project" not in query else None
    wanted = query.format(node=made["nodes"][0], start=made["uuid"][:8])

    assert [found["uuid"] for found in api.get(f"{CLAIMS}?{wanted}")["claims"]] == ([made["uuid"]] if is_found else [])


def test_claims_are_listed_in_pages(api: Client) -> None:
    made = [claim(api)["uuid"] for _ in range(3)]
    page = api.get(f"{CLAIMS}?limit=2")

    assert [found["uuid"] for found in page["claims"]] == made[:2]
    rest = api.get(page["claims_links"][0]["href"].removeprefix("http://localhost"))
    assert [found["uuid"] for found in rest["claims"]] == made[2:]


def test_where_nothing_fits_nothing_is_claimed_and_the_answer_says_so(api: Client) -> None:
    for _ in range(NODES - 1):
        claim(api, ALL)
    refused = post(api, CLAIMS, ALL | {"nodes": 2}, 409)

    assert (refused["code"], bool(refused["detail"])) == ("accel.no_placement", True)
    assert len(api.get(CLAIMS)["claims"]) == NODES - 1
    assert claim(api, ALL)


def test_what_is_released_can_be_claimed_at_once(api: Client) -> None:
    made = [claim(api, ALL) for _ in range(NODES)]
    delete(api, f"{CLAIMS}/{made[1]['uuid']}")

    assert claim(api, ALL)["nodes"] == made[1]["nodes"]


def test_a_gang_is_on_so_many_nodes_and_released_from_all(api: Client) -> None:
    made = claim(api, ALL, nodes=NODES)

    assert len(made["nodes"]) == NODES
    post(api, CLAIMS, ONE, 409)
    delete(api, f"{CLAIMS}/{made['uuid']}")
    assert len(post(api, CANDIDATES, ALL)["candidates"]) == NODES


def test_the_same_key_and_request_is_the_same_claim_also_when_all_is_taken(api: Client) -> None:
    body = ALL | {"nodes": NODES, "idempotency_key": "k"}
    made = claim(api, body)

    assert post(api, CLAIMS, body, 200) == made
    assert "has been used for claim" in fault(api.send("POST", CLAIMS, ONE | {"idempotency_key": "k"}, **NEWEST))
    delete(api, f"{CLAIMS}/{made['uuid']}")
    assert claim(api, ONE, idempotency_key="k")


def test_a_lease_is_renewed_for_as_long_as_before_or_as_is_said(api: Client) -> None:
    made = claim(api, lease_seconds=60)
    path = f"{CLAIMS}/{made['uuid']}/renew"

    again, longer = post(api, path, {}), post(api, path, {"lease_seconds": 3600})
    assert made["expires_at"] <= again["expires_at"] < longer["expires_at"]
    assert (again["lease_seconds"], longer["lease_seconds"]) == (60, 3600)
    forever = claim(api)
    assert forever["expires_at"] is None
    assert "has no lease" in post(api, f"{CLAIMS}/{forever['uuid']}/renew", {}, 400)["detail"]


def test_the_requests_of_a_claim_are_requests_and_cannot_go_alone(api: Client) -> None:
    made = claim(api, ALL)
    uuids = {one["accelerator_request"] for one in made["allocations"]}

    listed = api.get(f"/v2/accelerator_requests?claim={made['uuid']}")["arqs"]
    assert {row["uuid"] for row in listed} == uuids
    assert {(row["state"], row["claim_uuid"]) for row in listed} == {("Bound", made["uuid"])}
    refused = delete(api, f"/v2/accelerator_requests/{min(uuids)}")
    assert (refused.status_int, "release the claim" in fault(refused)) == (409, True)
    assert api.get(f"{CLAIMS}/{made['uuid']}") == made


def test_who_has_what_names_the_consumer_or_the_claim(api: Client) -> None:
    named, unnamed = claim(api, consumer="training"), claim(api)
    held = api.get("/v2/attach_handles?is_held=true")["attach_handles"]

    holders = [handle["holder"] for handle in held]
    assert {(holder["kind"], holder["name"]) for holder in holders} == {
        ("reservation", "training"),
        ("reservation", unnamed["uuid"]),
    }
    assert named["uuid"] != unnamed["uuid"]


def test_a_profile_that_a_claim_was_made_under_stays(api: Client) -> None:
    api.send("POST", "/v2/device_profiles", [{"name": "one", "groups": [{"resources:PGPU": "1"}]}], **NEWEST)
    made = claim(api, {"device_profile_name": "one"})

    assert delete(api, "/v2/device_profiles/one").status_int == 409
    delete(api, f"{CLAIMS}/{made['uuid']}")
    assert delete(api, "/v2/device_profiles/one").status_int == 204


def test_a_claim_counts_for_the_quota(api: Client) -> None:
    api.send("PUT", "/v2/quotas/local", {"quotas": {"PGPU": 2}}, **NEWEST)
    claim(api)

    refused = post(api, CLAIMS, {"groups": [{"resources": {"PGPU": 2}}]}, 409)
    assert (refused["code"], "1 held and 2 more wanted" in refused["detail"]) == ("accel.conflict", True)
    assert claim(api)


# --- the index ---


def test_what_changes_in_the_fleet_changes_the_next_answer(database: Database) -> None:
    site, api = Site(database), client(database)
    assert post(api, CANDIDATES, ONE)["evaluated_nodes"] == 0
    site.report(site.gpu())
    assert places(post(api, CANDIDATES, ONE)) == [[site.node]]
    path = f"/v2/devices/{site.device()}"
    api.request("POST", f"{path}/disable", headers=NEWEST)
    assert places(post(api, CANDIDATES, ONE)) == []
    api.request("POST", f"{path}/enable", headers=NEWEST)
    assert places(post(api, CANDIDATES, ONE)) == [[site.node]]
    site.report()
    assert places(post(api, CANDIDATES, ONE)) == []
    site.report(site.gpu())
    site.clock.pass_(hours=1)
    Manager(database, site.clock, Limits()).mark_offline_nodes()
    assert places(post(api, CANDIDATES, ONE)) == []


def test_two_processes_of_the_api_see_what_the_other_does(database: Database, api: Client) -> None:
    other = client(database)
    assert len(post(other, CANDIDATES, ALL)["candidates"]) == NODES
    made = claim(api, ALL)
    assert [made["nodes"]] != places(post(other, CANDIDATES, ALL, 200))
    assert len(post(other, CANDIDATES, ALL)["candidates"]) == NODES - 1
    delete(other, f"{CLAIMS}/{made['uuid']}")
    assert len(post(api, CANDIDATES, ALL)["candidates"]) == NODES


def test_a_claim_that_is_refused_leaves_the_fleet_as_it_was(api: Client) -> None:
    api.send("PUT", "/v2/quotas/local", {"quotas": {"PGPU": 0}}, **NEWEST)
    for _ in range(NODES * CARDS + 1):
        assert post(api, CLAIMS, ALL, 409)["code"] == "accel.conflict"

    assert len(post(api, CANDIDATES, ALL)["candidates"]) == NODES


def test_a_fleet_of_another_database_is_noticed(database: Database, api: Client) -> None:
    site = Site(database)
    site.report(site.gpu())
    assert len(post(api, CANDIDATES, ONE)["candidates"]) == NODES + 1
    with database.writer() as connection:
        connection.exec_driver_sql("DELETE FROM events")
    Manager(database, site.clock, Limits()).report(report(answer(), name="new"))
    assert post(api, CANDIDATES, ONE)["evaluated_nodes"] == NODES + 2


@pytest.mark.parametrize("amount", [1, 8, 64])
def test_questions_and_claims_cost_the_same_number_of_statements(amount: int, database: Database) -> None:
    Inventory(database).fleet(4, 64)
    api = client(database)
    body = {"groups": [{"resources": {"PGPU": amount}}]}
    post(api, CANDIDATES, body)

    costs = []
    for path, status in ((CANDIDATES, 200), (CLAIMS, 201)):
        with counted_statements(database) as statements:
            made = post(api, path, body | ({"lease_seconds": 60} if path == CLAIMS else {}), status)
        costs.append(len(statements))
    with counted_statements(database) as statements:
        post(api, CANDIDATES, body)
    costs.append(len(statements))
    with counted_statements(database) as statements:
        assert delete(api, f"{CLAIMS}/{made['uuid']}").status_int == 204
    costs.append(len(statements))
    assert costs == [1, 7, 2, 10]
