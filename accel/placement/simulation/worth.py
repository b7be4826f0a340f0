"""What the rest of a device is worth to the tasks that are expected.

A device of which 190 thousandths are left has lost more than the 810 that are taken where hardly anybody asks for 190
or less; one of which 530 are left has lost nothing where those who ask for 470 come in numbers. What a rest is worth
follows from the cheapest way to put all expected shares on whole devices (the cutting-stock problem): in its solution
each share has a price, in devices, such that no device can be filled with shares that cost more than one device
together. Shares that fit into what others leave anyway cost nothing. A rest is worth the dearest set of shares that
fits into it.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

import numpy as np

from accel.placement.simulation.fragmentation import Floats, Ints
from accel.placement.simulation.tasks import WHOLE

STEP: Final = 10
"""Shares are rounded up to so many thousandths, rests down."""

_STEPS: Final = WHOLE // STEP
_TOLERANCE: Final = 1e-9
_ROUNDS: Final = 5000
"""More than it ever takes; whatever the prices are then is a good guess."""


class _Filling(NamedTuple):
    """How to fill rests with the dearest shares."""

    worth: Floats
    """By the steps of the rest."""
    whole: Floats
    """How many of each share fill a whole device best."""


def worth_of_rests(frequency: Mapping[int, float]) -> Floats:
    """What a rest of so many thousandths (the index) is worth, in thousandths of a device.

    :param frequency: how often a share of so many thousandths is asked for
    """
    needed: dict[int, float] = {}
    for share, often in frequency.items():
        if 0 < share < WHOLE and often > 0:
            size = -(-share // STEP)
            needed[size] = needed.get(size, 0.0) + often
    steps = np.array(sorted(needed), np.int64)
    prices = _prices(steps, np.array([needed[int(size)] for size in steps])) if needed else np.zeros(0)
    worth = _filled(steps, prices).worth
    worth[_STEPS] = 1.0
    return WHOLE * np.repeat(worth, STEP)[: WHOLE + 1]


def _prices(steps: Ints, needed: Floats) -> Floats:
    """The price of each share: the simplex method, with columns made when they are wanted (Gilmore and Gomory).

    A column is a way to fill a device, or that one share too many is packed, which costs nothing.
    """
    count = len(steps)
    basis = np.diag((_STEPS // steps).astype(np.float64))
    costs: Floats = np.ones(count)
    # Ties among the ways to begin with could turn the search in a circle: no two amounts are quite equal.
    amounts = needed / needed.sum() * (1 + 1e-6 * np.arange(1, count + 1) / count)
    prices = costs
    for _ in range(_ROUNDS):
        prices = np.linalg.solve(basis.T, costs).astype(np.float64)
        least = int(np.argmin(prices))
        if prices[least] < -_TOLERANCE:
            column, cost = np.where(np.arange(count) == least, -1.0, 0.0), 0.0
        else:
            filling = _filled(steps, prices)
            if filling.worth[_STEPS] <= 1 + _TOLERANCE:
                break
            column, cost = filling.whole, 1.0
        change = np.linalg.solve(basis, column)
        used = np.linalg.solve(basis, amounts)
        limits = np.where(change > _TOLERANCE, used / np.where(change > _TOLERANCE, change, 1), np.inf)
        leaves = int(np.argmin(limits))
        basis[:, leaves], costs[leaves] = column, cost
    return np.maximum(prices, 0)


def _filled(steps: Ints, prices: Floats) -> _Filling:
    """Fill rests of every size with the dearest shares that fit (dynamic programming over the steps)."""
    worth = np.zeros(_STEPS + 1)
    last = np.full(_STEPS + 1, -1)
    for room in range(1, _STEPS + 1):
        worth[room], last[room] = worth[room - 1], -1
        count = int(np.searchsorted(steps, room, side="right"))
        if count:
            totals = worth[room - steps[:count]] + prices[:count]
            best = int(np.argmax(totals))
            if totals[best] > worth[room] + _TOLERANCE:
                worth[room], last[room] = totals[best], best
    whole = np.zeros(len(steps))
    room = _STEPS
    while room > 0:
        if last[room] < 0:
            room -= 1
        else:
            whole[last[room]] += 1
            room -= int(steps[last[room]])
    return _Filling(worth, whole)
