"""How an agent words its messages, and what it makes of the answers.

Every message has a greater sequence than the one before. An answer ``STALE`` names the greatest that the conductor
knows: the agent has lost count, with its spool, and goes on from there.
"""

from dataclasses import replace
from typing import Protocol

from accel.errors import Superseded
from accel.model.report import Acknowledgement, Heartbeat, NodeReport, Verdict
from accel.rpc.api import Conductor


class Sequence(Protocol):
    """Where the numbers come from."""

    def next_sequence(self) -> int:
        """A number greater than all before."""
        ...

    def raise_sequence(self, to: int) -> None:
        """Go on after this number."""
        ...


class Correspondence:
    """The messages of one node to the conductor."""

    def __init__(self, conductor: Conductor, sequence: Sequence) -> None:
        self._conductor = conductor
        self._sequence = sequence

    def report(self, report: NodeReport) -> None:
        """Send a report; it gets its sequence here.

        :raises Unavailable: nobody took it
        :raises ConductorRefused: it is wrong
        :raises Superseded: it is of a boot that is over
        """
        for _ in range(2):
            answer = self._conductor.report(replace(report, sequence=self._sequence.next_sequence()))
            if not self._was_stale(answer):
                return
        raise Superseded(report.node.name, report.boot_id)

    def heartbeat(self, node: str, boot_id: str, content_hash: str) -> bool:
        """Give a sign of life; whether the conductor has the content that the hash stands for.

        :raises Unavailable: nobody took it
        :raises Superseded: it is of a boot that is over
        """
        for _ in range(2):
            answer = self._conductor.heartbeat(
                Heartbeat(
                    node=node, boot_id=boot_id, sequence=self._sequence.next_sequence(), content_hash=content_hash
                )
            )
            if not self._was_stale(answer):
                return answer.verdict is Verdict.ACCEPTED
        raise Superseded(node, boot_id)

    def _was_stale(self, answer: Acknowledgement) -> bool:
        if answer.verdict is Verdict.STALE:
            self._sequence.raise_sequence(answer.sequence)
            return True
        return False
