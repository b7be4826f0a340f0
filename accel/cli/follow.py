"""Following the history without missing a line.

Events are numbered as their transactions write, and become visible as these commit, which may be another order. So
whoever asks only for what comes after the last event seen misses one whose transaction was slower. We ask again, each
time, for everything since a little before the newest, and drop what we have seen.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from accel.cli.client import Item
from accel.cli.human import parse_moment

OVERLAP = timedelta(seconds=30)
"""How much later than its own moment an event may become visible: longer than any of our transactions takes, and room
for the clocks of several conductors to differ."""


class Unseen:
    """Remembers which events were seen within the overlap before the newest."""

    def __init__(self, overlap: timedelta = OVERLAP) -> None:
        self._overlap = overlap
        self._newest: datetime | None = None
        self._seen: dict[str, datetime] = {}

    @property
    def since(self) -> datetime | None:
        """From when on to ask again; None while nothing was seen."""
        return None if self._newest is None else self._newest - self._overlap

    def take(self, events: Iterable[Item]) -> list[Item]:
        """Those of the events that were not seen before, in their order; from now on they are."""
        new = [event for event in events if event["uuid"] not in self._seen]
        for event in new:
            self._note(event["uuid"], parse_moment(event["occurred_at"]))
        self._forget()
        return new

    def _note(self, uuid: str, moment: datetime) -> None:
        self._seen[uuid] = moment
        self._newest = moment if self._newest is None else max(self._newest, moment)

    def _forget(self) -> None:
        """What is older than what we ask for will not be answered again."""
        since = self.since
        if since is not None:
            self._seen = {uuid: moment for uuid, moment in self._seen.items() if moment >= since}
