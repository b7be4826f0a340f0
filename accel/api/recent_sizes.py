"""How many cards of one node requests take these days: what placement measures against how useful free cards stay."""

import logging
import time
from collections.abc import Callable
from functools import partial
from threading import Lock
from typing import Self

from oslo_config import cfg

from accel.db import recent_requests
from accel.db.engine import Database
from accel.placement.demand import Demand
from accel.placement.scores import SIZES, Sizes, sizes_of

_LOG = logging.getLogger(__name__)
_FEWEST = 10
"""Fewer requests say nothing about the next one."""


class RecentSizes:
    """Any number of threads may ask it. It looks every so often; processes that do so agree, if not at each moment.

    :param accelerators: of so many accelerators the newest requests are looked at; 0: all sizes count alike
    :param every_seconds: how long it goes by what it has seen
    :param seconds: seconds since whenever
    """

    def __init__(
        self,
        database: Database,
        *,
        accelerators: int = 1000,
        every_seconds: float = 60,
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._accelerators = accelerators
        self._every_seconds = every_seconds
        self._seconds = seconds
        self._looking = Lock()
        self._looked_at: float | None = None
        self._sizes = SIZES

    @classmethod
    def configured(cls, database: Database, group: cfg.ConfigOpts.GroupAttr) -> Self:
        """As the option group ``placement_engine`` says."""
        return cls(database, accelerators=group.demand_requests, every_seconds=group.demand_seconds)

    def now(self) -> Sizes:
        """The sizes; where there have been few requests, all alike. Who comes while others look goes by those before.

        :raises DatabaseUnavailable: it is time to look, and the database does not answer
        """
        if self._is_due() and self._looking.acquire(blocking=self._looked_at is None):
            try:
                if self._is_due():
                    self._look()
            finally:
                self._looking.release()
        return self._sizes

    def _is_due(self) -> bool:
        if not self._accelerators:
            return False
        return self._looked_at is None or self._seconds() - self._looked_at >= self._every_seconds

    def _look(self) -> None:
        now = self._seconds()
        seen = self._database.read(partial(recent_requests.shapes, accelerators=self._accelerators))
        sizes = sizes_of(Demand.of(seen)) if seen.total() >= _FEWEST else SIZES
        if sizes != self._sizes:
            told = ", ".join(f"{size}: {share:.0%}" for size, share in sizes)
            _LOG.info("of %d recent requests, by the number of cards of one node: %s", seen.total(), told)
        self._sizes, self._looked_at = sizes, now
