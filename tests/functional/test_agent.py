"""The agent with its real drivers' processes left out, and everything else real, up to the conductor's database."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
from sqlalchemy import select
from support.clocks import Clock
from support.databases import migrated
from support.faulty_drivers import faulty_drivers, setups
from support.waiting import until

from accel.agent.aside import InThread
from accel.agent.bell import Bell, Call
from accel.agent.contact import Contact, Trouble
from accel.agent.probe import Outcome, Setup
from accel.agent.reporter import Reporter
from accel.agent.runner import InlineRunner
from accel.agent.service import Agent, Around, Eye, Identity, Intervals
from accel.agent.spool import Spool
from accel.conductor.manager import Limits, Manager
from accel.db import tables
from accel.db.engine import Database
from accel.drivers.base import Host
from accel.errors import ConductorUnavailable, InvalidValue, Superseded
from accel.model.report import Acknowledgement, Heartbeat, NodeReport, Verdict
from accel.rpc.api import Conductor
from accel.rpc.local import LocalConductor

__all__ = ["faulty_drivers"]  # a fixture
_PATIENCE = 20.0

pytestmark = pytest.mark.usefixtures("faulty_drivers")


@dataclass
class Way:
    """The way to the conductor; it can be cut, and loses answers where a test wants that."""

    conductor: Conductor
    is_cut: bool = False
    loses_answers: bool = False
    hangs_until: Event | None = None
    is_asked: Event = field(default_factory=Event)
    """Whether somebody waits meanwhile."""
    carried: list[NodeReport | Heartbeat] = field(default_factory=list)

    def report(self, report: NodeReport) -> Acknowledgement:
        return self._carry(report, self.conductor.report)

    def heartbeat(self, heartbeat: Heartbeat) -> Acknowledgement:
        return self._carry(heartbeat, self.conductor.heartbeat)

    def _carry(self, message: Any, take: Any) -> Acknowledgement:
        if self.hangs_until is not None:
            self.is_asked.set()
            self.hangs_until.wait(_PATIENCE)
        if self.is_cut:
            raise ConductorUnavailable("the way is cut")
        self.carried.append(message)
        answer: Acknowledgement = take(message)
        if self.loses_answers:
            raise ConductorUnavailable("the answer was lost")
        return answer


class Bench:
    """A node with one card that can be pulled, its agent, and a conductor."""

    def __init__(self, database: Database, directory: Path) -> None:
        self.database = database
        self.directory = directory
        self.host = Host(name="node-1", root=directory / "host")
        (self.host.proc / "sys/kernel/random").mkdir(parents=True)
        self.boot("boot-1")
        self.insert_card()
        self.way = Way(LocalConductor(Manager(database, Clock(), Limits())))
        self.start_agent()

    def boot(self, name: str) -> None:
        (self.host.proc / "sys/kernel/random/boot_id").write_text(name)

    def start_agent(self, spool: str = "spool") -> None:
        """Begin anew with what is on disk; no more of the agent before is left than after a power failure."""
        self.spool = Spool(self.directory / spool)
        self.spool.open()
        runner = InlineRunner(setups("test-one-card", host=self.host))
        self.eye = Eye(Identity(host=self.host, version="1"), runner, self.spool)
        self.reporter = Reporter(self.way, self.spool)

    def insert_card(self) -> None:
        (self.host.root / "card").touch()

    def pull_card(self) -> None:
        (self.host.root / "card").unlink()

    def look(self) -> None:
        self.reporter.observe(self.eye.look())

    def events(self) -> list[str]:
        with self.database.reader() as connection:
            kinds = connection.execute(select(tables.Event.kind).order_by(tables.Event.id)).scalars()
            return [kind for kind in kinds if kind.startswith("device.")]

    def carried(self) -> list[str]:
        return [type(message).__name__ for message in self.way.carried]


@pytest.fixture
def bench(database: Database, tmp_path: Path) -> Bench:
    return Bench(database, tmp_path)


def test_what_is_on_the_node_is_reported_once_and_confirmed_by_heartbeats_then(bench: Bench) -> None:
    for _ in range(3):
        bench.look()
        bench.reporter.deliver()

    assert bench.carried() == ["NodeReport", "Heartbeat", "Heartbeat"]
    assert bench.events() == ["device.added"]


def test_a_change_is_reported(bench: Bench) -> None:
    bench.look()
    bench.reporter.deliver()

    bench.pull_card()
    bench.look()
    bench.reporter.deliver()

    assert bench.events() == ["device.added", "device.lost"]


def test_a_card_that_vanished_and_came_back_while_the_conductor_was_away_is_in_its_history(bench: Bench) -> None:
    bench.look()
    bench.reporter.deliver()
    bench.way.is_cut = True
    for change in (bench.pull_card, bench.insert_card):
        change()
        bench.look()
        with pytest.raises(ConductorUnavailable):
            bench.reporter.deliver()

    bench.way.is_cut = False
    bench.reporter.deliver()

    assert bench.events() == ["device.added", "device.lost", "device.returned"]


def test_and_so_it_is_when_the_agent_was_restarted_meanwhile(bench: Bench) -> None:
    bench.look()
    bench.reporter.deliver()
    bench.pull_card()
    bench.look()
    bench.start_agent()
    bench.insert_card()
    bench.look()

    bench.reporter.deliver()

    assert bench.events() == ["device.added", "device.lost", "device.returned"]


def test_a_report_whose_answer_was_lost_is_sent_again_and_changes_nothing(bench: Bench) -> None:
    bench.way.loses_answers = True
    bench.look()
    with pytest.raises(ConductorUnavailable):
        bench.reporter.deliver()

    bench.way.loses_answers = False
    bench.reporter.deliver()

    assert bench.carried() == ["NodeReport", "NodeReport"]
    assert bench.events() == ["device.added"]


def test_an_agent_that_lost_its_spool_goes_on_with_the_conductor_s_count(bench: Bench) -> None:
    for _ in range(5):
        bench.look()
        bench.reporter.deliver()

    bench.start_agent(spool="another")
    bench.pull_card()
    bench.look()
    bench.reporter.deliver()

    assert bench.events() == ["device.added", "device.lost"]


def test_a_conductor_that_lost_its_database_asks_for_the_whole_report(bench: Bench, tmp_path: Path) -> None:
    bench.look()
    bench.reporter.deliver()

    with migrated("sqlite", tmp_path) as empty:
        bench.way.conductor = LocalConductor(Manager(empty, Clock(), Limits()))
        bench.reporter.deliver()

    assert bench.carried() == ["NodeReport", "Heartbeat", "NodeReport"]


def test_after_a_restart_of_the_host_reports_of_the_boot_before_come_first(bench: Bench) -> None:
    bench.look()
    bench.reporter.deliver()
    bench.pull_card()
    bench.look()
    bench.boot("boot-2")
    bench.start_agent()
    bench.insert_card()
    bench.look()

    bench.reporter.deliver()

    assert bench.events() == ["device.added", "device.lost", "device.returned"]
    assert bench.way.carried[-1].boot_id == "boot-2"


def test_a_report_of_a_boot_that_the_conductor_knows_to_be_over_is_given_up(bench: Bench) -> None:
    bench.look()
    bench.reporter.deliver()
    bench.pull_card()
    bench.look()  # this report waits
    bench.boot("boot-2")
    bench.start_agent(spool="another")
    bench.look()
    bench.reporter.deliver()

    bench.start_agent()
    bench.look()
    bench.reporter.deliver()

    assert bench.spool.oldest is None
    assert bench.events() == ["device.added", "device.lost"]


def test_two_hosts_under_one_name_are_told_so(bench: Bench) -> None:
    bench.look()
    bench.reporter.deliver()
    first = bench.reporter
    bench.boot("boot-2")
    bench.start_agent(spool="of the other host")
    bench.look()
    bench.reporter.deliver()

    with pytest.raises(Superseded, match=r"set \[DEFAULT\] host"):
        first.deliver()


class Choosy:
    """A conductor of another release: what it is told of cards, it takes for wrong."""

    def __init__(self) -> None:
        self.taken: list[NodeReport] = []

    def report(self, report: NodeReport) -> Acknowledgement:
        if report.drivers[0].devices:
            raise InvalidValue("type", "GPU", "a type that is known here")
        self.taken.append(report)
        return Acknowledgement(verdict=Verdict.ACCEPTED, sequence=report.sequence)

    def heartbeat(self, heartbeat: Heartbeat) -> Acknowledgement:
        return Acknowledgement(verdict=Verdict.REPORT_WANTED, sequence=heartbeat.sequence)


def test_a_report_that_the_conductor_does_not_understand_does_not_hold_up_those_after_it(bench: Bench) -> None:
    conductor = Choosy()
    bench.way.conductor = LocalConductor(conductor)
    bench.look()
    bench.pull_card()
    bench.look()

    bench.reporter.deliver()

    assert len(conductor.taken) == 1
    assert bench.spool.oldest is None


# --- the loop ---


class Ticks:
    """A clock that the loop's own waiting moves on."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class ScriptedBell(Bell):
    """Lets time pass without waiting; does what the script says after each wait, and stops at its end."""

    def __init__(self, clock: Ticks, *script: Any) -> None:
        super().__init__()
        self._clock = clock
        self._script = iter(script)

    def wait(self, timeout_seconds: float) -> frozenset[Call]:
        self._clock.now += timeout_seconds
        step = next(self._script, Call.STOP)
        if isinstance(step, Call):
            return frozenset({step})
        step()
        return frozenset()


def run(bench: Bench, *script: Any, intervals: Intervals | None = None) -> list[str]:
    told: list[str] = []
    clock = Ticks()
    agent = Agent(
        bench.eye,
        bench.reporter,
        ScriptedBell(clock, *script),
        intervals=intervals or Intervals(heartbeat_seconds=60, rediscovery_seconds=300, alive_seconds=60),
        around=Around(notify=told.append, clock=clock),
    )
    agent.run()
    return told


def nothing() -> None:
    """Happens."""


def test_the_agent_gives_a_sign_of_life_each_minute_and_looks_again_after_five(bench: Bench) -> None:
    run(bench, bench.pull_card, *[nothing] * 5)

    assert bench.carried() == ["NodeReport", *["Heartbeat"] * 4, "NodeReport", "Heartbeat"]


def test_a_call_makes_it_look_and_report_at_once(bench: Bench) -> None:
    bench.pull_card()

    run(bench, bench.insert_card, Call.LOOK)

    assert bench.carried() == ["NodeReport", "Heartbeat", "NodeReport"]


def test_during_an_outage_it_goes_on_looking_and_catches_up_after_it(bench: Bench) -> None:
    def end_outage() -> None:
        bench.way.is_cut = False

    bench.way.is_cut = True
    run(bench, bench.pull_card, Call.LOOK, bench.insert_card, Call.LOOK, end_outage, *[nothing] * 3)

    assert bench.events() == ["device.added", "device.lost", "device.returned"]


class Looks(InlineRunner):
    """Keeps how many cards were seen at each look."""

    def __init__(self, setups: Sequence[Setup]) -> None:
        super().__init__(setups)
        self.seen: list[int] = []

    def discover(self) -> tuple[Outcome, ...]:
        outcomes = super().discover()
        self.seen.append(sum(len(outcome.report.devices) for outcome in outcomes))
        return outcomes


def test_while_a_conductor_that_was_away_takes_its_time_the_node_is_looked_at(bench: Bench) -> None:
    bench.way.is_cut = True
    answer, bell = Event(), Bell()
    told: list[str] = []
    runner = Looks(setups("test-one-card", host=bench.host))
    eye = Eye(Identity(host=bench.host, version="1"), runner, bench.spool)
    around = Around(notify=told.append, aside=InThread())
    agent = Agent(eye, bench.reporter, bell, intervals=Intervals(), around=around)
    running = Thread(target=agent.run, daemon=True)
    running.start()
    until(lambda: any("the conductor is away" in state for state in told))
    bench.way.hangs_until = answer
    assert bench.way.is_asked.wait(_PATIENCE)
    bench.pull_card()

    bell.ring(Call.LOOK)

    until(lambda: runner.seen == [1, 0])
    assert not answer.is_set()
    answer.set()
    bell.ring(Call.STOP)
    running.join(_PATIENCE)
    assert not running.is_alive()


def test_the_service_manager_is_told_how_it_is(bench: Bench) -> None:
    def cut() -> None:
        bench.way.is_cut = True

    told = run(bench, cut, nothing)

    assert told[0] == "READY=1"
    assert "WATCHDOG=1\nSTATUS=the conductor is heard" in told
    assert "WATCHDOG=1\nSTATUS=the conductor is away: the way is cut" in told
    assert told[-1] == "STOPPING=1"


def test_pauses_between_tries_grow_to_a_minute_and_shrink_after_success(bench: Bench) -> None:
    contact = Contact(bench.reporter, Trouble(), heartbeat_seconds=60, jitter=lambda: 1.0)
    bench.look()
    bench.way.is_cut = True
    pauses = [contact.make() for _ in range(8)]
    bench.way.is_cut = False
    pauses.append(contact.make())
    bench.way.is_cut = True
    pauses.append(contact.make())

    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60, 60, 1]


def test_a_thousand_agents_do_not_come_back_at_the_same_moment(bench: Bench) -> None:
    bench.way.is_cut = True
    bench.look()

    pauses = {
        Contact(bench.reporter, Trouble(), heartbeat_seconds=60, jitter=lambda share=share: share).make()
        for share in (0.0, 0.5, 1.0)
    }

    assert pauses == {0.5, 0.75, 1.0}
