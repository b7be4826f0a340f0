"""Plays the agents of a whole fleet that is described in a file, thousands of nodes in one process.

Each node reports once, then gives signs of life, spread over the heartbeat interval as those of real agents are. The
file may change meanwhile: nodes whose description has changed report again, new ones begin, and those that are gone
fall silent, as a host does that loses power.
"""

import heapq
import logging
import random
import threading
import time
import uuid
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import NamedTuple

from accel.agent.bell import Bell, Call
from accel.agent.contact import Contact, Trouble
from accel.agent.correspondence import Correspondence
from accel.drivers.fleet import Fleet, FleetFile, SimulatedNode
from accel.errors import InvalidFleet
from accel.model.report import DriverReport, NodeReport
from accel.rpc.api import Conductor
from accel.rpc.wire import content_hash

_LOG = logging.getLogger(__name__)

DRIVER = "simulated"
"""The driver that played devices are reported by: the one that plays a single node of such a file."""

_MESSAGES_AT_ONCE = 8
_FILE_CHECK_SECONDS = 1.0


class Counter:
    """A sequence that nobody keeps: each run of the player is a boot of its own."""

    def __init__(self) -> None:
        self._last = 0

    def next_sequence(self) -> int:
        """See ``Sequence.next_sequence``."""
        self._last += 1
        return self._last

    def raise_sequence(self, to: int) -> None:
        """See ``Sequence.raise_sequence``."""
        self._last = max(self._last, to)


class PlayedAgent:
    """The agent of one node. It remembers no devices: the file has them."""

    def __init__(
        self, conductor: Conductor, node: SimulatedNode, *, version: str, boot_id: str, listens_as: str = ""
    ) -> None:
        self._messages = Correspondence(conductor, Counter())
        self._version = version
        self._boot_id = boot_id
        self._listens_as = listens_as
        self._told: SimulatedNode | None = None
        self._hash = ""
        self.node = node
        """How the file describes it now; may be set while a message is under way."""

    @property
    def is_new(self) -> bool:
        """Whether the node was never reported."""
        return self._told is None

    @property
    def has_news(self) -> bool:
        """Whether the node is yet to be reported as it is."""
        return self._told is not self.node

    def deliver(self) -> None:
        """Report the node, or give a sign of life; raises as ``Correspondence`` does."""
        node = self.node
        if node is self._told and self._messages.heartbeat(node.name, self._boot_id, self._hash):
            return
        report = NodeReport(
            node=replace(node.info(self._version), agent=self._listens_as),
            boot_id=self._boot_id,
            sequence=0,
            drivers=(DriverReport(driver=DRIVER, devices=node.devices()),),
        )
        self._messages.report(report)
        self._told, self._hash = node, content_hash(report)


class Timetable:
    """Whose turn it is when. Threads may share it; nobody has two turns at once."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._due: dict[str, float] = {}
        self._heap: list[tuple[float, str]] = []
        self._on_turn: set[str] = set()
        self._wants_another: set[str] = set()

    def enter(self, name: str) -> None:
        """Give a turn now; after the present one if it is on its turn."""
        with self._lock:
            if name in self._on_turn:
                self._wants_another.add(name)
            else:
                self._plan(name, self._clock())

    def finish(self, name: str, pause_seconds: float) -> None:
        """End a turn; the next one comes after the pause."""
        with self._lock:
            self._on_turn.remove(name)
            if name in self._wants_another:
                self._wants_another.remove(name)
                self._plan(name, self._clock())
            elif name in self._due:
                self._plan(name, self._clock() + pause_seconds)

    def leave(self, name: str) -> None:
        """Give no further turn."""
        with self._lock:
            self._due.pop(name, None)
            self._wants_another.discard(name)

    def next(self) -> str | None:
        """Begin the turn that is due; None when none is."""
        with self._lock:
            while self._heap and self._heap[0][0] <= self._clock():
                due, name = heapq.heappop(self._heap)
                if self._due.get(name) == due:  # else it was planned anew since
                    self._on_turn.add(name)
                    return name
        return None

    def pause(self, longest_seconds: float) -> float:
        """How long until the next turn, in seconds."""
        with self._lock:
            return min(longest_seconds, self._heap[0][0] - self._clock()) if self._heap else longest_seconds

    def _plan(self, name: str, due: float) -> None:
        self._due[name] = due
        heapq.heappush(self._heap, (due, name))


class _Played(NamedTuple):
    agent: PlayedAgent
    contact: Contact


@dataclass(frozen=True, slots=True, kw_only=True)
class Habits:
    """How played agents behave."""

    version: str
    """Which release they say they are of."""
    heartbeat_seconds: float
    listens_as: str = ""
    """By which name jobs for their nodes are taken; empty: by theirs."""
    jitter: Callable[[], float] = random.random
    """A random number from 0 to 1."""


class Player:
    """Plays the file until the bell says stop."""

    def __init__(self, conductor: Conductor, file: FleetFile, bell: Bell, habits: Habits) -> None:
        self._conductor = conductor
        self._file = file
        self._bell = bell
        self._habits = habits
        self._boot_id = str(uuid.uuid4())
        self._trouble = Trouble()
        self._timetable = Timetable(time.monotonic)
        self._slots = threading.BoundedSemaphore(_MESSAGES_AT_ONCE)
        self._fleet = Fleet(())
        self._played: dict[str, _Played] = {}
        self._complaint = ""
        self._turned = threading.Condition()

    def run(self) -> None:
        """Play.

        :raises InvalidFleet: the file has a mistake at the start; one that it gets later is logged
        """
        self._follow(self._file.current())
        next_check = time.monotonic() + _FILE_CHECK_SECONDS
        with ThreadPoolExecutor(_MESSAGES_AT_ONCE, thread_name_prefix="played") as pool:
            while Call.STOP not in (calls := self._bell.wait(self._timetable.pause(_FILE_CHECK_SECONDS))):
                if Call.LOOK in calls or time.monotonic() >= next_check:
                    self._look_at_file()
                    next_check = time.monotonic() + _FILE_CHECK_SECONDS
                self._begin_turn(pool)
        self._bell.close()

    def catch_up(self, patience_seconds: float) -> bool:
        """Look at the file now, and wait until all that is new is reported; gives whether that was in time."""
        if not self._bell.ring_and_wait(Call.LOOK, patience_seconds):
            return False
        with self._turned:
            return self._turned.wait_for(lambda: not self._has_news(), patience_seconds)

    def _has_news(self) -> bool:
        return any(played.agent.has_news for played in list(self._played.values()))

    def _begin_turn(self, pool: ThreadPoolExecutor) -> None:
        name = self._timetable.next()
        if name is not None:
            self._slots.acquire()
            pool.submit(self._take_turn, name, self._played[name]).add_done_callback(self._turn_done)

    def _take_turn(self, name: str, played: "_Played") -> None:
        is_first = played.agent.is_new
        pause = played.contact.make()
        self._timetable.finish(name, pause * self._habits.jitter() if is_first else pause)

    def _turn_done(self, turn: Future[None]) -> None:
        self._slots.release()
        with self._turned:
            self._turned.notify_all()
        mistake = turn.exception()
        if mistake is not None:
            _LOG.error("A played agent has stopped", exc_info=mistake)

    def _look_at_file(self) -> None:
        try:
            fleet = self._file.current()
        except InvalidFleet as error:
            if str(error) != self._complaint:
                self._complaint = str(error)
                _LOG.error("%s. The fleet stays as it was", error)
            return
        self._complaint = ""
        if fleet is not self._fleet:
            self._follow(fleet)

    def _follow(self, fleet: Fleet) -> None:
        """Play what the file describes now."""
        self._fleet = fleet
        for name in self._played.keys() - {node.name for node in fleet.nodes}:
            self._timetable.leave(name)
            del self._played[name]
        for node in fleet.nodes:
            self._play(node)

    def _play(self, node: SimulatedNode) -> None:
        played = self._played.get(node.name)
        if played is None:
            agent = PlayedAgent(
                self._conductor,
                node,
                version=self._habits.version,
                boot_id=self._boot_id,
                listens_as=self._habits.listens_as,
            )
            contact = Contact(agent, self._trouble, heartbeat_seconds=self._habits.heartbeat_seconds)
            self._played[node.name] = _Played(agent, contact)
        elif played.agent.node == node:
            return
        else:
            played.agent.node = node
        self._timetable.enter(node.name)
