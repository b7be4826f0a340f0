"""From a driver's report to the answer of the API: the fake device looks as it does at the reference."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from support.api import Client, client

from accel import conf
from accel.conductor.manager import Limits, Manager
from accel.db.engine import Database
from accel.drivers.base import Host
from accel.drivers.fake import FakeDriver
from accel.model.report import DriverReport, NodeInfo, NodeReport

RECORDED = Path(__file__).parent.parent / "data" / "reference-exchanges"
MADE_HERE = {"uuid", "links", "created_at", "updated_at"}


@pytest.fixture
def api(database: Database) -> Client:
    host = Host(name="peerhost", root=Path("/nonexistent"))
    driver = FakeDriver(host, conf.load([], prog="test", default_config_files=[]).api)
    report = NodeReport(
        node=NodeInfo(name="peerhost", agent_version="0.1.0"),
        boot_id="boot",
        sequence=1,
        drivers=(DriverReport(driver="fake", devices=tuple(driver.discover())),),
    )
    Manager(database, lambda: datetime(2026, 11, 21, tzinfo=UTC), Limits()).report(report)
    return client(database)


@pytest.mark.parametrize(
    ("exchange", "collection"),
    [("048-devices-list", "devices"), ("090-deployables-list", "deployables"), ("106-attributes-list", "attributes")],
)
def test_the_fake_device_looks_as_at_the_reference(exchange: str, collection: str, api: Client) -> None:
    recorded = json.loads((RECORDED / f"{exchange}.http").read_text().split("\n\n")[-1])
    found = api.request("GET", f"/v2/{collection}").json

    assert _comparable(found[collection]) == _comparable(recorded[collection])


def test_the_fake_device_is_free(api: Client) -> None:
    (device,) = api.get("/v2/devices")["devices"]

    assert device["counts"] == {"total": 16, "free": 16, "held": 0}
    assert device["node"] == device["hostname"] == "peerhost"


def _comparable(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows in any order, without what is made anew each time; JSON within text is read."""
    in_text = {"std_board_info", "attributes_list"}
    cleaned = [
        {name: json.loads(value) if name in in_text else value for name, value in row.items() if name not in MADE_HERE}
        for row in rows
    ]
    return sorted(cleaned, key=str)
