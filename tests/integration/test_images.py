"""The registry of images on every database: bytes come whole or not at all, and are kept once."""

import io
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest
from sqlalchemy import func, select
from support.clocks import Clock
from support.databases import counted_statements
from support.images import gbs
from support.registered import LIMITS, announce, bytes_of, send, sha256

from accel.db import image_contents, images
from accel.db.arrival import Arrival, Limits
from accel.db.engine import Database
from accel.db.events import Origin
from accel.db.image_tables import ImageChunk, ImageContent
from accel.db.paging import ListQuery
from accel.db.scope import EVERYTHING, Scope
from accel.errors import Conflict, DigestMismatch, ImageTooLarge, InvalidImage, InvalidValue, NotFound
from accel.model.registry import CHUNK_BYTES, Facts, ImageState, Visibility

LARGE = os.urandom(2 * CHUNK_BYTES + 17)
REGION, FUNCTION = "ce489693-98f0-5f33-946d-560708be108a", "d8424dc4-a4a3-c413-f89e-433683f9040b"


@pytest.fixture
def clock() -> Clock:
    return Clock()


def counts(database: Database) -> tuple[int, int]:
    """How many contents there are, and how many parts of any."""
    with database.reader() as connection:
        tables = (ImageContent, ImageChunk)
        return tuple(connection.scalar(select(func.count()).select_from(table)) for table in tables)  # type: ignore[return-value]


def delete(database: Database, uuid: str, clock: Clock, scope: Scope = EVERYTHING) -> None:
    database.write(lambda connection: images.remove(connection, uuid, scope=scope, origin=Origin(at=clock())))


def test_bytes_come_back_as_they_were_sent_however_they_were_cut(any_database: Database, clock: Clock) -> None:
    row = announce(any_database, clock, size_bytes=len(LARGE), digest=sha256(LARGE))
    source = io.BytesIO(LARGE)
    ready = send(any_database, row, iter(lambda: source.read(300_001), b""), clock)

    assert (ready.state, ready.size_bytes, ready.digest) == (ImageState.READY, len(LARGE), sha256(LARGE))
    assert bytes_of(any_database, row) == LARGE
    part = any_database.read(lambda connection: image_contents.read(connection, f"sha256:{ready.digest}", CHUNK_BYTES))
    assert part == LARGE[CHUNK_BYTES : 2 * CHUNK_BYTES]
    assert any_database.read(lambda connection: image_contents.read(connection, ready.digest or "", 1 << 40)) is None
    assert any_database.read(lambda connection: image_contents.read(connection, "0" * 64, 0)) is None


def test_the_same_bytes_are_kept_once_and_go_with_the_last_image_that_has_them(
    any_database: Database, clock: Clock
) -> None:
    first, second = (announce(any_database, clock, project_id=project) for project in ("own", "foreign"))
    for row in (first, second):
        send(any_database, row, [LARGE], clock)

    assert counts(any_database) == (1, 3)
    delete(any_database, first.uuid, clock)
    assert bytes_of(any_database, second) == LARGE
    delete(any_database, second.uuid, clock)
    assert counts(any_database) == (0, 0)


def test_of_the_same_bytes_sent_at_once_one_copy_stays(any_database: Database, clock: Clock) -> None:
    rows = [announce(any_database, clock, version=str(number)) for number in range(4)]
    ready = Barrier(len(rows))

    def send_one(number: int) -> str:
        ready.wait()
        return send(any_database, rows[number], [LARGE], clock).state

    with ThreadPoolExecutor(len(rows)) as threads:
        assert set(threads.map(send_one, range(len(rows)))) == {ImageState.READY}
    assert counts(any_database) == (1, 3)


def test_an_image_that_is_deleted_while_others_get_its_bytes_takes_them_from_nobody(
    any_database: Database, clock: Clock
) -> None:
    for number in range(3):
        old, new = (announce(any_database, clock, version=f"{number}.{which}") for which in range(2))
        send(any_database, old, [LARGE], clock)
        ready = Barrier(2)

        def act(what: Callable[[], object], ready: Barrier = ready) -> object:
            ready.wait()
            return what()

        with ThreadPoolExecutor(2) as threads:
            acts = [
                lambda old=old: delete(any_database, old.uuid, clock),  # type: ignore[misc]
                lambda new=new: send(any_database, new, [LARGE], clock),  # type: ignore[misc]
            ]
            list(threads.map(act, acts))
        assert bytes_of(any_database, new) == LARGE
        delete(any_database, new.uuid, clock)


@pytest.mark.parametrize(
    ("sent", "announced", "error"),
    [
        ([LARGE[:-1]], {"size_bytes": len(LARGE)}, InvalidValue),
        ([LARGE, b"more"], {"size_bytes": len(LARGE)}, InvalidValue),
        ([], {}, InvalidValue),
        ([LARGE], {"digest": "0" * 64}, DigestMismatch),
        ([gbs(REGION, FUNCTION)[:100]], {}, InvalidImage),
        ([gbs(REGION, FUNCTION)], {"facts": Facts(function_ids=("0" * 31 + "1",))}, InvalidValue),
        ([gbs(REGION, FUNCTION)], {"facts": Facts(vendor="10ee")}, InvalidValue),
        ([b"\0" * (1 << 20)] * 17, {}, ImageTooLarge),
    ],
    ids=["truncated", "more", "empty", "others", "damaged", "another function", "another vendor", "too large"],
)
def test_what_is_not_as_announced_leaves_nothing(
    sent: list[bytes],
    announced: dict[str, object],
    error: type[Exception],
    any_database: Database,
    clock: Clock,
) -> None:
    row = announce(any_database, clock, **announced)
    with pytest.raises(error):
        send(any_database, row, sent, clock)

    assert counts(any_database) == (0, 0)
    after = any_database.read(lambda connection: images.get(connection, row.uuid, scope=EVERYTHING))
    assert (after.state, after.content_id) == (ImageState.AWAITING, None)


def test_what_a_process_left_when_it_died_is_dropped_later(any_database: Database, clock: Clock) -> None:
    row = announce(any_database, clock)
    left = Arrival(any_database, row, limits=LIMITS, clock=clock).__enter__()
    left.take(LARGE)
    send(any_database, announce(any_database, clock, version="2"), [LARGE], clock)
    later = clock() + timedelta(seconds=1)

    assert counts(any_database) == (2, 5)
    dropped = [any_database.write(lambda at: image_contents.abandon_late(at, begun_before=later)) for _ in range(2)]
    assert dropped == [1, 0]
    assert counts(any_database) == (1, 3)


def test_who_sends_too_slowly_is_given_up(any_database: Database, clock: Clock) -> None:
    row = announce(any_database, clock)
    limits = Limits(size_bytes=LIMITS.size_bytes, duration=timedelta(seconds=30))

    def slowly() -> object:
        yield LARGE[:CHUNK_BYTES]
        clock.pass_(seconds=31)
        yield LARGE[:CHUNK_BYTES]

    with pytest.raises(InvalidValue, match="within 30 s"):
        send(any_database, row, slowly(), clock, limits=limits)  # type: ignore[arg-type]
    assert counts(any_database) == (0, 0)


def test_what_the_header_says_is_known_of_the_image(any_database: Database, clock: Clock) -> None:
    row = announce(any_database, clock)
    ready = send(any_database, row, [gbs(REGION, FUNCTION)], clock)
    lists = any_database.read(lambda connection: images.lists_of(connection, [ready]))[ready.id]

    assert (ready.kind, ready.vendor, ready.platform, ready.purpose) == ("gbs", "8086", "DCP", "region")
    assert (lists.region_ids, lists.function_ids) == ((REGION.replace("-", ""),), (FUNCTION.replace("-", ""),))
    for wanted in ({"function_id": FUNCTION.upper()}, {"region_id": REGION}, {"kind": "gbs"}):
        query = ListQuery(filters=tuple(wanted.items()))
        page = any_database.read(lambda connection, query=query: images.find(connection, query, scope=EVERYTHING))  # type: ignore[misc]
        assert [found.uuid for found in page.rows] == [row.uuid]


def test_an_image_has_its_bytes_once(any_database: Database, clock: Clock) -> None:
    row = announce(any_database, clock)
    send(any_database, row, [LARGE], clock)
    with pytest.raises(Conflict, match="has its bytes already"):
        send(any_database, row, [b"others"], clock)
    assert bytes_of(any_database, row) == LARGE


@pytest.mark.parametrize(
    ("visibility", "projects", "seen_by"),
    [
        (Visibility.PRIVATE, (), {"own"}),
        (Visibility.SHARED, ("foreign",), {"own", "foreign"}),
        (Visibility.PUBLIC, (), {"own", "foreign", "another", None}),
    ],
)
def test_who_sees_an_image(
    visibility: Visibility, projects: tuple[str, ...], seen_by: set[str | None], any_database: Database, clock: Clock
) -> None:
    row = announce(any_database, clock, visibility=visibility, projects=projects)

    def sees(project: str | None) -> bool:
        scope = Scope(project_id=project)
        try:
            any_database.read(lambda connection: images.get(connection, row.uuid, scope=scope))
        except NotFound:
            return False
        return True

    assert {project for project in ("own", "foreign", "another", None) if sees(project)} == seen_by
    with pytest.raises(NotFound):
        delete(any_database, row.uuid, clock, Scope(project_id="foreign"))


def test_a_list_costs_the_same_however_long_it_is(any_database: Database, clock: Clock) -> None:
    def statements() -> int:
        with counted_statements(any_database) as seen, any_database.reader() as connection:
            page = images.find(connection, ListQuery(limit=1000, sort_key="name"), scope=Scope(project_id="own"))
            images.lists_of(connection, page.rows)
        return len(seen)

    announce(any_database, clock)
    once = statements()
    for number in range(30):
        announce(any_database, clock, version=str(number), facts=Facts(region_ids=(f"{number + 1:032x}",)))

    assert statements() == once == 3
