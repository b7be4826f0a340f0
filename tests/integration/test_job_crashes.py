"""A conductor is killed at each point of its work on a job; started again it brings the job, done once, to its end.

The agent is reached over a real broker, as the conductor is a process of its own.
"""

import gc
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from support.broker import RABBITMQ_URL, broker_topic, opened_transport
from support.databases import url_of
from support.faulty_drivers import faulty_drivers
from support.jobs import Node
from support.reports import answer, report
from support.site import Site
from support.waiting import until

from accel.agent.probe import look
from accel.conductor.jobs import JOB_POINTS
from accel.conductor.manager import Limits, Manager
from accel.db import jobs
from accel.db.engine import Database
from accel.db.jobs import JobRow
from accel.model.job import JobKind, NewJob
from accel.rpc.agents import serve_agent

__all__ = ["faulty_drivers"]  # a fixture
pytestmark = [
    pytest.mark.rabbitmq,
    pytest.mark.usefixtures("faulty_drivers"),
    # Where a connection breaks, the library leaves its socket to the garbage collector.
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
]
TESTS = Path(__file__).parents[1]


@dataclass
class Bench:
    """A node whose agent listens, and how its conductor is started."""

    database: Database
    node: Node
    config: Path
    fault: Path

    def order(self) -> str:
        """Have the first card cut."""
        [device, _] = look(self.node.setup).report.devices
        site = Site(self.database)
        Manager(self.database, site.clock, Limits()).report(report(answer(device, driver="test-able"), name="node-1"))
        with self.database.reader() as connection:
            uuid = connection.exec_driver_sql("SELECT uuid FROM devices").scalar_one()
        new = NewJob(kind=JobKind.PARTITION, device_uuid=uuid, arguments={"half": "1"}, begins_within_seconds=10**9)
        return self.database.write(lambda connection: jobs.order_job(connection, new, origin=site.origin))

    def job(self, uuid: str) -> JobRow:
        """How it is recorded."""
        return self.database.read(lambda connection: jobs.get(connection, uuid))

    def conductor(self) -> "subprocess.Popen[bytes]":
        """One that begins with what it was at before."""
        path = os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")])
        command = [sys.executable, "-m", "support.fragile_attendant", self.fault, "--config-file", self.config]
        return subprocess.Popen(command, env=os.environ | {"PYTHONPATH": path})


@pytest.fixture
def bench(database: Database, tmp_path: Path) -> Iterator[Bench]:
    node = Node(tmp_path)
    url = url_of(database)
    with broker_topic() as topic, opened_transport(tmp_path) as transport:
        config = tmp_path / "accel.conf"
        config.write_text(
            f"[DEFAULT]\nhost = conductor-1\ntransport_url = {RABBITMQ_URL}\n"
            f"[database]\nconnection = {url}\n[rpc]\nagent_topic = {topic}\n"
        )
        server = serve_agent(transport, node.desk, "node-1", topic=topic)
        server.start()
        try:
            yield Bench(database, node, config, tmp_path / "fault")
        finally:
            server.stop()
            server.wait()
    gc.collect()


@pytest.mark.parametrize("point", JOB_POINTS)
def test_a_job_whose_conductor_is_killed_is_done_once_and_comes_to_its_end(point: str, bench: Bench) -> None:
    uuid = bench.order()
    bench.fault.write_text(point)
    with bench.conductor() as killed:
        assert killed.wait(60) == -signal.SIGKILL
    bench.fault.unlink()
    with bench.conductor() as next_one:
        until(lambda: bench.job(uuid).is_ended)
        next_one.kill()

    assert (bench.job(uuid).state, bench.node.parts(), bench.node.looks) == ("done", "half=1", 1)
    assert bench.database.read(lambda connection: jobs.fenced_by(connection, [uuid])) == {uuid: 0}
