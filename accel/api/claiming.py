"""How requests are bound and unbound, and who does the rest."""

import logging
from dataclasses import dataclass
from functools import partial
from operator import attrgetter

from accel.db import claims, requests, taking
from accel.db.claims import Changes, Deleted, Deletion
from accel.db.engine import Database
from accel.db.requests import Asked, RequestRow
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
    create: Shared[Asked, list[RequestRow]]
    """Makes accelerator requests."""
    change: Shared[Changes, list[str]]
    """Binds and unbinds them."""
    delete: Shared[Deletion, Deleted]
    """Deletes them."""

    @classmethod
    def over(cls, database: Database, terms: Terms, conductors: Claims) -> "Claiming":
        """What works on a database."""
        names = attrgetter("names")
        return cls(
            terms=terms,
            conductors=conductors,
            take=Shared(database, partial(taking.take_together, terms=terms), names=names),
            create=Shared(database, requests.create_together, names=lambda _asked: ()),
            change=Shared(database, partial(claims.change_together, terms=terms), names=names),
            delete=Shared(database, claims.delete_together, names=names),
        )

    def leave_to_conductors(self) -> None:
        """Let a conductor know that there is something to do; it is done later when none gets to know."""
        try:
            self.conductors.take_up_work()
        except AccelError as error:
            _LOG.warning("what waits for a conductor is done when one looks for it: %s", error)
