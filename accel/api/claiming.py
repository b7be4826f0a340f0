"""How requests are bound and unbound, and who does the rest."""

import logging
from dataclasses import dataclass
from functools import partial
from operator import attrgetter
from typing import cast

from accel.db import taking, wishes
from accel.db.claims import Changes, Deleted, Deletion
from accel.db.engine import Database
from accel.db.requests import Asked, RequestRow
from accel.db.sharing import Shared
from accel.db.taking import Intent, Made
from accel.db.transitions import Terms
from accel.db.wishes import Outcome, Wish
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
    fulfil: Shared[Wish, Outcome]
    """Makes, binds, unbinds and deletes accelerator requests."""

    @classmethod
    def over(cls, database: Database, terms: Terms, conductors: Claims) -> "Claiming":
        """What works on a database."""
        names = attrgetter("names")
        return cls(
            terms=terms,
            conductors=conductors,
            take=Shared(database, partial(taking.take_together, terms=terms), names=names),
            fulfil=Shared(database, partial(wishes.fulfil, terms=terms), names=names, kind=type),
        )

    def create(self, asked: Asked) -> list[RequestRow]:
        """Make accelerator requests; raises what ``requests.create`` raises."""
        return cast("list[RequestRow]", self.fulfil(asked))

    def change(self, changes: Changes) -> list[str]:
        """Bind and unbind accelerator requests; gives and raises what ``claims.change`` does."""
        return cast("list[str]", self.fulfil(changes))

    def delete(self, deletion: Deletion) -> Deleted:
        """Delete accelerator requests.

        :raises AccelError: what their check raises, or one of them belongs to a claim of placement
        """
        return cast("Deleted", self.fulfil(deletion))

    def leave_to_conductors(self) -> None:
        """Let a conductor know that there is something to do; it is done later when none gets to know."""
        try:
            self.conductors.take_up_work()
        except AccelError as error:
            _LOG.warning("what waits for a conductor is done when one looks for it: %s", error)
