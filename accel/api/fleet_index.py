"""The fleet in memory, as placement asks it: one index for each process of the API, kept true by history.

It is read once, when the service starts, and then node by node as history tells of them: a question costs one short
statement when nothing has changed. Whoever comes while somebody else is reading waits for that, and reads again only
where that reading had begun before; so however many ask at once, two of them read. Who may go by what was true a moment
ago does not wait for that.

What is in memory may be old by the time it is used. Nothing is promised by it: whoever takes something looks at it
again under a lock. Any number of processes have an index each, and they need not agree.
"""

import logging
import time
from collections.abc import Callable, Collection
from datetime import UTC, datetime
from itertools import count
from threading import Lock, Thread
from typing import TypeVar

from accel.db import changed_nodes, fleet, occupancy
from accel.db.changed_nodes import Position
from accel.db.engine import Connection, Database
from accel.errors import DatabaseUnavailable
from accel.placement.fleet import Fleet
from accel.placement.snapshot import Host

_LOG = logging.getLogger(__name__)
T = TypeVar("T")


def _now() -> datetime:
    return datetime.now(UTC)


class FleetIndex:
    """Any number of threads may ask it.

    :param clock: what time it is, in UTC
    :param seconds: seconds since whenever
    :param when_read: is called after each reading of the whole fleet, which makes many objects that stay
    """

    def __init__(
        self,
        database: Database,
        *,
        clock: Callable[[], datetime] = _now,
        seconds: Callable[[], float] = time.monotonic,
        when_read: Callable[[], None] = lambda: None,
    ) -> None:
        self._database = database
        self._when_read = when_read
        self._clock = clock
        self._seconds = seconds
        self._tickets = count(1)
        self._begun = 0
        self._read_at = 0.0
        self._reading = Lock()
        self._using = Lock()
        self._position: Position | None = None
        self._fleet = Fleet()
        self._doubted: set[str] = set()

    def start(self) -> None:
        """Begin to read the fleet, in a thread of its own; who asks before that is done waits for it."""
        Thread(target=self._read_first, name="fleet-index", daemon=True).start()

    def ask(self, question: Callable[[Fleet], T], *, may_be_old_by: float = 0) -> T:
        """The answer to a question about the fleet as it is now. The question may change the fleet as it likes.

        :param may_be_old_by: so many seconds ago is now, and while somebody else is reading, what is read so far
        :raises DatabaseUnavailable: how it is now cannot be read
        """
        if self._is_older_than(may_be_old_by):
            self._refresh(may_be_old_by)
        with self._using:
            return question(self._fleet)

    def doubt(self, nodes: Collection[str]) -> None:
        """Read these nodes anew the next time, whether history tells of them or not."""
        with self._using:
            self._doubted.update(nodes)

    def _read_first(self) -> None:
        started = self._seconds()
        try:
            self._refresh()
        except DatabaseUnavailable as error:
            _LOG.warning("the fleet is read for placement when it is first asked for: %s", error)
        else:
            _LOG.info("%d nodes are known to placement, after %.1f s", len(self._fleet), self._seconds() - started)

    def _is_older_than(self, seconds: float) -> bool:
        return self._position is None or self._seconds() - self._read_at >= seconds

    def _refresh(self, may_be_old_by: float = 0) -> None:
        asked = next(self._tickets)
        if not self._reading.acquire(blocking=self._position is None or not may_be_old_by):
            return
        try:
            if self._begun > asked or not self._is_older_than(may_be_old_by):
                return
            self._begun = next(self._tickets)
            began_at = self._seconds()
            self._read()
            self._read_at = began_at
        finally:
            self._reading.release()

    def _read(self) -> None:
        if self._position is None:
            self._read_all()
            return
        position = self._position
        changes = self._database.read(lambda it: changed_nodes.since(it, position, now=self._clock()))
        if changes.position is None:
            _LOG.warning("history is not what it was: the database has been put back, and the fleet is read anew")
            self._read_all()
            return
        with self._using:
            doubted, self._doubted = self._doubted, set()
        try:
            self._read_nodes(changes.nodes | doubted, changes.occupied - doubted)
            doubted = set()
        finally:
            self.doubt(doubted)
        self._position = changes.position

    def _read_all(self) -> None:
        def read(connection: Connection) -> tuple[Position, list[Host]]:
            return changed_nodes.now_at(connection, now=self._clock()), fleet.load(connection)

        position, hosts = self._database.read(read)
        whole = Fleet.of(hosts)
        with self._using:
            self._fleet = whole
        self._position = position
        self._when_read()

    def _read_nodes(self, changed: Collection[str], occupied: Collection[str]) -> None:
        hosts = self._database.read(lambda it: fleet.load(it, changed)) if changed else []
        found = self._database.read(lambda it: occupancy.read(it, occupied)) if occupied else {}
        with self._using:
            for name in changed:
                self._fleet.remove(name)
            for host in hosts:
                self._fleet.replace(host)
            for name, its in found.items():
                known = self._fleet.hosts.get(name)
                now = occupancy.occupied(known, its) if known is not None else None
                if now is not None and now is not known:
                    self._fleet.replace(now)
