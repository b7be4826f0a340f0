"""How the conductor begins, and its periodic work; outages of real databases are with the integration tests."""

import threading
from queue import Queue

import pytest

from accel.conductor.service import Periodic, begin
from accel.errors import DatabaseUnavailable

PATIENCE_SECONDS = 10


def test_tasks_run_at_once_in_order_and_again() -> None:
    ran: Queue[str] = Queue()
    tasks = (lambda: ran.put("first"), lambda: ran.put("second"))
    periodic = Periodic(tasks, interval_seconds=0.001, stop=threading.Event())
    periodic.start()
    seen = [ran.get(timeout=PATIENCE_SECONDS) for _ in range(4)]
    periodic.stop()
    assert seen == ["first", "second", "first", "second"]


def test_a_round_that_the_database_held_up_is_tried_again() -> None:
    tries: list[int] = []
    done = threading.Event()

    def task() -> None:
        tries.append(len(tries))
        if len(tries) == 1:
            raise DatabaseUnavailable("away")
        done.set()

    periodic = Periodic([task], interval_seconds=0.001, stop=threading.Event())
    periodic.start()
    assert done.wait(PATIENCE_SECONDS)
    periodic.stop()
    assert not periodic.has_failed


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_mistake_in_a_task_stops_the_service() -> None:
    stop = threading.Event()
    periodic = Periodic([lambda: 1 // 0], interval_seconds=0.001, stop=stop)
    periodic.start()
    assert stop.wait(PATIENCE_SECONDS)
    periodic.stop()
    assert periodic.has_failed


def test_stopping_does_not_wait_for_the_interval() -> None:
    ran = threading.Event()
    periodic = Periodic([ran.set], interval_seconds=3600, stop=threading.Event())
    periodic.start()
    assert ran.wait(PATIENCE_SECONDS)
    periodic.stop()
    assert not periodic.has_failed


def test_a_server_that_starts_has_begun() -> None:
    assert begin(lambda: None, threading.Event(), awaited="nothing")


def test_a_server_that_waits_without_end_is_left_when_the_service_is_to_end() -> None:
    stop, never = threading.Event(), threading.Event()

    def start() -> None:
        stop.set()
        never.wait()

    assert not begin(start, stop, awaited="what never comes")
    never.set()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_server_that_cannot_start_has_not_begun() -> None:
    def start() -> None:
        raise ZeroDivisionError

    assert not begin(start, threading.Event(), awaited="nothing")


def test_woken_it_does_not_wait_for_the_interval_even_if_it_is_at_work_then() -> None:
    begun: Queue[str] = Queue()
    go_on = threading.Event()

    def task() -> None:
        begun.put("begun")
        go_on.wait(PATIENCE_SECONDS)

    periodic = Periodic([task], interval_seconds=3600, stop=threading.Event())
    periodic.start()
    begun.get(timeout=PATIENCE_SECONDS)
    periodic.wake()
    go_on.set()
    begun.get(timeout=PATIENCE_SECONDS)
    periodic.stop()
    assert not periodic.has_failed
