"""Following the history: nothing is missed, nothing is shown twice."""

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from accel.cli.event import recent
from accel.cli.follow import Unseen

BEGIN = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
OVERLAP = timedelta(seconds=30)


def event(second: float, uuid: str | None = None) -> dict[str, Any]:
    return {"uuid": uuid or f"event-{second}", "occurred_at": (BEGIN + timedelta(seconds=second)).isoformat()}


def seconds(events: list[dict[str, Any]]) -> list[float]:
    return [(datetime.fromisoformat(item["occurred_at"]) - BEGIN).total_seconds() for item in events]


def test_an_event_that_becomes_visible_late_is_still_shown() -> None:
    unseen = Unseen(OVERLAP)
    unseen.take([event(1), event(20)])
    assert seconds(unseen.take([event(1), event(10), event(20)])) == [10]


def test_an_event_is_shown_once() -> None:
    unseen = Unseen(OVERLAP)
    assert len(unseen.take([event(1)])) == 1
    assert unseen.take([event(1)]) == []


def test_before_the_first_event_everything_is_asked_for() -> None:
    assert Unseen(OVERLAP).since is None


def test_the_window_begins_the_overlap_before_the_newest() -> None:
    unseen = Unseen(OVERLAP)
    unseen.take([event(100), event(90)])
    assert unseen.since == BEGIN + timedelta(seconds=70)


@given(st.lists(st.tuples(st.integers(0, 300), st.integers(0, 29)), max_size=40))
def test_every_event_is_shown_exactly_once_when_none_is_later_than_the_overlap(moments: list[tuple[int, int]]) -> None:
    """Each event has a moment and a delay after which it can be seen; every second somebody looks."""
    history = [(moment, moment + delay, event(moment, f"{number}")) for number, (moment, delay) in enumerate(moments)]
    unseen, shown = Unseen(OVERLAP), []
    for now in range(331):
        since = unseen.since
        visible = [item for _, seen_from, item in history if seen_from <= now]
        asked = [item for item in visible if since is None or datetime.fromisoformat(item["occurred_at"]) >= since]
        shown += [item["uuid"] for item in unseen.take(asked)]
    assert sorted(shown) == sorted(item["uuid"] for _, _, item in history)


def test_what_was_before_is_so_many_and_all_within_the_overlap() -> None:
    newest_first = [event(second) for second in (100, 99, 80, 71, 69, 10)]
    assert seconds(recent(newest_first, 2)) == [71, 80, 99, 100]
    assert seconds(recent(newest_first, 5)) == [69, 71, 80, 99, 100]
    assert seconds(recent(newest_first, None)) == [10, 69, 71, 80, 99, 100]
