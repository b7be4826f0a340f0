"""A thousand agents on one conductor, over RabbitMQ into PostgreSQL."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import create_engine, text

from bench.figures import Figure
from bench.material import BIN, POSTGRESQL_URL, RABBITMQ_URL, database_on, fleet_file, service, topic, until

NODES = 1000
HEARTBEAT_SECONDS = 15
"""A quarter of the default, so that a quarter of a minute shows a minute's work."""


def figures(directory: Path) -> Iterator[Figure]:
    """Taking the whole fleet, and keeping it."""
    with database_on(POSTGRESQL_URL) as url, topic() as queue:
        settings = _settings(directory, url, queue)
        played = fleet_file(directory, nodes=NODES, cards=8)
        conductor = [BIN / "accel-conductor", "--config-file", settings]
        agent = [BIN / "accel-agent", "--config-file", settings, "--fleet", played]
        with service(conductor, directory / "conductor.log") as taking:
            started = time.monotonic()
            with service(agent, directory / "agent.log"):
                until(lambda: _is_taken(url), "the fleet is taken")
                yield Figure(
                    what=f"{NODES:,} nodes × 8 devices taken, PostgreSQL and RabbitMQ, services started included",
                    value=time.monotonic() - started,
                    unit="s",
                    bound=60,
                )
                yield _heartbeats(taking.pid)


def _heartbeats(conductor: int) -> Figure:
    before = _cpu_seconds(conductor)
    time.sleep(HEARTBEAT_SECONDS)
    share = (_cpu_seconds(conductor) - before) / 60 * 100
    return Figure(
        what="1,000 heartbeats a minute, conductor process, the same", value=share, unit="% of a core", bound=5
    )


def _cpu_seconds(process: int) -> float:
    """User and system time of a process with its threads, proc(5)."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _is_taken(url: str) -> bool:
    engine = create_engine(url)
    with engine.connect() as connection:
        taken = connection.execute(text("SELECT count(*) FROM devices")).scalar_one()
    engine.dispose()
    return bool(taken == NODES * 8)


def _settings(directory: Path, url: str, queue: str) -> Path:
    settings = directory / "accel.conf"
    settings.write_text(
        f"[DEFAULT]\nstate_path = {directory}\ntransport_url = {RABBITMQ_URL}\n"
        f"[database]\nconnection = {url}\n"
        f"[rpc]\ntopic = {queue}\n"
        f"[agent]\nenabled_drivers =\nheartbeat_interval_seconds = {HEARTBEAT_SECONDS}\n"
    )
    return settings
