"""Nodes with tasks on them: places a task, takes it away again.

What places cost is remembered for each shape of task, and reckoned anew only for the nodes that have changed since a
task of that shape was placed: a few, however many nodes there are.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from accel.placement.simulation.fragmentation import Floats, Ints, States, Truths, suits
from accel.placement.simulation.policies import Policy
from accel.placement.simulation.tasks import WHOLE, TaskShape


class Place(NamedTuple):
    """Where a task is."""

    node: int
    devices: Ints
    """By their columns."""


class _Options(NamedTuple):
    """Places for a task on some nodes."""

    after: States
    """A node with the task, for each place."""
    row: Ints
    """Which of the nodes it is, ascending."""
    device: Ints
    """The column of the device that is shared; 0 where none is."""


@dataclass(slots=True)
class _Known:
    """What places cost for tasks of one shape, by node."""

    cost: Floats
    """Of the cheapest place; infinite where there is none."""
    device: Ints
    changes: int = -1
    """How many changes of nodes that knows of; -1: of nothing."""


class Board:
    """The nodes of a fleet, the shapes of the tasks that come, and the policy that places them."""

    def __init__(
        self, fleet: States, models: Sequence[str], shapes: Sequence[TaskShape], policy: Policy, *, seed: int = 0
    ) -> None:
        self._now = fleet.rows(np.arange(len(fleet.cpu)))
        self._shapes = shapes
        self._suits = suits(shapes, models)[:, fleet.model]
        self._policy = policy
        self._chance = np.random.default_rng(seed)
        self._known: dict[int, _Known] = {}
        self._changed: list[int] = []

    @property
    def states(self) -> States:
        """The nodes as they are; not to be changed."""
        return self._now

    def place(self, shape: int) -> Place | None:
        """Put a task where it costs least; None where it fits no node.

        :param shape: the place of its shape among the shapes
        """
        known = self._costs(shape)
        node = int(np.argmin(known.cost))
        if np.isinf(known.cost[node]):
            return None
        taken = self._shapes[shape]
        device = known.device[node]
        if self._policy.is_random:
            node = self._chance.choice(np.flatnonzero(known.cost < np.inf))
            device = self._chance.choice(np.flatnonzero(self._now.free[node] >= taken.share_milli))
        devices = np.array([device])
        if not taken.is_shared:
            devices = np.flatnonzero(self._now.free[node] == WHOLE)[: taken.devices]
        place = Place(node, devices)
        self._change(taken, place, sign=-1)
        return place

    def remove(self, shape: int, place: Place) -> None:
        """Take a task away."""
        self._change(self._shapes[shape], place, sign=1)

    def fitting(self, node: int, among: Iterable[int]) -> list[int]:
        """Which of these shapes fit a node."""
        rows = np.array([node])
        return [shape for shape in among if self._fits(shape, rows)[0]]

    def _change(self, taken: TaskShape, place: Place, *, sign: int) -> None:
        self._now.cpu[place.node] += sign * taken.cpu_milli
        self._now.memory[place.node] += sign * taken.memory_mib
        self._now.free[place.node, place.devices] += sign * taken.share_milli
        self._changed.append(place.node)

    def _costs(self, shape: int) -> _Known:
        """What each node costs, as of now."""
        count = len(self._now.cpu)
        known = self._known.get(shape)
        if known is None:
            known = self._known[shape] = _Known(np.full(count, np.inf), np.zeros(count, np.int64))
        if known.changes < 0 or len(self._changed) - known.changes >= count:
            nodes = np.arange(count)
        else:
            nodes = np.unique(np.array(self._changed[known.changes :], np.int64))
        known.changes = len(self._changed)
        if len(nodes):
            self._update(known, shape, nodes)
        return known

    def _update(self, known: _Known, shape: int, nodes: Ints) -> None:
        known.cost[nodes] = np.inf
        nodes = nodes[self._fits(shape, nodes)]
        if not len(nodes):
            return
        before = self._now.rows(nodes)
        options = _options(before, self._shapes[shape])
        costs = self._policy.costs(before, options.after, options.row)
        starts = np.searchsorted(options.row, np.arange(len(nodes)))
        least = np.minimum.reduceat(costs, starts)
        cheapest = np.flatnonzero(costs == least[options.row])
        first = cheapest[np.searchsorted(options.row[cheapest], np.arange(len(nodes)))]
        known.cost[nodes], known.device[nodes] = least, options.device[first]

    def _fits(self, shape: int, nodes: Ints) -> Truths:
        wanted, now = self._shapes[shape], self._now
        fits = (now.cpu[nodes] >= wanted.cpu_milli) & (now.memory[nodes] >= wanted.memory_mib)
        if wanted.devices:
            fits &= (now.free[nodes] >= wanted.share_milli).sum(axis=1) >= wanted.devices
        suitable: Truths = fits & self._suits[shape, nodes]
        return suitable


def _options(before: States, wanted: TaskShape) -> _Options:
    """The places for a task on nodes that it fits."""
    if wanted.is_shared:
        row, device = _different_devices(before.free, wanted.share_milli)
        free = before.free[row]
        free[np.arange(len(row)), device] -= wanted.share_milli
    else:
        row = np.arange(len(before.cpu))
        device = np.zeros(len(row), np.int64)
        is_untouched = before.free == WHOLE
        taken = is_untouched & (is_untouched.cumsum(axis=1) <= wanted.devices)
        free = np.where(taken, 0, before.free)
    after = States(before.cpu[row] - wanted.cpu_milli, before.memory[row] - wanted.memory_mib, free, before.model[row])
    return _Options(after, row, device)


def _different_devices(free: Ints, share: int) -> tuple[Ints, Ints]:
    """Rows and columns of the devices with enough left, the least first, and of equal ones in a row the first."""
    order = np.argsort(free, axis=1, kind="stable")
    ordered = np.take_along_axis(free, order, axis=1)
    is_another = np.ones(free.shape, bool)
    is_another[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    row, column = np.nonzero(is_another & (ordered >= share))
    return row, order[row, column]
