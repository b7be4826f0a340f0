"""Drivers that listen do so in processes of their own, which ring the bell."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from support.waiting import until

from accel.agent.lookout import Lookout
from accel.agent.probe import Setup
from accel.drivers.base import Host


@contextmanager
def looking_out(root: Path, driver: str, ring: Callable[[], None]) -> Iterator[Lookout]:
    setup = Setup(driver="test", host=Host(name="n1", root=root), source=f"support.listening_drivers:{driver}")
    lookout = Lookout(setup, ring, pause_seconds=0)
    lookout.start()
    try:
        yield lookout
    finally:
        lookout.stop()


def test_what_is_heard_rings_and_a_process_that_ends_is_started_again(tmp_path: Path) -> None:
    rung = threading.Semaphore(0)
    with looking_out(tmp_path, "Listening", rung.release):
        assert all(rung.acquire(timeout=30) for _ in range(6))
    assert len(list(tmp_path.glob("listened-*"))) >= 3


def test_a_driver_that_does_not_listen_has_no_process(tmp_path: Path) -> None:
    with looking_out(tmp_path, "Silent", lambda: None) as lookout:
        until(lambda: not lookout.is_alive)
