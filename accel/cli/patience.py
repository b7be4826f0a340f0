"""Trying again until what is wanted fits somewhere."""

from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

from accel.cli.errors import NoAnswerInTime, NoPlacement

PAUSE_SECONDS = 2.0

T = TypeVar("T")


def until_it_fits(
    attempt: Callable[[], T],
    *,
    limit: timedelta,
    wait: Callable[[float], object],
    tell: Callable[[str], None],
) -> T:
    """What the first attempt gives that finds a place.

    :param attempt: raises ``NoPlacement`` as long as there is none
    :param limit: how long to go on
    :param wait: waits so many seconds
    :param tell: is told why there is none, whenever the reason is another one
    :raises NoAnswerInTime: there was none all the time
    """
    seconds, waited, told = limit.total_seconds(), 0.0, ""
    while True:
        try:
            return attempt()
        except NoPlacement as error:
            reason = str(error)
        if waited >= seconds:
            raise NoAnswerInTime(f"it did not fit within {seconds:g} s: {reason}")
        if reason != told:
            tell(f"waiting: {reason}")
            told = reason
        pause = min(PAUSE_SECONDS, seconds - waited)
        wait(pause)
        waited += pause
