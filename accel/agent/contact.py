"""Keeps in touch with the conductor, through its absences."""

import logging
import random
from collections.abc import Callable
from typing import Protocol

from accel.errors import ConductorRefused, Unavailable

_LOG = logging.getLogger(__name__)

_FIRST_RETRY_SECONDS = 1.0
_LONGEST_RETRY_SECONDS = 60.0


class Speaker(Protocol):
    """Who has something to say to the conductor."""

    @property
    def has_news(self) -> bool:
        """Whether it is more than a sign of life."""
        ...

    def deliver(self) -> None:
        """Say it.

        :raises Unavailable: nobody took it; it is kept
        :raises ConductorRefused: the conductor takes it for wrong
        """
        ...


class Trouble:
    """Whether the conductor is heard: one line in the log when it is not any more, one when it is again."""

    def __init__(self) -> None:
        self.text = ""
        """What is the matter; empty when all is well."""

    def begin(self, error: Exception) -> None:
        """A message was not taken."""
        if not self.text:
            _LOG.error("The conductor does not take what we say: %s. It is kept, and tried again", error)
        self.text = str(error)

    def end(self) -> None:
        """A message was taken."""
        if self.text:
            _LOG.warning("The conductor is heard again")
        self.text = ""


class Contact:
    """Lets a speaker speak, and says when he should do so again.

    :param jitter: a random number from 0 to 1, so that a thousand agents do not come back at the same moment
    """

    def __init__(
        self,
        speaker: Speaker,
        trouble: Trouble,
        *,
        heartbeat_seconds: float,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._speaker = speaker
        self._trouble = trouble
        self._heartbeat_seconds = heartbeat_seconds
        self._jitter = jitter
        self._retry_seconds = _FIRST_RETRY_SECONDS

    @property
    def status(self) -> str:
        """How it goes, for people."""
        return f"the conductor is away: {self._trouble.text}" if self._trouble.text else "the conductor is heard"

    @property
    def is_heard(self) -> bool:
        """Whether the conductor has taken what was said last."""
        return not self._trouble.text

    @property
    def is_urgent(self) -> bool:
        """Whether there is something to say that should not wait for the next sign of life."""
        return self._speaker.has_news and not self._trouble.text

    def make(self) -> float:
        """Let him speak.

        :returns: in how many seconds to try again, or to give the next sign of life
        """
        try:
            self._speaker.deliver()
        except (Unavailable, ConductorRefused) as error:
            self._trouble.begin(error)
            return self._next_retry_seconds()
        self._trouble.end()
        self._retry_seconds = _FIRST_RETRY_SECONDS
        return 0.0 if self._speaker.has_news else self._heartbeat_seconds

    def _next_retry_seconds(self) -> float:
        pause = self._retry_seconds * (0.5 + self._jitter() / 2)
        self._retry_seconds = min(self._retry_seconds * 2, _LONGEST_RETRY_SECONDS)
        return pause
