"""accel-conductor as a process: started, asked over a real broker, stopped."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import make_url
from support.broker import RABBITMQ_URL, broker_behind_proxy, broker_topic, opened_transport
from support.databases import database_url, opened
from support.inventories import event_kinds
from support.nova import HOME, options, running_nova
from support.outbox import bind, waiting
from support.proxy import Proxy
from support.reports import answer, gpu, report
from support.site import Site

from accel.db import migrate
from accel.model.report import Verdict
from accel.rpc.client import ConductorClient

pytestmark = pytest.mark.rabbitmq
PATIENCE_SECONDS = 30


@pytest.fixture
def topic() -> Iterator[str]:
    with broker_topic() as topic:
        yield topic


@pytest.fixture
def states(tmp_path: Path) -> Iterator[socket.socket]:
    """Where the process tells its states, as systemd would listen."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as states:
        states.bind(str(tmp_path / "notify"))
        states.settimeout(PATIENCE_SECONDS)
        yield states


@pytest.fixture
def empty_database(tmp_path: Path) -> str:
    """The URL of a database with the schema of this release."""
    url = f"sqlite:///{tmp_path}/accel.sqlite"
    with opened(url) as database:
        migrate.upgrade(database)
    return url


@contextmanager
def conductor(
    directory: Path, *, url: str, topic: str, transport_url: str = RABBITMQ_URL, more: str = ""
) -> Iterator[subprocess.Popen[str]]:
    file = directory / "accel.conf"
    file.write_text(
        f"[DEFAULT]\nhost = conductor-1\ntransport_url = {transport_url}\n"
        f"[database]\nconnection = {url}\n[rpc]\ntopic = {topic}\n{more}"
    )
    command = [sys.executable, "-c", "import sys; from accel.cmd.conductor import main; sys.exit(main())"]
    environment = os.environ | {"NOTIFY_SOCKET": str(directory / "notify")}
    process = subprocess.Popen(
        [*command, "--config-file", str(file)], env=environment, stderr=subprocess.PIPE, text=True
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def test_it_takes_reports_tells_systemd_and_ends_well_when_told_to(
    tmp_path: Path, topic: str, states: socket.socket
) -> None:
    url = f"sqlite:///{tmp_path}/accel.sqlite"
    with opened(url) as database:
        migrate.upgrade(database)
        with conductor(tmp_path, url=url, topic=topic) as process:
            assert states.recv(100) == b"READY=1"
            with opened_transport(tmp_path) as transport:
                client = ConductorClient(transport, topic=topic)
                assert client.report(report(answer(gpu(1)))).verdict is Verdict.ACCEPTED
            process.send_signal(signal.SIGTERM)
            assert states.recv(100) == b"STOPPING=1"
            assert process.wait(PATIENCE_SECONDS) == 0
        assert event_kinds(database) == ["node.added", "driver.added", "device.added"]


@pytest.mark.postgresql
def test_it_waits_for_a_database_that_is_down_at_the_start(tmp_path: Path, topic: str, states: socket.socket) -> None:
    with database_url("postgresql", tmp_path) as url:
        with opened(url) as database:
            migrate.upgrade(database)
        server = make_url(url)
        with Proxy(server.host or "127.0.0.1", server.port or 5432) as proxy:
            proxy.cut()
            through = server.set(host="127.0.0.1", port=proxy.port).render_as_string(hide_password=False)
            with conductor(tmp_path, url=through, topic=topic) as process:
                assert proxy.refused.wait(PATIENCE_SECONDS)
                proxy.mend()
                assert states.recv(100) == b"READY=1"
                process.send_signal(signal.SIGTERM)
                assert process.wait(PATIENCE_SECONDS) == 0


def test_told_to_end_while_it_waits_for_the_broker_it_ends_well(tmp_path: Path, empty_database: str) -> None:
    with Proxy("127.0.0.1", 1) as broker:
        broker.cut()
        away = f"rabbit://guest:guest@127.0.0.1:{broker.port}/"
        with conductor(tmp_path, url=empty_database, topic="none", transport_url=away) as process:
            assert broker.refused.wait(PATIENCE_SECONDS)
            process.send_signal(signal.SIGTERM)
            _, errors = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 0
    assert "Traceback" not in errors


def test_it_is_ready_once_the_broker_is_there(
    tmp_path: Path, empty_database: str, topic: str, states: socket.socket
) -> None:
    with broker_behind_proxy() as (proxy, through):
        proxy.cut()
        with conductor(tmp_path, url=empty_database, topic=topic, transport_url=through) as process:
            assert proxy.refused.wait(PATIENCE_SECONDS)
            states.settimeout(0)
            with pytest.raises(BlockingIOError):
                states.recv(100)
            states.settimeout(PATIENCE_SECONDS)
            proxy.mend()
            assert states.recv(100) == b"READY=1"
            process.send_signal(signal.SIGTERM)
            assert process.wait(PATIENCE_SECONDS) == 0


def test_what_one_was_telling_nova_when_it_was_killed_the_next_one_tells(
    tmp_path: Path, empty_database: str, topic: str, states: socket.socket
) -> None:
    instance = str(uuid4())
    with opened(empty_database) as database, running_nova() as nova:
        nova.servers = {instance: HOME}
        nova.script.append("hang")
        section = options(nova.url, timeout=1)
        site = Site(database)
        bound = bind(site, site.conductor(), instance)
        with conductor(tmp_path, url=empty_database, topic=topic, more=section) as process:
            assert nova.next_post().tags == bound
            process.kill()
        with conductor(tmp_path, url=empty_database, topic=topic, more=section) as process:
            while states.recv(100) != b"READY=1":
                pass
            assert nova.next_post().tags == bound
            process.send_signal(signal.SIGTERM)
            assert process.wait(PATIENCE_SECONDS) == 0
        assert waiting(database) == []


def test_with_a_nova_that_it_cannot_sign_in_to_it_does_not_start_and_says_why(
    tmp_path: Path, empty_database: str
) -> None:
    section = "[nova]\nauth_type = password\n"
    with conductor(tmp_path, url=empty_database, topic="none", more=section) as process:
        _, errors = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 1
    assert "[nova]: Auth plugin requires parameters which were not given: auth_url" in errors


def test_it_does_not_start_on_an_empty_database_and_says_what_to_do(tmp_path: Path, topic: str) -> None:
    with conductor(tmp_path, url=f"sqlite:///{tmp_path}/accel.sqlite", topic=topic) as process:
        _, errors = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 1
    assert "run accel-manage db upgrade" in errors


def test_nothing_in_it_is_monkey_patched() -> None:
    program = """
import json, sys
import accel.cmd.conductor
import select, socket, threading, time
modules = [thing.__module__ for thing in (socket.socket, threading.Thread, threading.Event, time.sleep)]
print(json.dumps([modules, sys.modules.get("eventlet") is None, sys.modules.get("gevent") is None]))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    modules, without_eventlet, without_gevent = json.loads(done.stdout)
    assert modules == ["socket", "threading", "threading", "time"]
    assert (without_eventlet, without_gevent) == (True, True)
