"""Taking reports: statements, first report, heartbeats."""

import time
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import event

from accel.db.engine import Database
from accel.model.report import Heartbeat
from accel.rpc.wire import content_hash
from bench.figures import Figure, median_ms
from bench.material import fleet, recorded, reports


def figures(directory: Path) -> Iterator[Figure]:
    """What a conductor on SQLite needs."""
    for cards in (1, 16, 256):
        yield _unchanged(directory, cards)
    yield _first_report(directory)
    yield _heartbeats(directory)


def _unchanged(directory: Path, cards: int) -> Figure:
    of = fleet(directory, nodes=1, cards=cards)
    with recorded(f"sqlite:///{directory}/unchanged-{cards}.sqlite", of) as (database, manager):
        (again,) = reports(of, sequence=2)
        seen = _count_statements(database)
        manager.report(again)
        return Figure(
            what=f"unchanged report of {cards} devices",
            value=len(seen),
            unit="statements",
            bound=6,
            reference="690–882 at 16" if cards == 16 else "",
        )


def _count_statements(database: Database) -> list[str]:
    seen: list[str] = []
    event.listen(database.engine, "before_cursor_execute", lambda *arguments: seen.append(arguments[2]))
    return seen


def _first_report(directory: Path) -> Figure:
    of = fleet(directory, nodes=60, cards=16)
    with recorded(f"sqlite:///{directory}/first.sqlite") as (_, manager):
        waiting = reports(of)
        value = median_ms(lambda: manager.report(next(waiting)), times=50)
    return Figure(what="first report of a 16-device node, SQLite", value=value, unit="ms", bound=40)


def _heartbeats(directory: Path) -> Figure:
    of = fleet(directory, nodes=1000, cards=1)
    with recorded(f"sqlite:///{directory}/beats.sqlite", of) as (_, manager):
        beats = [
            Heartbeat(node=r.node.name, boot_id=r.boot_id, sequence=2, content_hash=content_hash(r))
            for r in reports(of)
        ]
        started = time.process_time()
        for beat in beats:
            manager.heartbeat(beat)
        spent = time.process_time() - started
    return Figure(
        what="1,000 heartbeats a minute, conductor's work, SQLite", value=spent / 60 * 100, unit="% of a core", bound=5
    )
