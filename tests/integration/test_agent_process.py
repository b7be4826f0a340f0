"""``accel-agent`` as systemd runs it, with a real broker; also on a host where cards come and go."""

import json
import os
import queue
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from support.broker import RABBITMQ_URL, broker_topic, opened_transport
from support.discovery import ENABLED
from support.mocked_host import DRIVE, DRIVE_SERIAL, host_with_drives

from accel.model.report import Acknowledgement, Heartbeat, NodeReport, Verdict
from accel.rpc.server import serve

pytestmark = [pytest.mark.rabbitmq, pytest.mark.timeout(120)]

AGENT = Path(sys.executable).with_name("accel-agent")
MEBIBYTE = 1024 * 1024


@dataclass
class Listener:
    """A conductor that hands what it hears to the test."""

    reports: queue.Queue[NodeReport] = field(default_factory=queue.Queue)
    heartbeats: queue.Queue[Heartbeat] = field(default_factory=queue.Queue)

    def report(self, report: NodeReport) -> Acknowledgement:
        self.reports.put(report)
        return Acknowledgement(verdict=Verdict.ACCEPTED, sequence=report.sequence)

    def heartbeat(self, heartbeat: Heartbeat) -> Acknowledgement:
        self.heartbeats.put(heartbeat)
        return Acknowledgement(verdict=Verdict.ACCEPTED, sequence=heartbeat.sequence)


@pytest.fixture
def config(tmp_path: Path) -> Iterator[Path]:
    with broker_topic() as topic:
        file = tmp_path / "accel.conf"
        file.write_text(
            f"[DEFAULT]\nhost = node-1\nstate_path = {tmp_path}/state\ntransport_url = {RABBITMQ_URL}\n"
            f"[rpc]\ntopic = {topic}\n[agent]\nheartbeat_interval_seconds = 1\n"
        )
        yield file


@pytest.fixture
def conductor(config: Path, tmp_path: Path) -> Iterator[Listener]:
    listener = Listener()
    topic = config.read_text().partition("topic = ")[2].splitlines()[0]
    with opened_transport(tmp_path) as transport:
        server = serve(transport, listener, "conductor-1", topic=topic)
        server.start()
        yield listener
        server.stop()
        server.wait()


@contextmanager
def running(config: Path, environment: Mapping[str, str] | None = None) -> Iterator["subprocess.Popen[str]"]:
    """The agent, ended by SIGTERM, which it obeys."""
    with subprocess.Popen([AGENT, "--config-file", str(config)], env=environment, text=True) as agent:
        try:
            yield agent
        finally:
            agent.terminate()
    assert agent.returncode == 0


def identities(report: NodeReport) -> set[str]:
    return {device.identity for driver in report.drivers for device in driver.devices}


def test_it_reports_then_gives_signs_of_life_and_looks_again_when_told_to(config: Path, conductor: Listener) -> None:
    with running(config) as agent:
        report = conductor.reports.get()
        assert report.node.name == "node-1"
        assert tuple(driver.driver for driver in report.drivers) == ENABLED
        assert all(driver.failure is None for driver in report.drivers)

        first, second = conductor.heartbeats.get(), conductor.heartbeats.get()
        assert report.sequence < first.sequence < second.sequence

        agent.send_signal(signal.SIGHUP)
        assert conductor.heartbeats.get().content_hash == first.content_hash


def test_it_says_to_systemd_when_it_is_ready_and_how_it_is(config: Path, conductor: Listener, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        with running(config, os.environ | {"NOTIFY_SOCKET": str(tmp_path / "notify")}):
            assert manager.recv(1024) == b"READY=1"
            conductor.heartbeats.get()
            while manager.recv(1024) != b"WATCHDOG=1\nSTATUS=the conductor is heard":
                pass
        while manager.recv(1024) != b"STOPPING=1":
            pass


def test_it_stays_below_60_mebibytes(config: Path, conductor: Listener) -> None:
    with running(config) as agent:
        conductor.heartbeats.get()
        status = Path(f"/proc/{agent.pid}/status").read_text()

    resident_kibibytes = int(status.partition("VmHWM:")[2].split()[0])
    assert resident_kibibytes * 1024 < 60 * MEBIBYTE


def test_the_sequence_grows_over_a_restart_of_the_agent(config: Path, conductor: Listener) -> None:
    with running(config):
        conductor.reports.get()
        before = conductor.heartbeats.get().sequence

    with running(config):
        assert conductor.reports.get().sequence > before


@pytest.mark.umockdev
def test_a_drive_that_is_pulled_and_put_back_is_reported(config: Path, conductor: Listener) -> None:
    with host_with_drives() as host, running(config, host.environment):
        both = identities(conductor.reports.get())
        conductor.heartbeats.get()  # it is at rest

        host.remove(*DRIVE)
        left = identities(conductor.reports.get())
        assert both - left == {f"serial:{DRIVE_SERIAL}"}

        host.add(*DRIVE)
        assert identities(conductor.reports.get()) == both


def test_the_doctor_finds_nothing_wrong_where_everything_is_right(config: Path, conductor: Listener) -> None:
    del conductor  # it is there

    done = subprocess.run(
        [AGENT, "doctor", "--format", "json", "--config-file", str(config)], capture_output=True, text=True, check=False
    )

    findings = json.loads(done.stdout)
    assert [finding for finding in findings if finding["state"] == "failed"] == []
    assert done.returncode == 0
    assert {"conductor", "spool", "sysfs", "driver nvme"} <= {finding["probe"] for finding in findings}
