"""How requests are bound and unbound, and who does the rest."""

import logging
from dataclasses import dataclass
from functools import partial
from operator import attrgetter

from accel.db import taking
from accel.db.engine import Database
from accel.db.sharing import Shared
from accel.db.taking import Intent, Made
from accel.db.transitions import Terms
from accel.errors import AccelError
from accel.rpc.api import Claims

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claiming:
    """What the API does with requests itself, and the conductors that do what it cannot."""

    terms: Terms
    conductors: Claims
    take: Shared[Intent, Made]
    """Makes claims of placement."""

    @classmethod
    def over(cls, database: Database, terms: Terms, conductors: Claims) -> "Claiming":
        """What works on a database."""
        take = Shared(database, partial(taking.take_together, terms=terms), names=attrgetter("names"))
        return cls(terms=terms, conductors=conductors, take=take)

    def leave_to_conductors(self) -> None:
        """Let a conductor know that there is something to do; it is done later when none gets to know."""
        try:
            self.conductors.take_up_work()
        except AccelError as error:
            _LOG.warning("what waits for a conductor is done when one looks for it: %s", error)
