"""One transaction for callers who come at the same time.

Whoever comes while a transaction is under way waits for its end; then the wishes of all who wait are done in the next
one, by statements that are about all of them: many callers cost little more than one.

Programs that wish one thing after the other come again as soon as they are answered. So the next transaction begins
when as many are there as were at the end of the last one, or some milliseconds after that; else the first to come again
would always be served alone, and the others after it. Who comes alone waits for nobody.

A transaction is for wishes of one kind; the others wait for the next. That is what makes it cheap: programs that do the
same things in the same order find themselves waiting for one another's kind, and are soon all at the same.

Nobody notices the others, but by the time: each gets an outcome or a refusal of its own. Where a shared transaction
fails, for whatever reason, it is rolled back, and each of its callers has a transaction of its own.
"""

import logging
import time
from collections import deque
from collections.abc import Callable, Collection, Hashable, Sequence
from threading import Condition, Event, Lock
from typing import Final, Generic, TypeVar

from accel.db.engine import Connection, Database
from accel.errors import AccelError

_LOG = logging.getLogger(__name__)
W = TypeVar("W")
R = TypeVar("R")

MOST_TOGETHER = 32
"""So many wishes are done in one transaction."""
_PATIENCE_SECONDS = 0.005
"""So long after a transaction its callers are waited for at most."""


class Alone:
    """In the place of an outcome: nothing was done, and it is to be done in a transaction of its own."""


ALONE: Final = Alone()


class _Caller(Generic[W, R]):
    """Somebody who wishes something."""

    def __init__(self, wish: W, names: Collection[Hashable]) -> None:
        self.wish = wish
        self.names = frozenset(names)
        self.may_go_on = Event()
        self.is_served = False
        self.outcome: R | AccelError | Alone = ALONE


class Shared(Generic[W, R]):
    """A kind of transaction that callers share; any number of threads may call it.

    :param work: does wishes of one kind and gives the outcome of each. That may be a refusal, of which it leaves
        nothing behind. It may be done again, as what is given to ``Database.write``. Several wishes come out as if they
        were done one after the other; where it cannot say how that would be it gives ``ALONE``, which it never does for
        a single one
    :param names: what a wish is about, such as the UUIDs of rows: two that are about the same are not done together
    :param kind: of which kind a wish is; by default all are of one
    :param patience_seconds: so long after a transaction its callers are waited for at most
    """

    def __init__(
        self,
        database: Database,
        work: Callable[[Connection, Sequence[W]], Sequence[R | AccelError | Alone]],
        *,
        names: Callable[[W], Collection[Hashable]],
        kind: Callable[[W], Hashable] = lambda _wish: None,
        patience_seconds: float = _PATIENCE_SECONDS,
    ) -> None:
        self._database = database
        self._work = work
        self._names = names
        self._kind = kind
        self._patience_seconds = patience_seconds
        self._lock = Lock()
        self._are_all_there = Condition(self._lock)
        self._is_busy = False
        self._waiting: deque[_Caller[W, R]] = deque()
        self._expected = 1
        self._ended_at = 0.0

    def __call__(self, wish: W) -> R:
        """What comes of a wish.

        :raises AccelError: it is refused, or what ``Database.write`` raises
        """
        caller: _Caller[W, R] = _Caller(wish, self._names(wish))
        if self._has_to_wait(caller):
            caller.may_go_on.wait()
        if not caller.is_served:
            self._serve(caller)
        outcome = caller.outcome
        if isinstance(outcome, Alone):
            outcome = self._alone(wish)
        if isinstance(outcome, AccelError):
            raise outcome
        return outcome

    @property
    def waiting(self) -> int:
        """How many wait for a transaction to end that they do not share."""
        return len(self._waiting)

    def _has_to_wait(self, caller: _Caller[W, R]) -> bool:
        with self._lock:
            if self._is_busy:
                self._waiting.append(caller)
                if self._is_complete():
                    self._are_all_there.notify()
                return True
            self._is_busy = True
            return False

    def _serve(self, caller: _Caller[W, R]) -> None:
        """Do the wishes of this caller and of those who wait; then it is the turn of whoever waits first."""
        together = self._joined(caller)
        try:
            if len(together) > 1:
                self._do(together)
            else:
                caller.outcome = self._alone(caller.wish)
        finally:
            for one in together:
                one.is_served = True
                one.may_go_on.set()
            self._pass_on(len(together))

    def _joined(self, first: _Caller[W, R]) -> list[_Caller[W, R]]:
        """This caller and those who can be served with it, in the order in which they came."""
        together, taken = [first], set(first.names)
        with self._lock:
            patience = self._ended_at + self._patience_seconds - time.monotonic()
            self._are_all_there.wait_for(self._is_complete, max(patience, 0))
            others, self._waiting = self._waiting, deque()
            kind = self._kind(first.wish)
            for one in others:
                is_alike = self._kind(one.wish) == kind and taken.isdisjoint(one.names)
                if is_alike and len(together) < MOST_TOGETHER:
                    together.append(one)
                    taken |= one.names
                else:
                    self._waiting.append(one)
        return together

    def _is_complete(self) -> bool:
        """Whether as many are there as were at the end of the last transaction."""
        return 1 + len(self._waiting) >= self._expected

    def _pass_on(self, served: int) -> None:
        with self._lock:
            self._expected = served + len(self._waiting)
            self._ended_at = time.monotonic()
            following = self._waiting.popleft() if self._waiting else None
            self._is_busy = following is not None
        if following is not None:
            following.may_go_on.set()

    def _do(self, together: Sequence[_Caller[W, R]]) -> None:
        """Do wishes in one transaction; where that fails, none of them is done."""
        try:
            with self._database.writer() as connection:
                outcomes = self._work(connection, [one.wish for one in together])
        except Exception as error:  # noqa: BLE001 - whose it is, and what it comes to, shows when each has its own
            _LOG.info("%d callers have shared a transaction that has failed: %s", len(together), error)
            return
        for one, outcome in zip(together, outcomes, strict=True):
            one.outcome = outcome

    def _alone(self, wish: W) -> R | AccelError:
        [outcome] = self._database.write(lambda connection: self._work(connection, [wish]))
        if isinstance(outcome, Alone):
            raise TypeError("a single wish is done or refused")
        return outcome
