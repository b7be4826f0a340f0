"""What callers wish to be done with accelerator requests, for all who come at the same time in one transaction.

Statements are about all of them: the rows are locked by one, in the order of their keys, and one writes the events.
"""

from collections.abc import Sequence

from sqlalchemy import Connection

from accel.db import claims, history, requests
from accel.db.claims import Changes, Deleted, Deletion
from accel.db.history import Entry
from accel.db.requests import Asked, RequestRow
from accel.db.sharing import ALONE, Alone
from accel.db.transitions import Terms, lock
from accel.errors import AccelError

Wish = Asked | Changes | Deletion
Outcome = list[RequestRow] | list[str] | Deleted
"""What ``requests.create`` gives, or ``claims.change``, or what has become of a deletion."""


def fulfil(connection: Connection, wishes: Sequence[Wish], *, terms: Terms) -> list[Outcome | AccelError | Alone]:
    """Delete, bind, unbind and make requests, each kind at once.

    Only those who see the same are served together as to what there is; the others are left alone.

    :param wishes: no two about the same
    :raises AccelError: something cannot be bound or unbound, or not without waiting for a node that somebody else has
        locked, which is done for a single wish only
    """
    named = [wish for wish in wishes if not isinstance(wish, Asked)]
    alike = [wish for wish in named if wish.scope == named[0].scope]
    rows = lock(connection, [uuid for wish in alike for uuid in wish.uuids], scope=named[0].scope) if named else []
    log: list[Entry] = []
    deletions = [wish for wish in alike if isinstance(wish, Deletion)]
    deleted = iter(claims.delete_together(connection, deletions, rows, log=log))
    changes = [wish for wish in alike if isinstance(wish, Changes)]
    waits = len(wishes) == 1
    changed = iter(claims.change_together(connection, changes, rows, terms=terms, log=log, waits=waits))
    made = iter(requests.create_together(connection, [wish for wish in wishes if isinstance(wish, Asked)], log))
    if log:
        history.write(connection, log, max(wish.origin.at for wish in wishes))

    def outcome(wish: Wish) -> Outcome | AccelError | Alone:
        if isinstance(wish, Asked):
            return next(made)
        if wish.scope != named[0].scope:
            return ALONE
        return next(deleted) if isinstance(wish, Deletion) else next(changed)

    return [outcome(wish) for wish in wishes]
