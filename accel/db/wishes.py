"""What callers wish to be done with accelerator requests: those who wish the same kind of thing share a transaction."""

from collections.abc import Sequence
from typing import cast

from sqlalchemy import Connection

from accel.db import claims, requests
from accel.db.claims import Changes, Deleted, Deletion
from accel.db.requests import Asked, RequestRow
from accel.db.sharing import Alone
from accel.db.transitions import Terms
from accel.errors import AccelError

Wish = Asked | Changes | Deletion
Outcome = list[RequestRow] | list[str] | Deleted
"""What ``requests.create`` gives, or ``claims.change``, or what has become of a deletion."""


def fulfil(connection: Connection, wishes: Sequence[Wish], *, terms: Terms) -> Sequence[Outcome | AccelError | Alone]:
    """Make requests, bind and unbind, or delete them.

    :param wishes: all of one type, and no two about the same
    :return: for each what comes of it
    :raises AccelError: what ``claims.change_together`` raises
    """
    match wishes[0]:
        case Asked():
            return requests.create_together(connection, cast("Sequence[Asked]", wishes))
        case Changes():
            return claims.change_together(connection, cast("Sequence[Changes]", wishes), terms=terms)
        case Deletion():
            return claims.delete_together(connection, cast("Sequence[Deletion]", wishes))
