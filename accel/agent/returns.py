"""Gives back what pods were lent: what was made ready is released, then what its user left is taken out.

That may take hours, so it goes on in a thread of its own and whoever wants it waits as long as he likes. What fails is
tried again when it is asked for again, after a pause; until then nobody gets the handle, and it says why.
"""

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as TookTooLong
from dataclasses import dataclass
from threading import Lock, Thread
from time import monotonic
from typing import Protocol

from accel.agent.board import Board
from accel.agent.loans import Loan, Loans
from accel.errors import AccelError, Unavailable
from accel.model.device import AttachHandle, Deployable, Device
from accel.model.job import ImageOrder, JobKind

_LOG = logging.getLogger(__name__)

SOURCE = "loans"
"""Whose word it is that nobody new is to get a handle, for the board."""

_UNDO_SECONDS = 14400.0
"""Erasing a large drive by writing to all of it takes hours."""
_PAUSE_SECONDS = 60.0
"""How soon after a failure it is tried again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Thing:
    """A handle, and what it is of."""

    device: Device
    part: Deployable
    handle: AttachHandle
    key: str
    """The handle's id on the node."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is to be done to a handle, or to what it is of."""

    kind: JobKind
    thing: Thing
    method: str = ""
    """How to scrub."""
    image: ImageOrder | None = None
    timeout_seconds: float


class Preparer(Protocol):
    """Makes things ready."""

    def act(self, wish: Wish) -> None:
        """Do it, or find it done.

        :raises AccelError: it cannot be done, or not in time; the text says why
        """
        ...


class Returns:
    """What is given back now.

    :param check: raises AccelError where somebody else has something of a device that is to be changed as a whole
    """

    def __init__(
        self,
        board: Board,
        loans: Loans,
        preparer: Preparer,
        check: Callable[[Sequence[Thing]], None],
        *,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._board = board
        self._loans = loans
        self._preparer = preparer
        self._check = check
        self._clock = clock
        self._lock = Lock()
        self._under_way: dict[str, Future[None]] = {}
        self._failed: dict[str, tuple[float, str]] = {}
        self._left: frozenset[str] = frozenset()

    def left(self, handles: Sequence[str]) -> None:
        """Somebody says which handles are left, all of them: nobody new gets one before it is given back."""
        self._left = frozenset(handles)
        self._show()

    def give_back(self, things: Sequence[Thing], wait_seconds: float) -> None:
        """Give back together, or wait for what is under way.

        :raises Unavailable: it is not at its end yet, and goes on
        :raises AccelError: it has failed; it is tried again when it is asked for in a while
        """
        with self._lock:
            lent = [thing for thing in things if self._loans.get(thing.key) is not None]
            begun = {id(one): one for thing in lent if (one := self._under_way.get(thing.key)) is not None}
            waiting = [thing for thing in lent if thing.key not in self._under_way]
            if waiting:
                self._refuse_too_soon(waiting)
                future: Future[None] = Future()
                begun[id(future)] = future
                self._under_way |= {thing.key: future for thing in waiting}
                Thread(target=self._run, args=(waiting, future), name="give back", daemon=True).start()
        for one in begun.values():
            try:
                one.result(wait_seconds)
            except TookTooLong:
                raise Unavailable("what its last user has left is being undone, which goes on") from None

    def _refuse_too_soon(self, things: Sequence[Thing]) -> None:
        for thing in things:
            at, text = self._failed.get(thing.key, (0.0, ""))
            if text and self._clock() - at < _PAUSE_SECONDS:
                raise Unavailable(text)

    def _run(self, things: Sequence[Thing], future: "Future[None]") -> None:
        keys = {thing.key for thing in things}
        try:
            self._undo(things)
        except AccelError as error:
            text = f"{self._whose(keys)} cannot be undone: {error}"
            _LOG.error("%s: %s", things[0].part.name, text)
            self._end(keys, {key: (self._clock(), text) for key in keys})
            future.set_exception(error)
        else:
            self._loans.forget(keys)
            self._end(keys, {})
            future.set_result(None)

    def _end(self, keys: set[str], failed: dict[str, tuple[float, str]]) -> None:
        with self._lock:
            self._under_way = {key: one for key, one in self._under_way.items() if key not in keys}
            self._failed = {key: one for key, one in self._failed.items() if key not in keys} | failed
        self._show()

    def _undo(self, things: Sequence[Thing]) -> None:
        owed = [(thing, loan) for thing in things if (loan := self._loans.get(thing.key)) is not None]
        for thing, loan in owed:
            if loan.is_prepared:
                self._preparer.act(Wish(kind=JobKind.RELEASE, thing=thing, timeout_seconds=_UNDO_SECONDS))
        ends = {(thing.device.identity, thing.part.name): (thing, loan) for thing, loan in owed if loan.end}
        if ends:
            self._check(things)
        for thing, loan in ends.values():
            self._take_out(thing, loan)

    def _take_out(self, thing: Thing, loan: Loan) -> None:
        if loan.end is not None:
            self._preparer.act(Wish(kind=loan.end, thing=thing, method=loan.method, timeout_seconds=_UNDO_SECONDS))

    def _show(self) -> None:
        """Have the board say of what is left, or could not be undone, why nobody gets it."""
        reasons = {key: text for key, (_, text) in self._failed.items() if self._loans.get(key) is not None}
        for key in self._left:
            if self._loans.get(key) is not None:
                reasons.setdefault(key, f"{self._whose({key})} is yet to be undone")
        self._board.withdraw(SOURCE, reasons)

    def _whose(self, keys: set[str]) -> str:
        loans = [loan for key in sorted(keys) if (loan := self._loans.get(key)) is not None]
        names = ", ".join(dict.fromkeys(str(who) for loan in loans for who in loan.holders))
        return f"what {names or 'its last user'} has left"
