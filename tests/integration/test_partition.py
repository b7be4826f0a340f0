"""Cutting devices, on every database: what is planned, ordered and fenced."""

from collections.abc import Iterator
from typing import Any

import pytest
from support.api import NEWEST, Client, client
from support.site import Site

from accel.db import fences
from accel.db.engine import Connection, Database
from accel.db.tables import AttachHandle, Deployable, Device, Holder
from accel.model.mig import mig_scheme
from accel.model.partition import Cut
from accel.model.partition_facts import facts

A100 = mig_scheme("NVIDIA A100-SXM4-40GB", 40 << 30)
assert A100 is not None


@pytest.fixture
def site(shared_database: Database) -> Iterator[Site]:
    site = Site(shared_database)
    site.report(site.gpu(std_board_info=dict(facts(Cut(scheme=A100, parts=None)))))
    yield site
    site.clear()


@pytest.fixture
def api(site: Site) -> Client:
    return client(site.database)


def post(api: Client, path: str, body: Any) -> Any:
    answered = api.send("POST", f"/v2/partition/{path}", body, **NEWEST)
    assert answered.status_int in {200, 202, 409}, answered.text
    return answered.json if answered.status_int != 409 else None


def fenced(site: Site) -> int:
    def count(connection: Connection) -> int:
        rows = connection.execute(
            Holder.__table__.select()
            .join(AttachHandle, AttachHandle.id == Holder.attach_handle_id)
            .join(Deployable, Deployable.id == AttachHandle.deployable_id)
            .join(Device, Device.id == Deployable.device_id)
            .where(Holder.kind == fences.FENCE, Device.uuid == site.device())
        )
        return len(rows.all())

    return site.database.read(count)


def test_a_demand_is_planned_from_what_devices_tell(site: Site, api: Client) -> None:
    answer = post(api, "plan", {"demand": {"3g.20gb": 3}, "node": site.node})

    assert [(plan["device_uuid"], plan["layout"]) for plan in answer["plans"]] == [(site.device(), {"3g.20gb": 2})]
    assert answer["demand"]["missing"] == {"3g.20gb": 1}


def test_a_device_is_fenced_from_the_order_on_with_what_is_reported_later(site: Site, api: Client) -> None:
    change = {"changes": [{"device_uuid": site.device(), "layout": {"3g.20gb": 2}}]}

    (job,) = post(api, "apply", change)["jobs"]
    assert job["device_uuid"] == site.device()
    assert fenced(site) == 1
    assert post(api, "apply", change) is None

    site.report(site.gpu(handles=3, std_board_info=dict(facts(Cut(scheme=A100, parts=None)))))
    assert fenced(site) == 3
