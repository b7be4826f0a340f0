"""Work that nobody waits for."""

import threading

from accel.rpc.soon import Soon

PATIENCE_SECONDS = 10


class Work:
    """Goes on when it is let."""

    def __init__(self) -> None:
        self.begun = threading.Semaphore(0)
        self.may_end = threading.Semaphore(0)
        self.times = 0

    def __call__(self) -> None:
        self.begun.release()
        assert self.may_end.acquire(timeout=PATIENCE_SECONDS)
        self.times += 1


def test_whoever_asks_does_not_wait_and_what_is_asked_for_meanwhile_is_done_once_more() -> None:
    work = Work()
    soon = Soon(work, name="soon")

    soon()
    assert work.begun.acquire(timeout=PATIENCE_SECONDS)
    for _ in range(3):
        soon()
    work.may_end.release(2)
    assert work.begun.acquire(timeout=PATIENCE_SECONDS)
    _until_over()

    assert work.times == 2


def test_it_is_done_again_when_it_is_asked_for_again() -> None:
    work = Work()
    work.may_end.release(2)
    soon = Soon(work, name="soon")

    for _ in range(2):
        soon()
        assert work.begun.acquire(timeout=PATIENCE_SECONDS)
        _until_over()

    assert work.times == 2


def _until_over() -> None:
    for thread in threading.enumerate():
        if thread.name == "soon":
            thread.join(PATIENCE_SECONDS)
