"""From the files of a host to what Nova is handed: a board of two functions goes to one workload, whole."""

from datetime import UTC, datetime
from uuid import uuid4

import pytest
from support.api import NEWEST, Client, client
from support.discovery import NODE, discover
from support.host_trees import captured

from accel.conductor.manager import Limits, Manager
from accel.db.engine import Database
from accel.model.report import DriverReport, NodeInfo, NodeReport

GROUP = {"resources:FPGA": "1", "trait:CUSTOM_FPGA_XILINX": "required"}
SERVICE = {"OpenStack-API-Version": "accelerator 2.2"}


@pytest.fixture
def api(database: Database) -> Client:
    """The API over a conductor that was told of the captured host with three Alveo cards, one to be flashed."""
    found = discover(captured("fpga-xilinx-alveo"))
    report = NodeReport(
        node=NodeInfo(name=NODE, agent_version="0.1.0"),
        boot_id="boot",
        sequence=1,
        drivers=tuple(DriverReport(driver=name, devices=devices) for name, devices in found.items()),
    )
    Manager(database, lambda: datetime.now(UTC), Limits()).report(report)
    return client(database)


def boards(api: Client) -> list[dict[str, object]]:
    """The deployables that are offered."""
    parts = api.get("/v2/deployables")["deployables"]
    return sorted((part for part in parts if part["num_accelerators"]), key=lambda part: str(part["name"]))


def requests_for_a_board(api: Client) -> list[str]:
    answer = api.send("POST", "/v2/accelerator_requests", {"device_profile_name": "alveo"}, **SERVICE)
    assert answer.status_int == 201, answer.text
    return [request["uuid"] for request in answer.json["arqs"]]


def bind(api: Client, requests: list[str], provider: object) -> int:
    values = {"hostname": NODE, "device_rp_uuid": provider, "instance_uuid": str(uuid4())}
    patch = [{"path": f"/{name}", "op": "add", "value": value} for name, value in values.items()]
    answer = api.send("PATCH", "/v2/accelerator_requests", dict.fromkeys(requests, patch), **SERVICE)
    return answer.status_int


def bound(api: Client, requests: list[str]) -> list[tuple[str, str, str]]:
    """State, bus and function of what each request holds."""
    shown = [api.get(f"/v2/accelerator_requests/{one}") for one in requests]
    infos = [one["attach_handle_info"] for one in shown]
    return sorted(
        (one["state"], str(info.get("bus")), str(info.get("function"))) for one, info in zip(shown, infos, strict=True)
    )


def test_one_board_that_is_asked_for_is_handed_out_with_both_functions(api: Client) -> None:
    profile = [{"name": "alveo", "groups": [GROUP]}]
    assert api.send("POST", "/v2/device_profiles", profile, **NEWEST).status_int == 201
    first, second = boards(api)
    assert [first["num_accelerators"], second["num_accelerators"]] == [1, 1]

    requests = requests_for_a_board(api)
    assert bind(api, requests, second["rp_uuid"]) == 202
    assert bound(api, requests) == [("Bound", "81", "0"), ("Bound", "81", "1")]

    others = requests_for_a_board(api)
    assert bind(api, others, second["rp_uuid"]) == 409
    assert bind(api, others, first["rp_uuid"]) == 202


@pytest.mark.parametrize(
    "question",
    [
        {"device_profile_name": "alveo"},
        {"groups": [{"resources": {"FPGA": 1}, "required": ["CUSTOM_FPGA_XILINX"]}]},
        {"groups": [{"count": 1, "where": ["type = FPGA"]}]},
    ],
)
def test_a_claim_of_one_board_takes_both_functions_of_it(api: Client, question: dict[str, object]) -> None:
    api.send("POST", "/v2/device_profiles", [{"name": "alveo", "groups": [GROUP]}], **NEWEST)

    claims = [api.send("POST", "/v2/placements/claims", question, **NEWEST) for _ in range(3)]

    assert [claim.status_int for claim in claims] == [201, 201, 409], claims[-1].text
    taken = [
        sorted(
            (part["attach_handle_info"]["bus"], part["attach_handle_info"]["function"])
            for part in claim.json["allocations"]
        )
        for claim in claims[:2]
    ]
    assert sorted(taken) == [[("04", "0"), ("04", "1")], [("81", "0"), ("81", "1")]]


def test_a_released_board_is_free_again_as_a_whole(api: Client) -> None:
    question = {"groups": [{"count": 2, "where": ["type = FPGA"]}]}
    for _ in range(2):
        claim = api.send("POST", "/v2/placements/claims", question, **NEWEST)
        assert (claim.status_int, len(claim.json["allocations"])) == (201, 4), claim.text
        path = f"/v2/placements/claims/{claim.json['uuid']}"
        assert api.request("DELETE", path, headers=NEWEST).status_int == 204


def test_a_board_counts_as_one_among_what_is_free(api: Client) -> None:
    (kind,) = [row for row in api.get("/v2/placements/free")["free"] if "U200" in row["model"]]
    assert (kind["total"], kind["free"]) == (1, 1)
