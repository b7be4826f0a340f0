"""The agent's loop: look when something may have changed, report when something has, give a sign of life otherwise."""

import logging
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace

from accel.agent.aside import Aside, AtOnce
from accel.agent.bell import Bell, Call
from accel.agent.contact import Contact, Trouble
from accel.agent.merge import merge
from accel.agent.node import boot_id, node_info
from accel.agent.ownership import Ownership
from accel.agent.reporter import Reporter
from accel.agent.runner import Runner
from accel.agent.spool import Spool
from accel.agent.vigil import Vigil
from accel.drivers.base import Host
from accel.model.report import DriverReport, NodeReport

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Whom the agent speaks for."""

    host: Host
    version: str
    rack: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Intervals:
    """How often the agent does what."""

    heartbeat_seconds: float = 60
    rediscovery_seconds: float = 300
    alive_seconds: float = 30
    """How often the service manager hears that the agent lives, at least."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """What an agent needs beside its node and its conductor."""

    notify: Callable[[str], None]
    """Takes what the service manager is told, as sd_notify(3) words it."""
    aside: Aside = field(default_factory=AtOnce)
    """Where a conductor is spoken to that was not heard the last time: changes are to be seen meanwhile."""
    clock: Callable[[], float] = time.monotonic


class Eye:
    """Sees the node: the host itself and what its drivers say, merged.

    :param vigil: says what follows from the signals of health
    :param ownership: shows on the node what was seen and what others hold, and says what pods have; None: there is no
        node socket
    """

    def __init__(
        self,
        identity: Identity,
        runner: Runner,
        spool: Spool,
        *,
        vigil: Vigil | None = None,
        ownership: Ownership | None = None,
    ) -> None:
        self._identity = identity
        self._vigil = vigil or Vigil()
        self._runner = runner
        self._spool = spool
        self._ownership = ownership
        self._seen: NodeReport | None = None
        self._failing: dict[str, str] = {}

    def look(self) -> NodeReport:
        """Everything that is known of the node now; its sequence is given to it when it is sent."""
        heard = self._ownership.heard if self._ownership is not None else 0
        merged = merge([outcome.report for outcome in self._runner.discover()], self._spool.claims)
        self._spool.remember_claims(merged.claims)
        for report in merged.reports:
            self._tell_of_failure(report)
        identity = self._identity
        node = node_info(identity.host, agent_version=identity.version, rack=identity.rack, labels=identity.labels)
        reports = self._vigil.judge(merged.reports)
        seen = NodeReport(node=node, boot_id=boot_id(identity.host), sequence=0, drivers=reports)
        if self._ownership is not None:
            self._ownership.show(seen, heard=heard)
        self._seen = seen
        return self._with_uses(seen)

    def again(self) -> NodeReport:
        """What was seen last, with what pods have now."""
        return self.look() if self._seen is None else self._with_uses(self._seen)

    def ask_of_others(self) -> None:
        """Have it shown on the node what others hold of it now."""
        if self._ownership is not None:
            self._ownership.ask()

    def _with_uses(self, seen: NodeReport) -> NodeReport:
        return seen if self._ownership is None else replace(seen, uses=self._ownership.uses())

    def _tell_of_failure(self, report: DriverReport) -> None:
        """One line when a driver begins to fail, fails in another way, or answers again."""
        before = self._failing.pop(report.driver, "")
        if report.failure is not None:
            now = f"{report.failure.kind}: {report.failure.message}"
            self._failing[report.driver] = now
            if now != before:
                _LOG.warning("Driver %s has no answer: %s. %s", report.driver, now, report.failure.hint)
        elif before:
            _LOG.warning("Driver %s answers again", report.driver)


class Agent:
    """The loop. Build it, ``run()`` it, and ring its bell to stop it or to make it look."""

    def __init__(self, eye: Eye, reporter: Reporter, bell: Bell, *, intervals: Intervals, around: Around) -> None:
        self._eye = eye
        self._reporter = reporter
        self._contact = Contact(reporter, Trouble(), heartbeat_seconds=intervals.heartbeat_seconds)
        self._bell = bell
        self._intervals = intervals
        self._notify = around.notify
        self._aside = around.aside
        self._clock = around.clock
        self._next_look = self._next_contact = self._clock()

    def run(self) -> None:
        """Work until the bell says stop."""
        self._notify("READY=1")
        calls: frozenset[Call] = frozenset()
        while Call.STOP not in calls:
            self._work(calls)
            self._is_alive()
            calls = self._bell.wait(self._pause())
        self._notify("STOPPING=1")
        self._bell.close()

    def _work(self, calls: Collection[Call]) -> None:
        if Call.LOOK in calls or self._clock() >= self._next_look:
            self._reporter.observe(self._eye.look())
            self._next_look = self._clock() + self._intervals.rediscovery_seconds
            self._is_alive()
        elif Call.TELL in calls:
            self._reporter.observe(self._eye.again())
        if not self._aside.is_busy:
            self._speak_if_due(asks=Call.ASK in calls)

    def _speak_if_due(self, *, asks: bool) -> None:
        if self._contact.is_urgent or self._clock() >= self._next_contact:
            if not self._contact.is_heard:
                self._aside.do(self._speak, self._has_spoken)
                return
            self._speak()
            asks = asks or self._contact.is_heard
        if asks:
            self._eye.ask_of_others()

    def _speak(self) -> None:
        self._next_contact = self._clock() + self._contact.make()

    def _has_spoken(self) -> None:
        self._bell.ring(Call.ASK if self._contact.is_heard else Call.SPOKEN)

    def _pause(self) -> float:
        """Until the next look or contact is due, or systemd wants a sign of life."""
        due = self._next_look if self._aside.is_busy else min(self._next_look, self._next_contact)
        return min(due - self._clock(), self._intervals.alive_seconds)

    def _is_alive(self) -> None:
        self._notify(f"WATCHDOG=1\nSTATUS={self._contact.status}")
