"""Giving several parts of a question different nodes."""

from collections.abc import Sequence


def matched(choices: Sequence[Sequence[str]], each: int) -> list[list[str]] | None:
    """So many nodes for each part, none twice, the first ones where that can be; None where there are too few.

    :param choices: for each part the nodes that it may have, the best first. The first ``each`` × number of parts are
        enough: all others together have fewer
    """
    taken: dict[str, int] = {}
    for _ in range(each):
        for part in range(len(choices)):
            if not _given(part, choices, taken):
                return None
    return [[name for name in names if taken.get(name) == part] for part, names in enumerate(choices)]


def _given(part: int, choices: Sequence[Sequence[str]], taken: dict[str, int]) -> bool:
    """Give a part one node more, if need be one that another part can do without."""
    came_from: dict[int, tuple[int, str]] = {}
    waiting, seen = [part], {part}
    while waiting:
        taker = waiting.pop(0)
        for name in choices[taker]:
            owner = taken.get(name)
            if owner is None:
                _hand_on(part, taker, name, came_from, taken)
                return True
            if owner not in seen:
                seen.add(owner)
                came_from[owner] = (taker, name)
                waiting.append(owner)
    return False


def _hand_on(part: int, taker: int, name: str, came_from: dict[int, tuple[int, str]], taken: dict[str, int]) -> None:
    taken[name] = taker
    while taker != part:
        taker, name = came_from[taker]
        taken[name] = taker
