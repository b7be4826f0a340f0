"""A conductor's work on requests, in the process of the test."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from accel.conductor.claims import Claims, Step
from accel.db.engine import Database
from accel.db.transitions import Terms
from accel.rpc.local import LocalClaims


def terms(*, steps: Sequence[str] = (), tells_nova: bool = False, worker: str | None = "conductor-1") -> Terms:
    """Terms under which every handle needs the same steps."""
    return Terms(
        worker=worker,
        work_limit=timedelta(seconds=60),
        tells_nova=tells_nova,
        steps_for=lambda _handle_type, _group, _place: steps,
    )


def claims_over(
    database: Database,
    *,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    steps: Mapping[str, Step] | None = None,
    tells_nova: bool = False,
) -> Claims:
    """A conductor that does its work at once, in the thread that asks."""
    known = steps or {}
    return Claims(
        database,
        clock,
        terms(steps=list(known), tells_nova=tells_nova),
        steps=known,
        submit=lambda work: work(),
    )


def local_claims(database: Database) -> LocalClaims:
    """The same as the API sees it."""
    return LocalClaims(claims_over(database))
