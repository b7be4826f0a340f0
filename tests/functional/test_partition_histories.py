"""Whatever is cut, claimed, released, reported and broken, in whatever order: what must hold all the time.

Cards are simulated; the record, the API, the conductor and the acts are the real ones. TEST_CUT_HISTORIES says
how many histories there are.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from support.api import NEWEST, client
from support.clocks import Clock
from support.databases import migrated

from accel.agent.jobs.perform import ending_of
from accel.agent.probe import Setup
from accel.conductor.jobs import JOB_POINTS, JobHooks, Jobs, JobTerms
from accel.conductor.manager import Limits, Manager
from accel.db.engine import Database
from accel.db.fences import FENCE
from accel.db.job_tables import Job
from accel.db.tables import AttachHandle, Deployable, Device, Holder
from accel.drivers.base import Host
from accel.drivers.simulated import SimulatedDriver
from accel.errors import AgentUnavailable
from accel.model.job import ENDED, JobOrder, JobState, JobStatus
from accel.model.report import DriverReport, NodeInfo, NodeReport
from accel.testing.driver_contract import options

HISTORIES = int(os.environ.get("TEST_CUT_HISTORIES", "25"))
FLEET = "nodes: [{name: n1, cards: [{model: A100-SXM4-40GB, count: 2}]}]"
LAYOUTS = ({}, {"7g.40gb": 1}, {"3g.20gb": 2}, {"4g.20gb": 1, "1g.5gb": 3}, {"1g.5gb": 7}, {"2g.10gb": 3, "1g.5gb": 1})
CLASSES = ("PGPU", "CUSTOM_MIG_1G_5GB", "CUSTOM_MIG_3G_20GB", "CUSTOM_MIG_2G_10GB")
NUMBERS = count()


class _Death(Exception):  # it is one
    pass


class World:
    """One node with two cards, and everything that there is to have them cut and claimed."""

    def __init__(self, database: Database, directory: Path) -> None:
        (directory / "fleet.yaml").write_text(FLEET)
        self.database = database
        self.clock = Clock()
        self.clock.now = datetime.now(UTC)  # the API has no clock of ours
        self.manager = Manager(database, self.clock, Limits())
        self.api = client(database)
        self.host = Host(name="n1", root=directory)
        self.setup = Setup(
            driver="simulated",
            host=self.host,
            source=f"{SimulatedDriver.__module__}:{SimulatedDriver.__name__}",
            options={"fleet_file": "/fleet.yaml"},
        )
        self.sequence = count(1)
        self.claims: list[str] = []
        self.done: dict[str, JobStatus] = {}
        self.trouble = ""
        self.report()

    def devices(self) -> Any:
        return SimulatedDriver(self.host, options(SimulatedDriver, fleet_file="/fleet.yaml")).discover()

    def report(self) -> None:
        reports = (DriverReport(driver="simulated", devices=tuple(self.devices())),)
        node = NodeInfo(name="n1", agent_version="1")
        self.manager.report(NodeReport(node=node, boot_id="b", sequence=next(self.sequence), drivers=reports))

    # --- the agent ---

    def run_job(self, order: JobOrder, wait_seconds: float) -> JobStatus:
        assert wait_seconds > 0
        trouble, self.trouble = self.trouble, ""
        if trouble == "away":
            raise AgentUnavailable("the agent is away")
        if order.uuid not in self.done:
            ending = ending_of(self.setup, order, None, lambda *_: None)
            state = JobState.FAILED if ending.error_code or trouble == "broken" else JobState.DONE
            self.done[order.uuid] = JobStatus(
                uuid=order.uuid,
                state=state,
                error_code="accel.act_died" if trouble == "broken" else ending.error_code,
                is_state_unknown=trouble == "broken" or ending.is_state_unknown,
            )
            if trouble != "silent":
                self.report()
        if trouble == "lost":
            raise AgentUnavailable("the answer is lost")
        return self.done[order.uuid]

    def cancel_job(self, node: str, uuid: str) -> JobStatus | None:
        raise AssertionError(f"nobody cancels job {uuid} of {node}")

    # --- what may happen ---

    def cut(self, card: int, layout: dict[str, int]) -> None:
        rows = self.database.read(lambda c: c.execute(select(Device.uuid).order_by(Device.id)).all())
        body = {"changes": [{"device_uuid": rows[card].uuid, "layout": layout}]}
        assert self.api.send("POST", "/v2/partition/apply", body, **NEWEST).status_int in {202, 409}

    def claim(self, resource_class: str) -> None:
        body = {"groups": [{"resources": {resource_class: 1}}], "consumer": f"c-{next(NUMBERS)}"}
        answered = self.api.send("POST", "/v2/placements/claims", body, **NEWEST)
        assert answered.status_int in {201, 409}, answered.text
        if answered.status_int == 201:
            self.claims.append(answered.json["uuid"])

    def release(self) -> None:
        if self.claims:
            uuid = self.claims.pop(0)
            assert self.api.request("DELETE", f"/v2/placements/claims/{uuid}", headers=NEWEST).status_int == 204

    def work(self, dies_at: str = "") -> None:
        def at(point: str) -> None:
            if point == dies_at:
                raise _Death(point)

        jobs = Jobs(
            self.database,
            self.clock,
            JobTerms(worker="conductor-1"),
            agents=self,
            submit=lambda work: work(),
            hooks=JobHooks(at=at),
        )
        with suppress(_Death):
            jobs.take_up_work(is_fresh=True)

    # --- what must hold ---

    def check(self) -> None:
        there = {handle.key for device in self.devices() for part in device.deployables for handle in part.handles}
        rows = self.database.read(
            lambda c: c.execute(
                select(Holder.kind, Holder.name, AttachHandle.info_key, Deployable.device_id, Job.state)
                .join_from(Holder, AttachHandle, AttachHandle.id == Holder.attach_handle_id)
                .join(Deployable, Deployable.id == AttachHandle.deployable_id)
                .outerjoin(Job, Job.uuid == Holder.name)
            ).all()
        )
        held = [row for row in rows if row.kind != FENCE]
        assert {row.info_key for row in held} <= there, "what somebody has is there"
        fenced = [row for row in rows if row.kind == FENCE]
        assert all(row.state is not None and row.state not in ENDED for row in fenced), "a fence is a living job's"
        both = {row.device_id for row in held} & {row.device_id for row in fenced}
        assert not both, "nobody has anything of a device that a job is at"

    def settle(self) -> None:
        """Let everything come to its end."""
        self.trouble = ""
        for _ in range(20):
            self.clock.pass_(seconds=600)
            self.work()
        self.report()
        self.check()
        there = {handle.key for device in self.devices() for part in device.deployables for handle in part.handles}
        recorded = self.database.read(
            lambda c: set(c.scalars(select(AttachHandle.info_key).where(AttachHandle.presence == "present")))
        )
        assert recorded == there
        left = self.database.read(lambda c: c.scalars(select(Job.state).where(Job.state.not_in(sorted(ENDED)))).all())
        assert not left


@contextmanager
def world(directory: Path) -> Iterator[World]:
    directory.mkdir()
    with migrated("sqlite", directory) as database:
        yield World(database, directory)
    shutil.rmtree(directory)


EVENTS = st.one_of(
    st.tuples(st.just("cut"), st.integers(0, 1), st.sampled_from(LAYOUTS)),
    st.tuples(st.just("cut"), st.integers(0, 1), st.sampled_from(LAYOUTS)),
    st.tuples(st.just("work"), st.sampled_from(("", "", *JOB_POINTS))),
    st.tuples(st.just("claim"), st.sampled_from(CLASSES)),
    st.tuples(st.just("release")),
    st.tuples(st.just("report")),
    st.tuples(st.just("trouble"), st.sampled_from(("away", "lost", "silent", "broken"))),
    st.tuples(st.just("later"), st.sampled_from((1, 200))),
)


@settings(
    max_examples=HISTORIES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@example(events=[("trouble", "broken"), ("cut", 0, {"7g.40gb": 1}), ("work", "")])  # by the API's clock, which is ahead
@given(events=st.lists(EVENTS, min_size=4, max_size=14))
@pytest.mark.timeout(0)
def test_nobody_loses_what_he_has_and_all_comes_to_an_end(events: list[Any], tmp_path: Path) -> None:
    with world(tmp_path / f"history-{next(NUMBERS)}") as here:
        for kind, *given_ in events:
            if kind == "trouble":
                (here.trouble,) = given_
            elif kind == "later":
                here.clock.pass_(seconds=given_[0])
            else:
                getattr(here, kind)(*given_)
            here.check()
        here.settle()
