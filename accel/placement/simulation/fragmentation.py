"""How much of what is free could not serve what is asked for: the published measure, for arrays of nodes.

With the shapes of the workload and how frequent each is, the fragmentation of a node is the average, over the shapes,
of what is of no use to one: everything that is left of the node's devices where the shape does not fit the node or
takes no device, else what is left on those devices that have too little for it (fragmentation gradient descent, USENIX
ATC 2023).

That looks at one task at a time. A node with eight free devices and processors for one task counts as whole;
``repeatedly`` says what is of no use after as many tasks of the shape as the node takes, and so sees the other seven.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from accel.placement.simulation.tasks import Machine, TaskShape

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Truths = NDArray[np.bool_]


class States(NamedTuple):
    """Nodes as they are, or as they would be: a row for each."""

    cpu: Ints
    """Free thousandths of a processor."""
    memory: Ints
    """Free MiB."""
    free: Ints
    """Free thousandths of each device, in columns; 0 also where there is none."""
    model: Ints
    """The place of the model in a list of models."""

    @classmethod
    def of(cls, machines: Sequence[Machine], models: Sequence[str]) -> Self:
        """Machines on which nothing runs."""
        columns = np.arange(max(machine.devices for machine in machines))
        return cls(
            np.array([machine.cpu_milli for machine in machines]),
            np.array([machine.memory_mib for machine in machines]),
            (columns < np.array([[machine.devices] for machine in machines])) * np.int64(1000),
            np.array([models.index(machine.model) for machine in machines]),
        )

    def rows(self, which: Ints) -> "States":
        """Some of them, as a copy."""
        return States(*(array[which] for array in self))


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """The shapes that are expected to come, as arrays with an entry for each that takes devices."""

    cpu: Ints
    memory: Ints
    devices: Ints
    frequency: Floats
    """Which part of all tasks it is."""
    without: float
    """Which part of all tasks takes no device."""
    suits: Truths
    """Whether a model (column) will do."""
    shares: Ints
    """The different shares, ascending."""
    share: Ints
    """The place of its share among them."""

    @classmethod
    def of(cls, shapes: Mapping[TaskShape, float], models: Sequence[str]) -> Self:
        """From frequencies."""
        asked = [shape for shape in shapes if shape.devices]
        shares, share = np.unique(np.array([shape.share_milli for shape in asked], np.int64), return_inverse=True)
        return cls(
            cpu=np.array([shape.cpu_milli for shape in asked], np.int64),
            memory=np.array([shape.memory_mib for shape in asked], np.int64),
            devices=np.array([shape.devices for shape in asked], np.int64),
            frequency=np.array([shapes[shape] for shape in asked], np.float64),
            without=sum(frequency for shape, frequency in shapes.items() if not shape.devices),
            suits=suits(asked, models),
            shares=shares,
            share=share,
        )

    def per_device(self, needs: Ints) -> float:
        """How much of something tasks need for a thousandth of a device, on average over the devices that they take."""
        taken = self.frequency * self.devices * self.shares[self.share]
        return float((self.frequency * needs).sum() / taken.sum()) if taken.sum() else 0.0


class Fragmentation(NamedTuple):
    """Thousandths of devices of each node that are free and of no use, on average over what is expected."""

    once: Floats
    """… to one task."""
    repeatedly: Floats
    """… after as many tasks as there is room for."""


def suits(shapes: Sequence[TaskShape], models: Sequence[str]) -> Truths:
    """Which models (columns) will do for which shapes (rows)."""
    found = [not shape.models or model in shape.models for shape in shapes for model in models]
    return np.array(found, bool).reshape(len(shapes), len(models))


def fragmented(states: States, expected: Expected) -> Fragmentation:
    """Measure each of these nodes."""
    free = states.free[:, :, None]
    is_enough = free >= expected.shares
    enough = is_enough.sum(axis=1)[:, expected.share]
    too_small = np.where(is_enough, 0, free).sum(axis=1)[:, expected.share]
    total = states.free.sum(axis=1)[:, None]
    cpu, memory = states.cpu[:, None], states.memory[:, None]
    fits = (enough >= expected.devices) & (cpu >= expected.cpu) & (memory >= expected.memory)
    fits &= expected.suits.T[states.model]
    times = np.minimum(cpu / np.maximum(expected.cpu, 1), memory / np.maximum(expected.memory, 1))
    used = np.minimum(times * expected.devices / np.maximum(enough, 1), 1)
    unusable = expected.without * total[:, 0]
    return Fragmentation(
        unusable + np.where(fits, too_small, total) @ expected.frequency,
        unusable + np.where(fits, total - (total - too_small) * used, total) @ expected.frequency,
    )
