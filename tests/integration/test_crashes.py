"""A conductor is killed at each point of its work on requests; started again it brings each to a true state."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import pytest
from support.broker import RABBITMQ_URL, broker_topic, opened_transport
from support.databases import url_of
from support.fragile_conductor import FAULT, PLAIN, REFUSAL
from support.site import Site

from accel.conductor.claims import POINTS
from accel.db.engine import Database
from accel.model.request import RequestChanges
from accel.rpc import wire
from accel.rpc.messaging import oslo_messaging

pytestmark = [pytest.mark.rabbitmq, pytest.mark.timeout(180)]  # the limit of every wait in here
TESTS = Path(__file__).parents[1]


@dataclass
class Fragile:
    """A conductor in a process of its own, which can be told to die."""

    directory: Path
    config: Path
    transport: oslo_messaging.Transport
    topic: str
    states: socket.socket
    process: "subprocess.Popen[bytes] | None" = None
    told: list[str] = field(default_factory=list)
    """What it has told since it was started."""
    nova: set[str] = field(default_factory=set)
    """What any of them has told Nova."""

    def start(self) -> None:
        """Start it, unless it runs, and wait until it serves."""
        if self.process is None:
            path = os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")])
            environment = os.environ | {"NOTIFY_SOCKET": self.states.getsockname(), "PYTHONPATH": path}
            command = [sys.executable, "-m", "support.fragile_conductor", self.directory, "--config-file", self.config]
            self.told.clear()
            self.process = subprocess.Popen(command, env=environment)
            self.wait_for("READY=1")

    def wait_for(self, word: str) -> None:
        """Wait until it has told something."""
        while word not in self.told:
            self._hear()

    def wait_until_nova_knows(self, word: str) -> None:
        """Wait until one of them has told Nova something."""
        while word not in self.nova:
            self._hear()

    def _hear(self) -> str:
        word = self.states.recv(100).decode()
        (self.nova.add if word.startswith("NOVA=") else self.told.append)(word)
        return word

    def send(self, method: str, wanted: RequestChanges | None = None) -> None:
        """Ask for something, without waiting for an answer, which a dead conductor cannot give."""
        target = oslo_messaging.Target(topic=self.topic, version="1.1")
        arguments = {} if wanted is None else {"wanted": wire.encode(wanted)}
        oslo_messaging.get_rpc_client(self.transport, target).cast({}, method, **arguments)

    def do(self, wanted: RequestChanges, until: str) -> None:
        """Ask for changes and wait until they are done."""
        self.told.clear()
        self.send("change_requests", wanted)
        self.wait_for(f"POINT={until}")

    def is_killed(self) -> bool:
        """Wait for its end."""
        assert self.process is not None
        status, self.process = self.process.wait(), None
        while self._hear() != f"POINT={self.fault.read_text()}":
            pass
        return status == -signal.SIGKILL

    @property
    def fault(self) -> Path:
        """Where it reads when to die."""
        return self.directory / FAULT

    @property
    def refusal(self) -> Path:
        """While this is there, its step fails."""
        return self.directory / REFUSAL

    def close(self) -> None:
        """Kill it if it runs."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()


@pytest.fixture(scope="module")
def fragile(shared_database: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fragile]:
    """One conductor after another, over one database."""
    home, directory = tmp_path_factory.mktemp("crashes"), tmp_path_factory.mktemp("files")
    config = home / "accel.conf"
    url = url_of(shared_database)
    with (
        broker_topic() as topic,
        opened_transport(home) as transport,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as states,
    ):
        config.write_text(
            f"[DEFAULT]\nhost = conductor-1\ntransport_url = {RABBITMQ_URL}\n"
            f"[database]\nconnection = {url}\n[rpc]\ntopic = {topic}\n"
        )
        states.bind(str(home / "notify"))
        conductor = Fragile(directory, config, transport, topic, states)
        try:
            yield conductor
        finally:
            conductor.close()


class Outcome(NamedTuple):
    """What must be true in the end."""

    states: list[str]
    held: int
    files: set[str]
    told: set[str]
    """What Nova is to be told at least once."""


class Case(NamedTuple):
    """An act, the point at which the conductor dies, and what becomes of it when it is started again."""

    act: str
    point: str
    goes_on_to: str = ""
    """The point that it comes to by itself after its start; empty: there is nothing left to do."""


BOUND, INITIAL = Outcome(["Bound"], 1, {"file"}, {"completed"}), Outcome(["Initial"], 0, set(), set())
FAILED = Outcome(["BindFailed"], 0, set(), {"failed"})
CASES = {
    Case("bind", "claim.written"): INITIAL,
    Case("bind", "claim.committed", "bind.committed"): BOUND,
    Case("bind", "bind.prepared", "bind.committed"): BOUND,
    Case("bind", "bind.written", "bind.committed"): BOUND,
    Case("bind", "bind.committed"): BOUND,
    Case("bind plain", "claim.written"): INITIAL,
    Case("bind plain", "claim.committed"): BOUND._replace(files=set()),
    Case("fail to bind", "undo.done", "undo.committed"): FAILED,
    Case("fail to bind", "undo.written", "undo.committed"): FAILED,
    Case("fail to bind", "undo.committed"): FAILED,
    Case("unbind", "claim.written"): BOUND,
    Case("unbind", "claim.committed", "undo.committed"): Outcome(["Unbound"], 0, set(), {"completed"}),
    Case("unbind", "undo.done", "undo.committed"): Outcome(["Unbound"], 0, set(), {"completed"}),
    Case("unbind", "undo.written", "undo.committed"): Outcome(["Unbound"], 0, set(), {"completed"}),
    Case("unbind", "undo.committed"): Outcome(["Unbound"], 0, set(), {"completed"}),
    Case("delete", "undo.done", "undo.committed"): Outcome([], 0, set(), {"completed"}),
    Case("delete", "undo.written", "undo.committed"): Outcome([], 0, set(), {"completed"}),
    Case("delete", "undo.committed"): Outcome([], 0, set(), {"completed"}),
}


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.act} {case.point}".replace(" ", "-"))
def test_a_conductor_that_is_killed_at_any_point_leaves_nothing_half_done_once_it_is_back(
    case: Case, fragile: Fragile, shared_database: Database
) -> None:
    site = Site(shared_database)
    site.report(site.gpu())
    [uuid] = site.make(group={PLAIN: "required"} if case.act == "bind plain" else {})
    fragile.start()
    _begin(case, fragile, site, uuid)
    assert fragile.is_killed()

    fragile.fault.unlink()
    fragile.start()
    if case.goes_on_to:
        fragile.wait_for(f"POINT={case.goes_on_to}")
    fragile.refusal.unlink(missing_ok=True)
    for status in CASES[case].told:
        fragile.wait_until_nova_knows(f"NOVA={uuid} {status}")

    assert _outcome(fragile, site, uuid) == CASES[case]
    _check_handle_is_usable(fragile, site, until="claim.committed" if case.act == "bind plain" else "bind.committed")


def _begin(case: Case, fragile: Fragile, site: Site, uuid: str) -> None:
    """Have the conductor do something, and die over it."""
    wanted = site.binds([uuid])
    if case.act in ("unbind", "delete"):
        fragile.do(wanted, until="bind.committed")
        wanted = site.unbinds([uuid])
    if case.act == "fail to bind":
        fragile.refusal.touch()
    fragile.fault.write_text(case.point)
    if case.act == "delete":
        site.delete(uuid)
        fragile.send("take_up_work")
    else:
        fragile.send("change_requests", wanted)


def _outcome(fragile: Fragile, site: Site, uuid: str) -> Outcome:
    files = {path for path in fragile.directory.iterdir() if path.read_text() == uuid}
    states = site.states(uuid) if site.left() else []
    told = {word.split()[1] for word in fragile.nova if word.startswith(f"NOVA={uuid} ")}
    return Outcome(states, site.held(), {path.suffix.removeprefix(".") for path in files}, told)


def _check_handle_is_usable(fragile: Fragile, site: Site, *, until: str) -> None:
    """Whoever holds the handle gives it back, and the next one gets it."""
    site.clear()
    [new] = site.make()
    fragile.do(site.binds([new], instance="next"), until=until)
    assert _outcome(fragile, site, new).states == ["Bound"]
    site.clear()
    for path in fragile.directory.iterdir():
        path.unlink()


def test_every_point_is_among_the_cases() -> None:
    assert {case.point for case in CASES} == set(POINTS)
