"""How long to wait before something is tried again that somebody else has refused or not answered."""

from datetime import timedelta

_SHORTEST = timedelta(seconds=1)


def growing_pause(attempts: int, longest: timedelta) -> timedelta:
    """Twice as long after each attempt, from a second on.

    :param attempts: how many there were, 1 or more
    """
    pause: timedelta = min(_SHORTEST * 2 ** min(attempts - 1, 20), longest)
    return pause
