"""How requests are bound and unbound, and who does the rest."""

import logging
from dataclasses import dataclass

from accel.db.transitions import Terms
from accel.errors import AccelError
from accel.rpc.api import Claims

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claiming:
    """What the API does with requests itself, and the conductors that do what it cannot."""

    terms: Terms
    conductors: Claims

    def leave_to_conductors(self) -> None:
        """Let a conductor know that there is something to do; it is done later when none gets to know."""
        try:
            self.conductors.take_up_work()
        except AccelError as error:
            _LOG.warning("what waits for a conductor is done when one looks for it: %s", error)
