"""Brings what is seen on the node to the conductor, now or later.

A changed content becomes a report in the spool; reports leave the spool in order, as conductors take them; while
nothing changes, heartbeats say that the last report still holds.
"""

import logging

from accel.agent.correspondence import Correspondence
from accel.agent.spool import Spool
from accel.errors import ConductorRefused, InvalidValue, Superseded
from accel.model.report import NodeReport
from accel.rpc.api import Conductor
from accel.rpc.wire import content_hash

_LOG = logging.getLogger(__name__)


class Reporter:
    """The agent's part in the conversation with the conductor.

    :param spool: opened already
    """

    def __init__(self, conductor: Conductor, spool: Spool) -> None:
        self._messages = Correspondence(conductor, spool)
        self._spool = spool
        self._newest: NodeReport | None = None
        self._newest_hash = ""

    @property
    def has_news(self) -> bool:
        """Whether a report waits to be taken."""
        return self._spool.oldest is not None

    def observe(self, report: NodeReport) -> None:
        """Note what is on the node now; its sequence is given to it when it is sent."""
        digest = content_hash(report)
        if digest != self._newest_hash:
            self._spool.add(report)
        self._newest, self._newest_hash = report, digest

    def deliver(self) -> None:
        """Send all reports that wait, or a heartbeat when none does.

        :raises Unavailable: no conductor took the next message; it is kept
        :raises ConductorRefused: the conductor takes this node's messages for wrong
        """
        if not self.has_news and self._newest is not None and not self._give_sign_of_life(self._newest):
            self._spool.add(self._newest)
        while (report := self._spool.oldest) is not None:
            self._send(report)
            self._spool.drop(report)

    def _give_sign_of_life(self, newest: NodeReport) -> bool:
        return self._messages.heartbeat(newest.node.name, newest.boot_id, self._newest_hash)

    def _send(self, report: NodeReport) -> None:
        """Send a report; one that will never be taken counts as sent."""
        try:
            self._messages.report(report)
        except Superseded:
            if self._newest is None or report.boot_id == self._newest.boot_id:
                raise
            _LOG.warning("A report from before the host's restart came too late and is given up")
        except ConductorRefused as error:
            if error.remote_code != InvalidValue.code:
                raise
            _LOG.error("The conductor does not understand a report, which is given up: %s", error)
