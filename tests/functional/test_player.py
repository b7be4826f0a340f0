"""One process plays a fleet, and the conductor cannot tell."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import func, select
from support.clocks import Clock
from support.waiting import until

from accel.agent.bell import Bell, Call
from accel.agent.player import Habits, PlayedAgent, Player, Timetable
from accel.conductor.manager import Limits, Manager
from accel.db.engine import Database
from accel.db.tables import Device, Node
from accel.drivers.fleet import FleetFile
from accel.errors import ConductorUnavailable, InvalidFleet
from accel.model.report import Acknowledgement, Heartbeat, NodeReport, Verdict
from accel.rpc.local import LocalConductor

FLEET = """
nodes:
  - name: node-{0:02d}
    count: 20
    cards: [{model: A100-SXM4-40GB, count: 2}]
"""
OF_TEN = FLEET.replace("count: 20", "count: 10")


@contextmanager
def playing(player: Player, bell: Bell) -> Iterator[None]:
    thread = threading.Thread(target=player.run)
    thread.start()
    try:
        yield
    finally:
        bell.ring(Call.STOP)
        thread.join()


def counted(database: Database) -> tuple[int, int]:
    with database.reader() as connection:
        nodes = connection.execute(select(func.count()).select_from(Node)).scalar_one()
        present = select(func.count()).select_from(Device).where(Device.presence == "present")
        return nodes, connection.execute(present).scalar_one()


@pytest.mark.timeout(60)
def test_a_fleet_is_taken_in_and_follows_its_file(database: Database, tmp_path: Path) -> None:
    file = tmp_path / "fleet.yaml"
    file.write_text(FLEET)
    bell = Bell()
    manager = LocalConductor(Manager(database, Clock(), Limits()))
    player = Player(manager, FleetFile(file), bell, Habits(version="1", heartbeat_seconds=60))
    with playing(player, bell):
        until(lambda: counted(database) == (20, 40))

        file.write_text(FLEET.replace("count: 2}", "count: 1}"))
        until(lambda: counted(database) == (20, 20))

        file.write_text("nodes: [")  # somebody saves half of it
        file.write_text(FLEET.replace("count: 20", "count: 22"))
        until(lambda: counted(database) == (22, 44))


def test_a_fleet_file_with_a_mistake_stops_the_start(tmp_path: Path) -> None:
    file = tmp_path / "fleet.yaml"
    file.write_text("nodes: 7")
    player = Player(Deaf(), FleetFile(file), Bell(), Habits(version="1", heartbeat_seconds=60))

    with pytest.raises(InvalidFleet):
        player.run()


class Deaf:
    """A conductor that is away, until it listens."""

    def __init__(self) -> None:
        self.listens = False
        self.turned_away = 0
        self.heard: list[NodeReport | Heartbeat] = []
        self._lock = threading.Lock()

    def report(self, report: NodeReport) -> Acknowledgement:
        return self._hear(report)

    def heartbeat(self, heartbeat: Heartbeat) -> Acknowledgement:
        return self._hear(heartbeat)

    def _hear(self, message: NodeReport | Heartbeat) -> Acknowledgement:
        with self._lock:
            if not self.listens:
                self.turned_away += 1
                raise ConductorUnavailable("nobody listens")
            self.heard.append(message)
        return Acknowledgement(verdict=Verdict.ACCEPTED, sequence=message.sequence)


@pytest.mark.timeout(60)
def test_every_node_is_reported_when_the_conductor_comes_back(tmp_path: Path) -> None:
    file = tmp_path / "fleet.yaml"
    file.write_text(OF_TEN)
    bell, conductor = Bell(), Deaf()
    # By chance the first sign of life could come at once, and be heard before the last report.
    player = Player(conductor, FleetFile(file), bell, Habits(version="1", heartbeat_seconds=60, jitter=lambda: 1))
    with playing(player, bell):
        until(lambda: conductor.turned_away >= 10)
        conductor.listens = True
        until(lambda: len(conductor.heard) == 10)

    assert all(isinstance(message, NodeReport) for message in conductor.heard)
    assert len({message.node.name for message in conductor.heard if isinstance(message, NodeReport)}) == 10


def test_after_its_report_a_node_gives_signs_of_life(tmp_path: Path) -> None:
    file = tmp_path / "fleet.yaml"
    file.write_text(OF_TEN)
    conductor = Deaf()
    conductor.listens = True
    agent = PlayedAgent(conductor, FleetFile(file).current().nodes[0], version="1", boot_id="boot")

    for _ in range(3):
        agent.deliver()

    assert [type(message) for message in conductor.heard] == [NodeReport, Heartbeat, Heartbeat]
    assert [message.sequence for message in conductor.heard] == [1, 2, 3]


# --- turns ---


class Now:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def turns(timetable: Timetable) -> list[str]:
    found = []
    while (name := timetable.next()) is not None:
        found.append(name)
    return found


def test_a_turn_comes_after_its_pause_and_not_before() -> None:
    clock = Now()
    timetable = Timetable(clock)
    timetable.enter("a")
    assert turns(timetable) == ["a"]
    timetable.finish("a", 60)

    clock.now = 59.9
    assert turns(timetable) == []
    clock.now = 60.0
    assert turns(timetable) == ["a"]


def test_nobody_has_two_turns_at_once() -> None:
    timetable = Timetable(Now())
    timetable.enter("a")
    turns(timetable)

    timetable.enter("a")

    assert turns(timetable) == []


def test_news_that_come_during_a_turn_get_another_at_once_and_no_third() -> None:
    timetable = Timetable(Now())
    timetable.enter("a")
    turns(timetable)
    timetable.enter("a")
    timetable.finish("a", 60)

    assert turns(timetable) == ["a"]
    timetable.finish("a", 60)
    assert turns(timetable) == []
    assert timetable.pause(1000) == 60


def test_news_between_turns_bring_the_turn_forward() -> None:
    clock = Now()
    timetable = Timetable(clock)
    timetable.enter("a")
    turns(timetable)
    timetable.finish("a", 60)
    timetable.enter("a")
    assert turns(timetable) == ["a"]
    timetable.finish("a", 90)

    clock.now = 60.0
    assert turns(timetable) == []


def test_who_has_left_gets_no_turn_any_more() -> None:
    timetable = Timetable(Now())
    for name in ("a", "b"):
        timetable.enter(name)
    timetable.leave("a")
    assert turns(timetable) == ["b"]

    timetable.leave("b")
    timetable.finish("b", 0)
    assert turns(timetable) == []
