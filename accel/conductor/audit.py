"""Looks for what does not add up between attach handles, their holders and requests, and mends it where asked."""

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from random import Random

from accel.db import audit
from accel.db.engine import Database
from accel.db.events import Origin
from accel.db.transitions import Terms
from accel.errors import Conflict, NovaUnavailable
from accel.model.audit import MENDS, Audit, AuditWanted, Finding

_LOG = logging.getLogger(__name__)

Gone = Callable[[Iterable[str]], set[str]]
"""Gives those of some instances that there are no more; raises NovaUnavailable where that is not known."""

_OF_GONE = "requests for instances that are gone"
_NO_NOVA = f"{_OF_GONE}: the conductor that answers has no Nova to ask; [nova] auth_type is not set"
_ASKED_AT_ONCE = 50
_NOVA_PATIENCE = timedelta(seconds=20)
"""Whoever wants the audit waits for it: of very many instances, which Nova is asked for one by one, each audit asks for
others.
"""


class Auditor:
    """One audit after the other, while claims go on.

    :param take_up_work: begins the work on requests that somebody has not ended in time
    :param gone: None: there is no Nova
    """

    def __init__(
        self,
        database: Database,
        clock: Callable[[], datetime],
        terms: Terms,
        *,
        take_up_work: Callable[[], None],
        gone: Gone | None,
    ) -> None:
        self._database = database
        self._clock = clock
        self._terms = terms
        self._take_up_work = take_up_work
        self._gone = gone
        self._chance = Random()  # noqa: S311 - nobody gains by guessing which instances are asked for first

    def audit(self, wanted: AuditWanted) -> Audit:
        """What does not add up, and if that is wanted, what of it is mended.

        :raises DatabaseUnavailable: some of it may be mended
        """
        gone, left_out = self._instances_gone()
        found = self._find(gone)
        if not wanted.fix or not found:
            return Audit(findings=tuple(found), left_out=left_out)
        caller = wanted.caller
        origin = Origin(at=self._clock(), request_id=caller.request_id, user_id=caller.user_id)
        for finding in found:
            if MENDS[finding.kind] is not None:
                self._mend(finding, gone, origin)
        self._take_up_work()
        left = self._find(gone)
        still = {(finding.kind, finding.subject) for finding in left}
        mended = [replace(one, is_mended=True) for one in found if (one.kind, one.subject) not in still]
        return Audit(findings=(*mended, *left), left_out=left_out)

    def _instances_gone(self) -> tuple[set[str], tuple[str, ...]]:
        if self._gone is None:
            return set(), (_NO_NOVA,)
        known = sorted(self._database.read(audit.instances))
        gone: set[str] = set()
        until = self._clock() + _NOVA_PATIENCE
        self._chance.shuffle(known)
        for begin in range(0, len(known), _ASKED_AT_ONCE):
            if self._clock() >= until:
                return gone, (f"{_OF_GONE}: Nova was asked for {begin} of {len(known)}, by chance; audit again",)
            try:
                gone |= self._gone(known[begin : begin + _ASKED_AT_ONCE])
            except NovaUnavailable as error:
                return gone, (f"{_OF_GONE}: {error}",)
        return gone, ()

    def _find(self, gone: set[str]) -> Sequence[Finding]:
        return self._database.read(lambda connection: audit.find(connection, now=self._clock(), gone=gone))

    def _mend(self, finding: Finding, gone: set[str], origin: Origin) -> None:
        """Mend one finding in a transaction of its own; what does not let itself be mended stays as it is."""
        mend = partial(audit.mend, finding=finding, gone=gone, terms=self._terms, origin=origin)
        try:
            self._database.write(mend)
        except Conflict as error:
            _LOG.warning("%s %s is not mended: %s", finding.kind, finding.subject, error)
