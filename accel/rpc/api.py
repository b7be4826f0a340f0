"""What the services ask of one another, independent of how the words travel.

A protocol here is implemented three times: by the service itself, by a client that sends messages to it, and by
``local``, which carries the messages within one process.
"""

from typing import Protocol

from accel.model.audit import Audit, AuditWanted
from accel.model.offer import Withdrawal
from accel.model.report import Acknowledgement, Heartbeat, NodeReport
from accel.model.request import RequestChanges

CONDUCTOR_TOPIC = "accel-conductor"
"""The name of the queue that all conductors share."""

VERSIONS: tuple[str, ...] = ("1.2", "1.1", "1.0")
"""The versions of the messages that this release speaks, the newest first.

A new member of a message, or a new method, is a new minor version. The release that adds one goes on speaking those
of the release before.

1.0
    Reports and heartbeats.
1.1
    Changes of requests, audits.
1.2
    Images are read; reports say what pods use, and nodes ask what they are not to give away.
"""

CLAIMS_VERSIONS: tuple[str, ...] = ("1.2", "1.1")
"""The versions in which requests can be changed."""


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

    def withdrawals(self, node: str) -> tuple[Withdrawal, ...]:
        """What a node is not to give to anybody new.

        :raises Unavailable: nobody knows now
        """
        ...


class Images(Protocol):
    """What conductors have for nodes to load."""

    def read_image(self, digest: str, offset: int) -> bytes:
        """The part of an image that begins at an offset.

        :param offset: in bytes, a multiple of ``model.registry.CHUNK_BYTES``
        :raises NotFound: there is no such image, or it is shorter
        :raises Unavailable: nobody answers
        """
        ...


class Claims(Protocol):
    """What the API leaves to conductors of accelerator requests."""

    def take_up_work(self) -> None:
        """Look for requests that wait for work on a node, and for what Nova is to be told.

        :raises Unavailable: nobody answers; a conductor finds them in its own time
        """
        ...

    def audit(self, wanted: AuditWanted) -> Audit:
        """What does not add up, and mend it, where that is wanted.

        :raises Unavailable: nobody answers, so what was mended is not known
        """
        ...


class ClaimsService(Claims, Protocol):
    """All that a conductor does about accelerator requests when it is asked."""

    def change_requests(self, wanted: RequestChanges) -> None:
        """Bind and unbind requests, all or none, for an API of the release before, which does not do it itself.

        :raises NotFound: there is no such request, or no such provider
        :raises InvalidValue: an instance has other requests already
        :raises Conflict: a request is in a state that does not allow it, or cannot be bound there; the text says why
        """
        ...
