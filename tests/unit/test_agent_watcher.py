"""When the kernel tells of a change, the drivers look again, once."""

import errno
from collections.abc import Iterator

import pytest

from accel.agent.bell import Bell, Call
from accel.agent.watcher import Watcher

EVENT, SILENCE = True, False
LOST = OSError(errno.ENOBUFS, "events were lost")
GONE = OSError(errno.EBADF, "no more")


class ScriptedEvents:
    """Says what the script says, and is the clock; the end of the script is the end of all events."""

    def __init__(self, *script: bool | OSError) -> None:
        self._script: Iterator[bool | OSError] = iter(script)
        self.now = 0.0

    def wait(self, timeout_seconds: float) -> bool:
        happened = next(self._script, GONE)
        self.now += 0.125 if happened is True else timeout_seconds
        if isinstance(happened, OSError):
            raise happened
        return happened


def rings(*script: bool | OSError) -> int:
    rung: list[None] = []
    events = ScriptedEvents(*script)
    Watcher(events, lambda: rung.append(None), clock=lambda: events.now).run()
    return len(rung)


def test_an_event_makes_the_drivers_look() -> None:
    assert rings(EVENT, SILENCE) == 1


def test_silence_does_not() -> None:
    assert rings(SILENCE, SILENCE, SILENCE) == 0


def test_lost_events_make_them_look_too() -> None:
    assert rings(LOST, SILENCE) == 1


def test_events_within_a_second_are_one_call() -> None:
    assert rings(*[EVENT] * 5, LOST, SILENCE) == 1


def test_events_that_do_not_end_do_not_put_the_call_off() -> None:
    assert rings(*[EVENT] * 45) == 5


def test_a_watcher_that_is_stopped_rings_no_more() -> None:
    watcher = Watcher(ScriptedEvents(EVENT), lambda: pytest.fail("it rang"))
    watcher.stop()

    watcher.run()


def test_calls_that_wait_are_heard_as_one() -> None:
    bell = Bell()
    for call in (Call.LOOK, Call.LOOK, Call.STOP, Call.LOOK):
        bell.ring(call)

    assert bell.wait(1) == {Call.LOOK, Call.STOP}
    assert bell.wait(0) == frozenset()
