"""Nova is told once or more, never not at all: a conductor's telling, against a Nova that is not always well."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from support.clocks import Clock
from support.nova import HOME, Answer, StandInNova, connected, options, running_nova
from support.outbox import about, bind, waiting, write
from support.processes import free_port
from support.site import Site

from accel.conductor.claims import Hooks
from accel.conductor.notifier import Notifier, Patience
from accel.conductor.service import Periodic
from accel.db.engine import Database

HERE, GONE = str(uuid4()), str(uuid4())


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def service() -> Iterator[StandInNova]:
    with running_nova() as nova:
        nova.servers = {HERE: HOME}
        yield nova


def notifier(
    database: Database, directory: Path, url: str, clock: Clock, *, stop: threading.Event | None = None
) -> Notifier:
    nova = connected(directory, options(url))
    return Notifier(database, nova, clock, Patience(), stop=stop or threading.Event(), chance=lambda: 1)


@pytest.fixture
def ours(database: Database, tmp_path: Path, service: StandInNova, clock: Clock) -> Notifier:
    return notifier(database, tmp_path, service.url, clock)


def test_what_nova_takes_and_what_is_pointless_is_told_once(
    ours: Notifier, database: Database, service: StandInNova, clock: Clock
) -> None:
    write(database, about(HERE, GONE), clock.now)
    ours.tell_due()

    assert waiting(database) == []
    assert [event["server_uuid"] for event in service.next_post().events] == [HERE, GONE]
    clock.pass_(days=1)
    ours.tell_due()
    assert service.posts.empty()


def test_many_are_told_at_once_and_all_of_them(
    ours: Notifier, database: Database, service: StandInNova, clock: Clock
) -> None:
    write(database, about(*[HERE] * 250), clock.now)
    ours.tell_due()

    assert [len(service.next_post().events) for _ in range(3)] == [100, 100, 50]
    assert (len(service.told), waiting(database)) == (250, [])


def test_while_nova_is_away_everything_waits_and_is_told_when_it_is_back(
    database: Database, tmp_path: Path, clock: Clock
) -> None:
    port = free_port()
    ours = notifier(database, tmp_path, f"http://127.0.0.1:{port}", clock)
    write(database, about(*[HERE] * 150), clock.now)
    for _ in range(3):
        ours.tell_due()
        clock.pass_(minutes=1)
    rows = waiting(database)
    assert len(rows) == 150
    assert all("Nova cannot be asked" in row.last_error for row in rows if row.attempts)

    back = StandInNova()
    back.servers = {HERE: HOME}
    with running_nova(port, back):
        ours.tell_due()
    assert sorted(event["tag"] for event in back.told) == sorted(row.request_uuid for row in rows)
    assert waiting(database) == []


def test_what_fails_is_told_again_later_and_later_and_the_rest_at_once(
    ours: Notifier, database: Database, service: StandInNova, clock: Clock
) -> None:
    write(database, about("no-uuid"), clock.now)
    pauses = []
    for _ in range(9):
        ours.tell_due()
        [row] = waiting(database)
        pauses.append((row.next_attempt_at - clock.now).total_seconds())
        clock.now = row.next_attempt_at
        write(database, about(HERE), clock.now)

    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert len(service.told) == 8


@pytest.mark.parametrize("chance", [0, 0.5, 1])
def test_a_pause_is_between_half_of_it_and_all_of_it(chance: float) -> None:
    patience = Patience(longest_pause=timedelta(seconds=10))

    assert patience.pause(1, chance) == timedelta(seconds=0.5 + chance / 2)
    assert patience.pause(1000, chance) == timedelta(seconds=5 + 5 * chance)


def test_what_is_not_taken_for_a_day_is_given_up_and_remains_as_an_event(
    ours: Notifier, database: Database, service: StandInNova, clock: Clock
) -> None:
    site = Site(database, clock)
    [bound] = bind(site, site.conductor(), HERE)
    service.script.extend([Answer(503), Answer(503)])
    ours.tell_due()
    clock.pass_(days=1)
    ours.tell_due()

    assert waiting(database) == []
    assert [event.kind for event in site.events(bound)] == ["request.created", "request.bound", "request.untold"]


def test_what_is_old_is_told_once_more_before_it_is_given_up(
    ours: Notifier, database: Database, service: StandInNova, clock: Clock
) -> None:
    write(database, about(HERE), clock.now)
    clock.pass_(days=7)
    ours.tell_due()

    assert len(service.told) == 1


def test_what_a_conductor_wrote_before_it_died_another_one_tells(
    ours: Notifier, database: Database, service: StandInNova, clock: Clock
) -> None:
    class Killed(BaseException):
        pass

    def die(point: str) -> None:
        if point == "claim.committed":
            raise Killed

    site = Site(database, clock)
    with pytest.raises(Killed):
        bind(site, site.conductor(hooks=Hooks(at=die)), HERE, count=3)
    ours.tell_due()

    assert {(event["server_uuid"], event["status"]) for event in service.told} == {(HERE, "completed")}
    assert len(service.next_post().events) == 3
    assert waiting(database) == []


def test_while_one_conductor_tells_another_does_not_and_when_it_dies_the_other_does(
    ours: Notifier, database: Database, tmp_path: Path, service: StandInNova, clock: Clock
) -> None:
    other = notifier(database, tmp_path, service.url, clock)
    write(database, about(HERE), clock.now)
    service.script.append("hang")
    with ThreadPoolExecutor(1) as pool:
        hanging = pool.submit(ours.tell_due)
        service.next_post()
        other.tell_due()
        assert service.posts.empty()
        clock.pass_(minutes=1)
        other.tell_due()
        assert [row.id for row in waiting(database)] == []
        service.let_go.set()
        hanging.result()

    assert len(service.told) == 2
    assert waiting(database) == []


def test_told_to_end_it_begins_no_further_batch(
    database: Database, tmp_path: Path, service: StandInNova, clock: Clock
) -> None:
    stop = threading.Event()
    ours = notifier(database, tmp_path, service.url, clock, stop=stop)
    write(database, about(*[HERE] * 150), clock.now)
    service.script.append("hang")
    with ThreadPoolExecutor(1) as pool:
        telling = pool.submit(ours.tell_due)
        service.next_post()
        stop.set()
        service.let_go.set()
        telling.result()

    assert (len(service.told), len(waiting(database))) == (100, 50)


def test_nova_is_told_as_soon_as_a_request_is_bound(
    ours: Notifier, database: Database, service: StandInNova, clock: Clock
) -> None:
    thread = Periodic([ours.tell_due], interval_seconds=3600, stop=threading.Event())
    thread.start()
    site = Site(database, clock)
    bound = bind(site, site.conductor(hooks=Hooks(wake_notifier=thread.wake)), HERE, count=2)

    assert sorted(service.next_post().tags) == sorted(bound)
    thread.stop()
    assert not thread.has_failed


def test_without_a_nova_nothing_waits(database: Database) -> None:
    site = Site(database, tells_nova=False)
    bind(site, site.conductor(), HERE)

    assert waiting(database) == []
