"""Which of the handles that were lent to pods nobody has any more.

Three things could take one for left that is not. An allocation shows in the kubelet's list only when it is over, so a
handle that was given away a moment ago is not looked for. A kubelet that has just begun may list too little, so what
it remembers on disk counts as much as what it lists. And any list may be wrong once, so a handle is given back only
when it has been missing for a while; a look that fails says nothing at all.
"""

import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from threading import Lock

_ADMISSION_SECONDS = 1.0
"""No container gets its devices, works with them and is gone in less."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Departed:
    """What a look has found."""

    left: frozenset[str] = frozenset()
    """The handles that nobody has."""
    due: frozenset[str] = frozenset()
    """Those of them that are to be given back."""
    remembered: frozenset[str] = frozenset()
    """Those that the kubelet does not list and remembers, as far as it has written that down anew."""


class Departures:
    """Looks whether pods have left what they were lent. For any thread.

    :param grace_seconds: how long a handle must have been missing
    """

    def __init__(self, grace_seconds: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.grace_seconds = grace_seconds
        """How long a handle must have been missing."""
        self._clock = clock
        self._lock = Lock()
        self._given: dict[str, float] = {}
        self._unlisted: set[str] = set()
        self._missing: dict[str, float] = {}

    def give(self, handles: Collection[str]) -> bool:
        """Handles are being given to a container.

        :return: whether nobody can have left anything on them that this container must not find: they were given away
            only just now, to another container of a pod that is not admitted yet
        """
        now = self._clock()
        with self._lock:
            is_same_pod = all(one in self._unlisted and now - self._given[one] < _ADMISSION_SECONDS for one in handles)
            self._given |= dict.fromkeys(handles, now)
            self._unlisted |= set(handles)
            self._missing = {one: since for one, since in self._missing.items() if one not in handles}
        return is_same_pod

    def now(self) -> float:
        """To be taken before the kubelet is asked."""
        return self._clock()

    def look(
        self, lent: Mapping[str, tuple[str, ...]], listed: Iterable[str], remembered: Iterable[str], asked_at: float
    ) -> Departed:
        """What has been left.

        :param lent: the names that each handle was lent by
        :param listed: the names that the kubelet lists, and those that it remembers
        :param asked_at: when the kubelet was asked
        """
        listed, remembered = frozenset(listed), frozenset(remembered)
        with self._lock:
            absent = {one for one, names in lent.items() if listed.isdisjoint(names)}
            self._unlisted -= {one for one in lent.keys() - absent if asked_at >= self._given.get(one, asked_at)}
            missing = {one for one in absent if self._is_settled(one, asked_at)}
            left = {one for one in missing if remembered.isdisjoint(lent[one])}
            self._missing = {one: self._missing.get(one, asked_at) for one in left}
            due = {one for one, since in self._missing.items() if asked_at - since >= self.grace_seconds}
        return Departed(left=frozenset(left), due=frozenset(due), remembered=frozenset(missing - left))

    def _is_settled(self, handle: str, asked_at: float) -> bool:
        """Whether the kubelet would list the handle by now, if it was given away lately."""
        given_at = self._given.get(handle)
        if given_at is None:
            return True
        wait_seconds = self.grace_seconds if handle in self._unlisted else 0.0
        return asked_at - given_at >= wait_seconds
