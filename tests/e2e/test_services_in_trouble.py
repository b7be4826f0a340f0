"""Conductors that are killed and stopped and a broker that goes away, while the agents of a fleet report."""

import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import func, select
from support.broker import broker_behind_proxy, broker_topic
from support.databases import database_url, opened
from support.proxy import Proxy
from support.waiting import until

from accel.db import migrate
from accel.db.engine import Database
from accel.db.tables import Device, Event, Node

pytestmark = [pytest.mark.postgresql, pytest.mark.rabbitmq, pytest.mark.timeout(120)]

NODES, CARDS, LATE_NODES = 50, 4, 3
FLEET = "nodes:\n  - {{name: 'sim-{{0}}', count: {count}, cards: [{{model: L40S, count: {cards}}}]}}\n"
PATIENCE_SECONDS = 60
BIN = Path(sys.executable).parent


@dataclass(frozen=True)
class Site:
    """An installation: a database, a way to the broker, and the services' configuration."""

    directory: Path
    database: Database
    broker: Proxy
    settings: str

    @property
    def fleet(self) -> Path:
        return self.directory / "fleet.yaml"

    @contextmanager
    def service(self, name: str, host: str, *arguments: str | Path) -> Iterator["subprocess.Popen[bytes]"]:
        """A service as a process; whatever is left of it at the end of the block is killed."""
        file = self.directory / f"{host}.conf"
        file.write_text(f"[DEFAULT]\nhost = {host}\n{self.settings}")
        with subprocess.Popen([BIN / name, "--config-file", file, *arguments], stderr=subprocess.DEVNULL) as process:
            try:
                yield process
            finally:
                process.kill()

    def describe(self, count: int) -> None:
        """Let the fleet have so many nodes."""
        new = self.fleet.with_suffix(".new")
        new.write_text(FLEET.format(count=count, cards=CARDS))
        new.replace(self.fleet)

    def nodes_heard_since(self, moment: datetime) -> int:
        """How many nodes are online and were heard after a moment."""
        heard = select(func.count()).select_from(Node)
        with self.database.reader() as connection:
            return connection.scalars(heard.where(Node.state == "online", Node.last_heartbeat_at > moment)).one()

    def until_heard(self, nodes: int, since: datetime) -> None:
        until(lambda: self.nodes_heard_since(since) >= nodes)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with ExitStack() as stack:
        url = stack.enter_context(database_url("postgresql", tmp_path))
        database = stack.enter_context(opened(url))
        topic = stack.enter_context(broker_topic())
        proxy, broker_url = stack.enter_context(broker_behind_proxy())
        migrate.upgrade(database)
        settings = (
            f"state_path = {tmp_path}\ntransport_url = {broker_url}\n[database]\nconnection = {url}\n"
            f"[rpc]\ntopic = {topic}\ncall_timeout_seconds = 3\n[agent]\nheartbeat_interval_seconds = 1\n"
            "[conductor]\nperiodic_interval_seconds = 1\nnode_offline_after_seconds = 3\n"
        )
        yield Site(tmp_path, database, proxy, settings)


def test_whatever_goes_away_in_between_the_inventory_is_the_fleet_and_every_device_was_added_once(site: Site) -> None:
    site.describe(NODES)
    begin = datetime.now(UTC)
    with ExitStack() as stack:
        first = stack.enter_context(site.service("accel-conductor", "conductor-1"))
        second = stack.enter_context(site.service("accel-conductor", "conductor-2"))
        stack.enter_context(site.service("accel-agent", "player", "--fleet", site.fleet))

        site.until_heard(NODES // 10, begin)
        first.kill()
        site.until_heard(NODES // 2, begin)
        second.send_signal(signal.SIGTERM)
        assert second.wait(PATIENCE_SECONDS) == 0

        stack.enter_context(site.service("accel-conductor", "conductor-1"))
        site.until_heard(NODES, datetime.now(UTC))
        site.broker.cut()
        assert site.broker.refused.wait(PATIENCE_SECONDS)
        site.describe(NODES + LATE_NODES)
        site.broker.mend()
        site.until_heard(NODES + LATE_NODES, datetime.now(UTC))

    with site.database.reader() as connection:
        presences = Counter(connection.scalars(select(Device.presence)))
        added = Counter(connection.scalars(select(Event.device_uuid).where(Event.kind == "device.added")))
        kinds = Counter(connection.scalars(select(Event.kind)))
    devices = (NODES + LATE_NODES) * CARDS
    assert presences == {"present": devices}
    assert (len(added), added.total()) == (devices, devices)
    assert kinds["node.added"] == NODES + LATE_NODES
    assert kinds["node.offline"] == kinds["node.online"]
    assert set(kinds) <= {"node.added", "driver.added", "device.added", "node.offline", "node.online"}
