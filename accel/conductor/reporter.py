"""Keeps OpenStack Placement true: takes the nodes that have changed, one after the other, and makes it agree.

Whatever changes a node makes it due in the same transaction (``accel.db.placement_nodes``), so nothing is lost by an
outage: not of Placement, not of a conductor, not of the database. What cannot be told now is told again, with pauses
that grow. While Placement itself does not answer no node is tried but one at a time.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Event
from typing import NamedTuple

from accel.conductor.backoff import growing_pause
from accel.conductor.placement import Refused
from accel.conductor.providers import Reconciler, RootMissing
from accel.db import placement_nodes, providers
from accel.db.engine import Connection, Database
from accel.db.placement_nodes import Taken, Verdict
from accel.errors import Conflict, PlacementUnavailable
from accel.model.provider import Provider, SyncState, intended, is_as_told, wanted

_LOG = logging.getLogger(__name__)
_CALM = frozenset({SyncState.PENDING, SyncState.AGREES})


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """How Placement is told; option group ``placement`` explains most."""

    marks: frozenset[str] = frozenset()
    """The traits that every provider has beside those of its driver."""
    lease: timedelta = timedelta(minutes=10)
    """Longer than telling of one node takes: when it is over another conductor may do it."""
    longest_pause: timedelta = timedelta(seconds=60)
    compare_interval: timedelta = timedelta(days=1)


class _Task(NamedTuple):
    """A node that is taken, and the providers that it should have."""

    taken: Taken
    wanted: dict[str, Provider]


class Reporter:
    """Makes Placement agree with what is recorded.

    :param clock: tells the time, with zone
    :param stop: ends the work between two nodes when it is set
    """

    def __init__(
        self,
        database: Database,
        reconciler: Reconciler,
        clock: Callable[[], datetime],
        terms: Terms,
        *,
        stop: Event,
    ) -> None:
        self._database = database
        self._reconciler = reconciler
        self._clock = clock
        self._terms = terms
        self._stop = stop
        self._has_all = False
        self._outages = 0
        """How often in succession Placement has not answered."""
        self._again_at: datetime | None = None

    @property
    def marks(self) -> frozenset[str]:
        """The traits that every provider has beside those of its driver."""
        return self._terms.marks

    def tell_due(self) -> None:
        """Tell Placement of all nodes that are due.

        :raises DatabaseUnavailable: the rest is told later
        """
        if not self._has_all:
            self._database.write(lambda connection: placement_nodes.add_missing(connection, self._clock()))
            self._has_all = True
        while not self._stop.is_set() and (self._again_at is None or self._clock() >= self._again_at):
            task = self._database.write(self._take)
            if task is None or not self._tell(task):
                return

    def tell(self, node: str) -> Verdict:
        """Tell Placement of one node now, whether anything has changed or not; gives how it stands then.

        :raises PlacementUnavailable: it does not answer
        :raises DatabaseUnavailable: it is told later
        """
        task = self._database.write(lambda connection: self._take(connection, node))
        if task is None:
            return Verdict(SyncState.PENDING, f"node {node} is not recorded")
        return self._work(task, forgets=True)

    def _take(self, connection: Connection, node: str | None = None) -> _Task | None:
        """Take a node and remember what it is going to be told, in one transaction."""
        now = self._clock()
        try:
            taken = placement_nodes.take(connection, now=now, until=now + self._terms.lease, node=node)
        except Conflict:
            return None
        if taken is None:
            return None
        parts = providers.load(connection, [taken.node]).get(taken.node, [])
        its = wanted(parts, marks=self._terms.marks)
        if not is_as_told(its, taken.known):
            placement_nodes.remember(connection, taken.node, intended(its.values(), taken.known))
        return _Task(taken, its)

    def _tell(self, task: _Task) -> bool:
        """Tell Placement of a node; False: it does not answer."""
        taken = task.taken
        if taken.is_changed and taken.state is SyncState.AGREES and is_as_told(task.wanted, taken.known):
            self._conclude(taken, Verdict(SyncState.AGREES))
            return True
        try:
            self._work(task)
        except PlacementUnavailable as error:
            self._is_away(error)
            return False
        self._is_back()
        return True

    def _work(self, task: _Task, *, forgets: bool = False) -> Verdict:
        taken = task.taken
        known = taken.known
        if forgets:
            known = intended(known.providers.values(), known)
        try:
            outcome = self._reconciler.agree(taken.node, task.wanted, known)
        except RootMissing as error:
            verdict = Verdict(SyncState.WAITING, str(error))
        except Refused as error:
            verdict = Verdict(SyncState.REFUSED, str(error))
        except PlacementUnavailable:
            self._database.write(lambda connection: placement_nodes.give_back(connection, taken, self._clock()))
            raise
        else:
            state = SyncState.KEPT if outcome.kept else SyncState.AGREES
            verdict = Verdict(state, "; ".join(outcome.kept), outcome.known)
        self._conclude(taken, verdict)
        return verdict

    def _conclude(self, taken: Taken, verdict: Verdict) -> None:
        now = self._clock()
        if verdict.state is SyncState.AGREES:
            pause = self._terms.compare_interval
        else:
            pause = growing_pause(taken.failures + 1, self._terms.longest_pause)
        self._database.write(
            lambda connection: placement_nodes.conclude(connection, taken, verdict, due_at=now + pause, now=now)
        )
        if verdict.state is taken.state or {verdict.state, taken.state} <= _CALM:
            return
        if verdict.state is SyncState.AGREES:
            _LOG.info("Placement agrees about node %s again", taken.node)
        else:
            _LOG.warning("Placement and node %s: %s: %s", taken.node, verdict.state, verdict.reason)

    def _is_away(self, error: PlacementUnavailable) -> None:
        self._outages += 1
        self._again_at = self._clock() + growing_pause(self._outages, self._terms.longest_pause)
        if self._outages == 1:
            _LOG.warning("Placement is told nothing for now: %s", error)

    def _is_back(self) -> None:
        if self._outages:
            _LOG.info("Placement answers again")
        self._outages, self._again_at = 0, None
