"""Nova is told what became of requests: from the outbox, once or more, never not at all.

Whoever changes a request writes in the same transaction what Nova is to be told, and wakes us. What stands there is
told in batches; what Nova does not take is told again, with pauses that grow, until it takes it or a long time is over.
"""

import logging
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from threading import Event
from typing import Protocol

from accel.conductor.backoff import growing_pause
from accel.db import notifications
from accel.db.engine import Database
from accel.db.notifications import Failure, Taken
from accel.model.notification import Notification, Reception, Reply

_LOG = logging.getLogger(__name__)
_BATCH = 100
"""So many are told at once."""


class Listener(Protocol):
    """Who is told."""

    def tell(self, notifications: Sequence[Notification]) -> list[Reply]:
        """Tell of some requests at once; gives what becomes of each, in their order."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long is waited for what; option group ``nova`` explains most."""

    lease: timedelta = timedelta(seconds=60)
    """Longer than telling of a batch takes: when it is over another conductor may tell it."""
    longest_pause: timedelta = timedelta(seconds=60)
    give_up_after: timedelta = timedelta(days=1)

    def pause(self, attempts: int, chance: float) -> timedelta:
        """How long to wait after so many attempts: twice as long after each, and not all at the same moment.

        :param chance: from 0 to 1
        """
        return growing_pause(attempts, self.longest_pause) * (1 + chance) / 2


class Notifier:
    """Tells Nova what it is to be told.

    :param clock: tells the time, with zone
    :param stop: ends the telling between two batches when it is set
    :param chance: gives numbers from 0 to 1
    """

    def __init__(
        self,
        database: Database,
        nova: Listener,
        clock: Callable[[], datetime],
        patience: Patience,
        *,
        stop: Event,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._database = database
        self._nova = nova
        self._clock = clock
        self._patience = patience
        self._stop = stop
        self._chance = chance

    def tell_due(self) -> None:
        """Tell all that is due, until Nova takes nothing.

        :raises DatabaseUnavailable: what has been told may be told again
        """
        is_heard = True
        while is_heard and not self._stop.is_set():
            taken = self._take()
            replies = self._nova.tell([each.notification for each in taken]) if taken else []
            self._conclude(taken, replies)
            is_heard = any(reply.reception is not Reception.FAILED for reply in replies)

    def _take(self) -> list[Taken]:
        now = self._clock()
        return self._database.write(
            partial(notifications.take, now=now, until=now + self._patience.lease, limit=_BATCH)
        )

    def _conclude(self, taken: Sequence[Taken], replies: Sequence[Reply]) -> None:
        if not taken:
            return
        now, chance = self._clock(), self._chance()
        done: list[Taken] = []
        later: list[Failure] = []
        hopeless: list[Failure] = []
        for each, reply in zip(taken, replies, strict=True):
            if reply.reception is not Reception.FAILED:
                done.append(each)
                continue
            failure = Failure(each, now + self._patience.pause(each.attempts, chance), reply.text)
            is_old = now - each.created_at >= self._patience.give_up_after
            (hopeless if is_old else later).append(failure)
        self._database.write(partial(notifications.conclude, done=done, later=later, hopeless=hopeless, now=now))
        _log(taken, replies, later, hopeless)


def _log(
    taken: Sequence[Taken], replies: Sequence[Reply], later: Sequence[Failure], hopeless: Sequence[Failure]
) -> None:
    for each, reply in zip(taken, replies, strict=True):
        told = each.notification
        if reply.reception is Reception.POINTLESS:
            _LOG.warning("Nova has no instance %s for accelerator request %s", told.instance_uuid, told.request_uuid)
    if later:
        _LOG.warning("Nova is told again of %d of %d accelerator requests: %s", len(later), len(taken), later[0].reason)
    for failure in hopeless:
        told = failure.taken.notification
        _LOG.error(
            "Nova is told no more that accelerator request %s of instance %s is %s, after %d attempts: %s",
            told.request_uuid,
            told.instance_uuid,
            told.status,
            failure.taken.attempts,
            failure.reason,
        )
