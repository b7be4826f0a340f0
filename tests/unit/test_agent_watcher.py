"""When the kernel tells of a change, the drivers look again, once; what goes is told before."""

import errno
from collections.abc import Iterator

import pytest

from accel.agent.bell import Bell, Call
from accel.agent.watcher import RECOVERY, REMOVED, Event, Watcher, event_of
from accel.model.health import Alarm

EVENT, SILENCE = Event(), None
LOST = OSError(errno.ENOBUFS, "events were lost")
GONE = OSError(errno.EBADF, "no more")


class ScriptedEvents:
    """Says what the script says, and is the clock; the end of the script is the end of all events."""

    def __init__(self, *script: Event | OSError | None) -> None:
        self._script: Iterator[Event | OSError | None] = iter(script)
        self.now = 0.0

    def wait(self, timeout_seconds: float) -> Event | None:
        happened = next(self._script, GONE)
        self.now += 0.125 if isinstance(happened, Event) else timeout_seconds
        if isinstance(happened, OSError):
            raise happened
        return happened


LOOK = "look"


def done(*script: Event | OSError | None) -> list[tuple[float, Alarm | str]]:
    """What was warned of and when the drivers were to look."""
    came: list[tuple[float, Alarm | str]] = []
    events = ScriptedEvents(*script)

    def warn(*alarms: Alarm) -> None:
        came.extend((events.now, alarm) for alarm in alarms)

    Watcher(events, lambda: came.append((events.now, LOOK)), warn, clock=lambda: events.now).run()
    return came


def rings(*script: Event | OSError | None) -> int:
    return len(done(*script))


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


def test_that_a_device_goes_is_told_at_once_and_looked_at_when_all_of_it_has_gone() -> None:
    gone = event_of("pci", "0000:24:00.0", {"ACTION": "remove"})

    assert done(EVENT, gone, EVENT, SILENCE) == [(0.25, *gone.alarms), (1.125, LOOK)]


def test_what_fails_does_not_wait_for_what_else_may_come() -> None:
    failed = event_of("pci", "0000:24:00.0", {"ERROR_EVENT": "FAILED_RECOVERY", "DEVICE_ONLINE": "0"})

    assert done(EVENT, failed, EVENT, SILENCE) == [(0.25, *failed.alarms), (0.25, LOOK), (1.125, LOOK)]


@pytest.mark.parametrize(
    ("subsystem", "said", "source"),
    [
        ("pci", {"ACTION": "remove"}, REMOVED),
        ("pci", {"ACTION": "change", "ERROR_EVENT": "BEGIN_RECOVERY", "DEVICE_ONLINE": "0"}, RECOVERY),
        ("pci", {"ACTION": "change", "ERROR_EVENT": "FAILED_RECOVERY", "DEVICE_ONLINE": "0"}, RECOVERY),
    ],
)
def test_of_a_function_that_goes_or_fails_the_kernel_says_which(
    subsystem: str, said: dict[str, str], source: str
) -> None:
    event = event_of(subsystem, "0000:24:00.0", said)

    assert [(alarm.device, alarm.signal.source) for alarm in event.alarms] == [("0000:24:00.0", source)]


@pytest.mark.parametrize(
    ("subsystem", "said"),
    [
        ("pci", {"ACTION": "change", "ERROR_EVENT": "SUCCESSFUL_RECOVERY", "DEVICE_ONLINE": "1"}),
        ("nvme", {"ACTION": "change", "NVME_AEN": "0x010001"}),
    ],
)
def test_of_other_trouble_the_drivers_find_out_at_once(subsystem: str, said: dict[str, str]) -> None:
    assert event_of(subsystem, "card0", said) == Event(is_urgent=True)


@pytest.mark.parametrize(("subsystem", "action"), [("pci", "add"), ("pci", "unbind"), ("nvme", "remove")])
def test_what_is_a_part_of_coming_or_going_waits_for_the_rest(subsystem: str, action: str) -> None:
    assert event_of(subsystem, "0000:24:00.0", {"ACTION": action}) == Event()


def test_a_watcher_that_is_stopped_rings_no_more() -> None:
    watcher = Watcher(ScriptedEvents(EVENT), lambda: pytest.fail("it rang"), pytest.fail)
    watcher.stop()

    watcher.run()


def test_calls_that_wait_are_heard_as_one() -> None:
    bell = Bell()
    for call in (Call.LOOK, Call.LOOK, Call.STOP, Call.LOOK):
        bell.ring(call)

    assert bell.wait(1) == {Call.LOOK, Call.STOP}
    assert bell.wait(0) == frozenset()
