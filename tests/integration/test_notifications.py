"""The outbox of what Nova is to be told, on every database we support."""

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from support.clocks import Clock
from support.databases import counted_statements
from support.inventories import events
from support.inventory import Inventory
from support.nova import HOME, connected, options, running_nova
from support.outbox import about, waiting, write

from accel.conductor.notifier import Notifier, Patience
from accel.conductor.service import Periodic
from accel.db import notifications
from accel.db.engine import Database
from accel.db.notifications import Failure, Taken

MINUTE = timedelta(minutes=1)


@pytest.fixture
def clock() -> Clock:
    return Clock()


def take(database: Database, clock: Clock, *, limit: int = 100) -> list[Taken]:
    return database.write(
        lambda connection: notifications.take(connection, now=clock.now, until=clock.now + MINUTE, limit=limit)
    )


def conclude(
    database: Database,
    clock: Clock,
    *,
    done: Sequence[Taken] = (),
    later: Sequence[Failure] = (),
    hopeless: Sequence[Failure] = (),
) -> None:
    database.write(
        lambda connection: notifications.conclude(connection, done=done, later=later, hopeless=hopeless, now=clock.now)
    )


def test_what_is_taken_is_due_again_only_when_its_time_is_over(any_database: Database, clock: Clock) -> None:
    write(any_database, about("vm-1", "vm-2"), clock.now)

    assert [each.notification.instance_uuid for each in take(any_database, clock)] == ["vm-1", "vm-2"]
    assert take(any_database, clock) == []
    clock.pass_(minutes=1)
    assert [each.attempts for each in take(any_database, clock)] == [2, 2]


def test_the_longest_due_comes_first_and_no_more_than_is_wanted(any_database: Database, clock: Clock) -> None:
    for number in (3, 1, 2):
        write(any_database, about(f"vm-{number}"), clock.now + timedelta(seconds=number))
    clock.pass_(seconds=2)

    assert [each.notification.instance_uuid for each in take(any_database, clock, limit=1)] == ["vm-1"]
    assert [each.notification.instance_uuid for each in take(any_database, clock, limit=9)] == ["vm-2"]


def test_conductors_that_take_at_the_same_moment_take_each_once(any_database: Database, clock: Clock) -> None:
    write(any_database, about(*(f"vm-{number}" for number in range(200))), clock.now)
    barrier = threading.Barrier(4)

    def take_all(_: int) -> list[int]:
        barrier.wait()
        mine: list[int] = []
        while taken := take(any_database, clock, limit=10):
            mine += [each.id for each in taken]
        return mine

    with ThreadPoolExecutor(4) as pool:
        taken = [number for mine in pool.map(take_all, range(4)) for number in mine]
    left = [each.id for each in take(any_database, clock)]

    assert sorted(taken + left) == [row.id for row in waiting(any_database)]


def test_two_conductors_tell_each_once_while_more_is_written(any_database: Database, tmp_path: Path) -> None:
    instance, clock, stop = str(uuid4()), Clock(), threading.Event()
    with running_nova() as nova:
        nova.servers = {instance: HOME}
        listener = connected(tmp_path, options(nova.url))
        notifiers = [Notifier(any_database, listener, clock, Patience(), stop=stop) for _ in range(2)]
        threads = [Periodic([each.tell_due], interval_seconds=3600, stop=stop) for each in notifiers]
        for thread in threads:
            thread.start()

        def write_some(number: int) -> None:
            for _ in range(20):
                write(any_database, about(instance), clock.now)
                threads[number % 2].wake()

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(write_some, range(4)))
        for thread in threads:
            thread.stop()
        stop.clear()
        notifiers[0].tell_due()
        tags = [event["tag"] for event in nova.told]

    assert not any(thread.has_failed for thread in threads)
    assert (len(tags), len(set(tags)), waiting(any_database)) == (80, 80, [])


def test_who_comes_too_late_with_a_failure_does_not_disturb_the_next(any_database: Database, clock: Clock) -> None:
    write(any_database, about("vm-1"), clock.now)
    [first] = take(any_database, clock)
    clock.pass_(minutes=2)
    [second] = take(any_database, clock)
    conclude(any_database, clock, later=[Failure(first, clock.now, "too slow")])
    conclude(any_database, clock, hopeless=[Failure(first, clock.now, "too slow")])

    assert take(any_database, clock) == []
    conclude(any_database, clock, done=[second])
    assert waiting(any_database) == []
    assert events(any_database) == []


def test_what_is_told_is_gone_whoever_says_so_first(any_database: Database, clock: Clock) -> None:
    write(any_database, about("vm-1", "vm-2"), clock.now)
    first = take(any_database, clock)
    clock.pass_(minutes=2)
    second = take(any_database, clock)
    conclude(any_database, clock, done=first)
    conclude(any_database, clock, done=second)

    assert waiting(any_database) == []


def test_a_failure_is_kept_with_its_reason_until_its_time(any_database: Database, clock: Clock) -> None:
    write(any_database, about("vm-1"), clock.now)
    [taken] = take(any_database, clock)
    conclude(any_database, clock, later=[Failure(taken, clock.now + timedelta(seconds=5), "no answer – “503”")])

    [row] = waiting(any_database)
    assert (row.last_error, row.attempts, row.next_attempt_at) == (
        "no answer – “503”",
        1,
        clock.now + timedelta(seconds=5),
    )
    clock.pass_(seconds=5)
    assert [each.attempts for each in take(any_database, clock)] == [2]


def test_what_is_given_up_is_an_event_of_its_project_while_the_request_is_there(
    any_database: Database, clock: Clock
) -> None:
    inventory = Inventory(any_database)
    request = inventory.request(inventory.profile("gold"), project_id="red", hostname="node-1")
    told = about("vm-1", "vm-2")
    write(any_database, [replace(told[0], request_uuid=request["uuid"]), told[1]], clock.now)
    conclude(
        any_database,
        clock,
        hopeless=[Failure(taken, clock.now, "no answer") for taken in take(any_database, clock)],
    )

    assert waiting(any_database) == []
    [event] = events(any_database)
    assert (event.kind, event.subject, event.project_id, event.node) == (
        "request.untold",
        request["uuid"],
        "red",
        "node-1",
    )
    assert event.after == {"status": "completed", "reason": "no answer"}


def test_the_number_of_statements_does_not_grow(any_database: Database, clock: Clock) -> None:
    costs = []
    for amount in (1, 100):
        write(any_database, about(*(str(uuid4()) for _ in range(3 * amount))), clock.now)
        with counted_statements(any_database) as statements:
            taken = take(any_database, clock, limit=3 * amount)
            conclude(
                any_database,
                clock,
                done=taken[:amount],
                later=[Failure(each, clock.now + MINUTE, "x") for each in taken[amount : 2 * amount]],
                hopeless=[Failure(each, clock.now, "x") for each in taken[2 * amount :]],
            )
        costs.append(len(statements))

    assert costs[0] == costs[1] <= 7
