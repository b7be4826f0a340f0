"""Giving groups what they need out of slots with limited room: the transport problem, solved exactly.

Each group is first given the slots that it likes best; where that leaves one with too little, slots are passed on along
chains of groups until everybody has enough, or it is certain that there is not enough.
"""

from collections import deque
from collections.abc import Mapping, Sequence

Flow = list[dict[int, int]]
"""For each group how much it has of which slot."""


def transport(needs: Sequence[int], options: Sequence[Sequence[int]], room: Mapping[int, int]) -> Flow | None:
    """Give each group what it needs of slots that it may have, the first ones first; None where that cannot be.

    :param options: for each group its slots
    :param room: how much each slot has to give
    """
    left = dict(room)
    flow: Flow = [{} for _ in needs]
    for group, need in enumerate(needs):
        missing = need - _fill(flow[group], need, options[group], left)
        while missing:
            path = _path(group, options, flow, left)
            if path is None:
                return None
            missing -= _pass_on(path, missing, flow, left)
    return flow


def _fill(has: dict[int, int], need: int, options: Sequence[int], left: dict[int, int]) -> int:
    filled = 0
    for slot in options:
        amount = min(need - filled, left[slot])
        if amount > 0:
            has[slot] = amount
            left[slot] -= amount
            filled += amount
            if filled == need:
                break
    return filled


def _path(
    group: int, options: Sequence[Sequence[int]], flow: Flow, left: Mapping[int, int]
) -> list[tuple[int, int]] | None:
    """Who takes which slot, from the group in need to a slot that has room: each but the last slot is given up by the
    group that comes next.
    """
    came_from: dict[int, tuple[int, int] | None] = {group: None}
    waiting = deque([group])
    seen: set[int] = set()
    while waiting:
        taker = waiting.popleft()
        for slot in options[taker]:
            if slot in seen:
                continue
            seen.add(slot)
            if left[slot] > 0:
                return _walk_back(came_from, taker, slot)
            for giver, has in enumerate(flow):
                if slot in has and giver not in came_from:
                    came_from[giver] = (taker, slot)
                    waiting.append(giver)
    return None


def _walk_back(came_from: Mapping[int, tuple[int, int] | None], taker: int, slot: int) -> list[tuple[int, int]]:
    path = [(taker, slot)]
    step = came_from[taker]
    while step is not None:
        path.append(step)
        step = came_from[step[0]]
    return path[::-1]


def _pass_on(path: Sequence[tuple[int, int]], missing: int, flow: Flow, left: dict[int, int]) -> int:
    """Move as much as the path bears, and say how much that is."""
    givers = [taker for taker, _ in path[1:]]
    given_up = [(giver, slot) for giver, (_, slot) in zip(givers, path, strict=False)]
    last = path[-1][1]
    amount = min(missing, left[last], *(flow[giver][slot] for giver, slot in given_up))
    for giver, slot in given_up:
        flow[giver][slot] -= amount
        if not flow[giver][slot]:
            del flow[giver][slot]
    for taker, slot in path:
        flow[taker][slot] = flow[taker].get(slot, 0) + amount
    left[last] -= amount
    return amount
