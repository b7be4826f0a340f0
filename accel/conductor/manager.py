"""What the conductor does with the messages of agents, and what it concludes from silence.

Any number of managers may work on one database at once: each message is one transaction that first locks the row of
its node. The manager keeps nothing between two calls.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from accel.db import attribute_texts, expiry, heard, uses
from accel.db.engine import Database
from accel.model.offer import Withdrawal
from accel.model.report import Acknowledgement, Heartbeat, NodeReport, Verdict
from accel.rpc.wire import content_hash

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How long the conductor waits before it concludes something; option group ``conductor`` explains each."""

    node_offline_after: timedelta = timedelta(seconds=180)
    lost_device_grace: timedelta = timedelta(hours=1)


class Manager:
    """The conductor's work, without messages and threads.

    :param clock: tells the time, with zone
    """

    def __init__(self, database: Database, clock: Callable[[], datetime], limits: Limits) -> None:
        self._database = database
        self._clock = clock
        self._limits = limits

    def report(self, report: NodeReport) -> Acknowledgement:
        """Take the whole report of a node. Taking it twice, or an old one, does nothing.

        :raises DatabaseUnavailable: nothing was recorded; send it again
        :raises InvalidValue: a value in it cannot be kept; nothing was recorded
        """
        digest = content_hash(report)
        answer = self._database.write(
            lambda connection: heard.take_report(connection, report, content_hash=digest, now=self._clock())
        )
        return _remarked(answer, report.node.name, report.boot_id, report.sequence)

    def heartbeat(self, heartbeat: Heartbeat) -> Acknowledgement:
        """Take a sign of life; asks for the whole report when its content is not the recorded one.

        :raises DatabaseUnavailable: nothing was recorded
        """
        answer = self._database.write(lambda connection: heard.take_heartbeat(connection, heartbeat, now=self._clock()))
        return _remarked(answer, heartbeat.node, heartbeat.boot_id, heartbeat.sequence)

    def withdrawals(self, node: str) -> tuple[Withdrawal, ...]:
        """What a node is not to give to anybody new: what has a holder that is no pod, and what is disabled.

        :raises DatabaseUnavailable: ask again
        """
        return self._database.read(lambda connection: uses.withdrawals(connection, node))

    def mark_offline_nodes(self, *, hears_since: datetime | None = None) -> list[str]:
        """Mark nodes that were not heard for too long; gives their names.

        :param hears_since: since when agents can reach this conductor, None for always. While that is not as long as a
            node may be silent nothing is concluded: perhaps nobody was there to hear them.
        :raises DatabaseUnavailable: nothing was recorded
        """
        now = self._clock()
        limit = now - self._limits.node_offline_after
        if hears_since is not None and hears_since > limit:
            return []
        return self._database.write(lambda connection: heard.mark_offline(connection, heard_before=limit, now=now))

    def remove_expired_devices(self) -> expiry.Removed:
        """Remove devices that no driver mentions for longer than the grace time, and lost parts, as far as nobody holds
        them.

        :raises DatabaseUnavailable: what was not removed will be at the next time
        """
        limit = self._clock() - self._limits.lost_device_grace
        names = self._database.read(lambda connection: expiry.nodes_with_expired(connection, unreported_before=limit))
        removed = [self._remove_expired_of(name, limit) for name in names]
        return expiry.Removed(*(sum(counts) for counts in zip(*removed, strict=True)))

    def mend_attribute_texts(self) -> int:
        """Make the texts of attributes right that somebody of the release before has left wrong; gives how many.

        :raises DatabaseUnavailable: what was not mended is at the next start of a conductor
        """
        mended, after = 0, 0
        while True:
            count, last = self._database.write(partial(attribute_texts.mend, after=after))
            mended += count
            if last is None:
                return mended
            after = last

    def _remove_expired_of(self, node: str, limit: datetime) -> expiry.Removed:
        return self._database.write(
            lambda connection: expiry.remove_expired(connection, node, unreported_before=limit, now=self._clock())
        )


def _remarked(answer: Acknowledgement, node: str, boot_id: str, sequence: int) -> Acknowledgement:
    """Leave a word in the log about a message that came too late: if they are many, two hosts have one name."""
    if answer.verdict is Verdict.STALE:
        _LOG.warning(
            "Node %s: message %d of boot %s is not newer than what is recorded (%d of its last boot): it was late or "
            "repeated, or two hosts report under one name",
            node,
            sequence,
            boot_id,
            answer.sequence,
        )
    return answer
