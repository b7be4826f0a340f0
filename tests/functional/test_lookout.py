"""Drivers that listen do so in processes of their own, which tell what they hear."""

import queue
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from support.listening_drivers import ALARM
from support.waiting import until

from accel.agent.lookout import Lookout
from accel.agent.nursery import Nursery
from accel.agent.probe import Setup
from accel.drivers.acts import Tell
from accel.drivers.base import Host
from accel.model.health import Alarm


@contextmanager
def looking_out(root: Path, driver: str, tell: Tell, *, pause_seconds: float = 0) -> Iterator[Lookout]:
    setup = Setup(driver="test", host=Host(name="n1", root=root), source=f"support.listening_drivers:{driver}")
    lookout = Lookout(setup, Nursery(), tell, pause_seconds=pause_seconds)
    lookout.start()
    try:
        yield lookout
    finally:
        lookout.stop()


def test_what_is_heard_is_told_and_a_process_that_ends_is_started_again(tmp_path: Path) -> None:
    heard: queue.SimpleQueue[tuple[Alarm, ...]] = queue.SimpleQueue()
    with looking_out(tmp_path, "Listening", lambda *alarms: heard.put(alarms)):
        assert [heard.get(timeout=30) for _ in range(6)] == [(ALARM,)] * 6
    assert len(list(tmp_path.glob("listened-*"))) >= 3


def test_a_driver_that_has_listened_at_once_is_left_alone_for_a_while(tmp_path: Path) -> None:
    hasty, busy = tmp_path / "hasty", tmp_path / "busy"
    hasty.mkdir()
    busy.mkdir()
    with looking_out(hasty, "Hasty", lambda *_: None, pause_seconds=3600):
        until(lambda: any(hasty.iterdir()))
        with looking_out(busy, "Listening", lambda *_: None):  # for as long as it takes to start three processes
            until(lambda: len(list(busy.iterdir())) >= 3)

    assert len(list(hasty.iterdir())) == 1


def test_a_driver_that_does_not_listen_has_no_process(tmp_path: Path) -> None:
    with looking_out(tmp_path, "Silent", lambda *_: None) as lookout:
        until(lambda: not lookout.is_alive)
