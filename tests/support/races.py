"""Two things at the same moment, for certain: one transaction is held where it is while another one begins."""

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from sqlalchemy import event

from accel.db.engine import Database

T = TypeVar("T")
PATIENCE_SECONDS = 30


class Gate:
    """Stops whoever comes to a point, until it is opened. Give it as ``Hooks.at``, or call it within a transaction."""

    def __init__(self, point: str = "") -> None:
        self._point = point
        self._reached = threading.Event()
        self._open = threading.Event()

    def __call__(self, point: str = "") -> None:
        """Wait here, the first time."""
        if point == self._point and not self._reached.is_set():
            self._reached.set()
            assert self._open.wait(PATIENCE_SECONDS)

    def wait(self) -> None:
        """Wait until somebody stands at the gate."""
        assert self._reached.wait(PATIENCE_SECONDS)

    def open(self) -> None:
        """Let go on who stands there, and stop nobody any more."""
        self._open.set()


def outcome(call: Callable[[], T], *refusals: type[Exception]) -> T | Exception:
    """What a call gives, or the refusal that it raises."""
    try:
        return call()
    except refusals as error:
        return error


def at_once(calls: Sequence[Callable[[], T]]) -> list[T]:
    """Run all calls at the same moment, each in a thread."""
    barrier = threading.Barrier(len(calls))

    def run(call: Callable[[], T]) -> T:
        barrier.wait(PATIENCE_SECONDS)
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


def overlapping(
    gate: Gate, first: Callable[[], object], second: Callable[[], object], *, of_second: Database
) -> tuple[object, object]:
    """Let the second call begin its transaction while the first one stands at the gate, which opens then.

    :param of_second: what the second call works on, with connections of its own
    :return: what both give, exceptions as values
    """
    with ThreadPoolExecutor(2) as pool, _begun(of_second) as has_begun:
        one = pool.submit(first)
        gate.wait()
        other = pool.submit(second)
        assert has_begun.wait(PATIENCE_SECONDS)
        gate.open()
        return _result(one), _result(other)


@contextmanager
def _begun(database: Database) -> Iterator[threading.Event]:
    """Set when a transaction takes its connection, before it waits for anybody."""
    has_begun = threading.Event()

    def note(*_: object) -> None:
        has_begun.set()

    event.listen(database.engine.pool, "checkout", note)
    try:
        yield has_begun
    finally:
        event.remove(database.engine.pool, "checkout", note)


def _result(future: Future[object]) -> object:
    return future.exception(PATIENCE_SECONDS) or future.result()
