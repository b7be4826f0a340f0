"""What the services ask of one another, independent of how the words travel.

A protocol here is implemented three times: by the service itself, by a client that sends messages to it, and by
``local``, which carries the messages within one process.
"""

from typing import Protocol

from accel.model.report import Acknowledgement, Heartbeat, NodeReport

CONDUCTOR_TOPIC = "accel-conductor"
"""The name of the queue that all conductors share."""

VERSIONS: tuple[str, ...] = ("1.0",)
"""The versions of the messages that this release speaks, the newest first.

A new member of a message, or a new method, is a new minor version. The release that adds one goes on speaking those
of the release before.
"""


class Conductor(Protocol):
    """Takes what agents say about their nodes."""

    def report(self, report: NodeReport) -> Acknowledgement:
        """Take everything an agent knows about its node.

        :raises Unavailable: nothing was recorded; the same report may be taken later
        """
        ...

    def heartbeat(self, heartbeat: Heartbeat) -> Acknowledgement:
        """Take a sign of life.

        :raises Unavailable: nothing was recorded
        """
        ...
