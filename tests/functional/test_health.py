"""Health from the files of a host to the record: a real driver, the agent's look, the conductor's database."""

from pathlib import Path

import pytest
from sqlalchemy import select
from support.clocks import Clock
from support.discovery import ENABLED
from support.host_trees import HOSTS

from accel.agent.probe import Setup
from accel.agent.reporter import Reporter
from accel.agent.runner import InlineRunner
from accel.agent.service import Eye, Identity
from accel.agent.spool import Spool
from accel.agent.vigil import Vigil
from accel.conductor.manager import Limits, Manager
from accel.db import recorded
from accel.db.engine import Database
from accel.db.tables import Event, Node
from accel.drivers.base import Host
from accel.model.device import Device, Health
from accel.model.report import NodeInfo
from accel.rpc.local import LocalConductor
from accel.testing import HostTree, unpack

ENGINE = "sys/class/fpga_region/region0/dfl-fme.0"
BOOT = "proc/sys/kernel/random/boot_id"


class Bench:
    """A captured host with a board, its agent, and a conductor."""

    def __init__(self, database: Database, directory: Path) -> None:
        (archive,) = (HOSTS / "fpga-d5005-dfl").glob("*.tar.gz")
        self.database = database
        self.tree = HostTree(unpack(archive, directory / "host"))
        self.tree.write(BOOT, "boot-1\n")
        host = Host(name="node-1", root=self.tree.root)
        spool = Spool(directory / "spool")
        spool.open()
        self.eye = Eye(Identity(host=host, version="1"), InlineRunner([Setup(driver="intel_fpga", host=host)]), spool)
        self.reporter = Reporter(LocalConductor(Manager(database, Clock(), Limits())), spool)

    def look(self) -> None:
        self.reporter.observe(self.eye.look())
        self.reporter.deliver()

    @property
    def has_news(self) -> bool:
        self.reporter.observe(self.eye.look())
        return self.reporter.has_news

    @property
    def device(self) -> Device:
        with self.database.reader() as connection:
            key = connection.execute(select(Node.id)).scalar_one()
            info = NodeInfo(name="node-1", agent_version="1")
            (device,) = recorded.load(connection, key, info=info, boot_id="boot-1").devices
        return device.device

    def events(self) -> list[Event]:
        with self.database.reader() as connection:
            return list(connection.execute(select(*Event.__table__.columns).order_by(Event.id)))


@pytest.fixture
def bench(database: Database, tmp_path: Path) -> Bench:
    bench = Bench(database, tmp_path)
    bench.look()
    return bench


def test_the_record_has_every_signal_with_its_source_its_time_and_its_words(bench: Bench) -> None:
    signals = {signal.source: signal for signal in bench.device.signals}

    assert set(signals) >= {"fpga.engine", "fpga.port0", "temperature"}
    assert signals["fpga.engine"].text == "no errors"
    assert all(signal.at.tzinfo is not None and signal.value is Health.HEALTHY for signal in signals.values())


def test_while_nothing_changes_nothing_is_reported(bench: Bench) -> None:
    assert not bench.has_news


def test_a_few_degrees_are_no_news(bench: Bench) -> None:
    (sensor, *_) = bench.tree.root.glob(f"{ENGINE}/dfl-fme.0.10/*/*/*/*/*/hwmon/hwmon*/temp1_input")
    sensor.write_text("51000\n")

    assert not bench.has_news


def test_a_board_becomes_unhealthy_with_its_reason_and_healthy_again_without_a_restart(bench: Bench) -> None:
    bench.tree.write(f"{ENGINE}/errors/catfatal_errors", "0x10\n")
    bench.look()
    sick = bench.device
    bench.tree.write(f"{ENGINE}/errors/catfatal_errors", "0x0\n")
    bench.look()

    assert (sick.health, "catfatal_errors is 0x10" in sick.reason) == (Health.UNHEALTHY, True)
    assert (bench.device.health, bench.device.reason) == (Health.HEALTHY, "")
    bad, good = [event for event in bench.events() if event.kind == "health.changed"]
    assert (bad.before["health"], bad.after["health"], good.after["health"]) == ("healthy", "unhealthy", "healthy")
    assert bad.after["signal.fpga.engine"] == "unhealthy: catfatal_errors is 0x10"
    assert "catfatal_errors is 0x10" in bad.after["reason"]


def test_what_becomes_unknown_is_an_event_and_leaves_the_board_in_service(bench: Bench) -> None:
    bench.tree.write(f"{ENGINE}/errors/nonfatal_errors", "0x2\n")
    bench.look()

    assert bench.device.health is Health.HEALTHY
    assert bench.events()[-1].after == {"signal.fpga.engine": "unknown: nonfatal_errors is 0x2"}


def test_other_words_alone_are_kept_and_are_no_event(bench: Bench) -> None:
    before = len(bench.events())
    bench.tree.write("sys/class/fpga_region/region0/dfl-port.0/errors/errors", "0x400\n")
    bench.eye._vigil._known.clear()  # as after ten minutes: the agent takes every word for new
    bench.look()

    assert "errors is 0x400" in {signal.source: signal.text for signal in bench.device.signals}["fpga.port0"]
    assert len(bench.events()) == before


@pytest.mark.parametrize("name", ["fpga-n6000-sku0", "fpga-xilinx-alveo", "mi250x-16gcd", "qemu-2numa-boot"])
def test_no_captured_device_is_unfit_for_what_is_only_shown(name: str, tmp_path: Path) -> None:
    """One of them sits in a slot whose link has half of the lanes that both ends say they have."""
    (archive,) = (HOSTS / name).glob("*.tar.*")
    host = Host(name="node-1", root=unpack(archive, tmp_path))
    answers = [outcome.report for outcome in InlineRunner([Setup(driver=one, host=host) for one in ENABLED]).discover()]
    before = {device.identity: device.health for answer in answers for device in answer.devices}

    after = [device for answer in Vigil(["pcie.link"]).judge(answers) for device in answer.devices]

    assert {device.identity: device.health for device in after} == before
    narrow = {str(one.value) for device in after for one in device.signals if one.source == "pcie.link"}
    assert ("unhealthy" in narrow) == (name == "fpga-n6000-sku0")
