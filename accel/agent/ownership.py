"""One truth about who has what: what pods use goes to the control plane, and what others hold comes from there.

The node goes on by what it heard last while no control plane is there, also after a restart.
"""

import json
import logging
from functools import partial
from pathlib import Path
from typing import Protocol

from accel.agent.bell import Bell, Call
from accel.agent.board import Board
from accel.agent.files import write_whole
from accel.errors import ConductorRefused, Unavailable
from accel.model.health import Alarm
from accel.model.offer import Withdrawal
from accel.model.report import NodeReport, Use

_LOG = logging.getLogger(__name__)

KUBELET = "kubelet"
"""The source of what is said of pods."""
_CONTROL_PLANE = "control plane"


class Withdrawing(Protocol):
    """Knows what is not to be given to anybody new."""

    def withdrawals(self, node: str) -> tuple[Withdrawal, ...]:
        """See ``accel.rpc.api.Conductor.withdrawals``."""
        ...


class Ownership:
    """Carries it to and fro.

    :param node: the node's name
    :param bell: rung when there is something to carry
    :param memory: the file that keeps what was heard last
    """

    def __init__(self, board: Board, conductor: Withdrawing, bell: Bell, *, node: str, memory: Path) -> None:
        self._board = board
        self._conductor = conductor
        self._bell = bell
        self._node = node
        self._memory = memory
        self._heard: dict[str, str] | None = None

    def open(self) -> None:
        """Believe what was heard before the agent was restarted, and listen to the board."""
        try:
            heard = json.loads(self._memory.read_text())
        except FileNotFoundError:
            heard = {}
        except (OSError, ValueError) as error:
            _LOG.warning("what others hold is not known until a conductor answers: %s: %s", self._memory, error)
            heard = {}
        self._board.withdraw(_CONTROL_PLANE, heard)
        self._board.when_held = partial(self._bell.ring, Call.TELL)

    def alarm(self, *alarms: Alarm) -> None:
        """Something was heard of devices: programs on the node see it before the drivers look."""
        self._board.alarm(*alarms)

    @property
    def heard(self) -> int:
        """How many alarms there were so far."""
        return self._board.heard

    def show(self, report: NodeReport, *, heard: int) -> None:
        """The drivers have looked: programs on the node see it at once.

        :param heard: how many alarms there were when they began to
        """
        self._board.show(report, heard=heard)

    def uses(self) -> tuple[Use, ...] | None:
        """All that containers of pods have; None where no kubelet has been heard."""
        holders = self._board.holders(KUBELET)
        if holders is None:
            return None
        return tuple(Use(handle=handle, name=one.name) for handle, those in sorted(holders.items()) for one in those)

    def ask(self) -> None:
        """Ask the conductor what others hold. While none answers, what was heard last holds."""
        try:
            heard = {one.handle: one.reason for one in self._conductor.withdrawals(self._node)}
        except (Unavailable, ConductorRefused) as error:
            _LOG.info("what others hold is not asked for now: %s", error)
            return
        if heard != self._heard:
            write_whole(self._memory, json.dumps(heard).encode())
            self._heard = heard
        self._board.withdraw(_CONTROL_PLANE, heard)

    def holders_changed(self) -> None:
        """Somebody says that asking is worth while."""
        self._bell.ring(Call.ASK)
