"""Where a task goes when it fits several nodes, or several devices of one: what each place costs, by several policies.

A policy sees the nodes as they are and as they would be with the task, and knows what is usually asked for; it does not
know what comes next.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar, Final, Protocol

import numpy as np

from accel.placement.simulation.fragmentation import Expected, Floats, Ints, States, fragmented
from accel.placement.simulation.tasks import WHOLE, TaskShape
from accel.placement.simulation.worth import worth_of_rests


class Policy(Protocol):
    """Says what places cost; a task goes to the cheapest one."""

    is_random: ClassVar[bool]
    """Whether a task goes anywhere instead, to a node and a device that are drawn."""

    def costs(self, before: States, after: States, row: Ints) -> Floats:
        """What each place costs.

        :param before: the nodes
        :param after: a node with the task, for each place
        :param row: which row of ``before`` each place is on, ascending
        """
        ...


@dataclass(frozen=True, slots=True)
class AtRandom:
    """Any node on which the task fits, and any device."""

    is_random: ClassVar[bool] = True

    def costs(self, before: States, after: States, row: Ints) -> Floats:
        """Nothing."""
        del before, after
        return np.zeros(len(row))


@dataclass(frozen=True, slots=True, kw_only=True)
class BestFit:
    """The node on which least is left of processors and devices, each compared with the largest node."""

    is_random: ClassVar[bool] = False
    most_cpu: int
    most_devices: int

    def costs(self, before: States, after: States, row: Ints) -> Floats:
        """What is left, from 0 to 1."""
        del before, row
        devices = after.free.sum(axis=1) / max(self.most_devices, 1)
        left: Floats = devices / 2 + after.cpu / max(self.most_cpu, 1) / 2
        return left


@dataclass(frozen=True, slots=True, kw_only=True)
class GradientDescent:
    """Where the fragmentation of the fleet grows least, as published.

    Its growth becomes a mark from 0 to 100; the tighter fit decides between equal marks. Without the rounding, growth
    that hardly differs would decide, and places tasks worse.
    """

    is_random: ClassVar[bool] = False
    fit: BestFit
    expected: Expected

    def costs(self, before: States, after: States, row: Ints) -> Floats:
        """The mark from the worst side, and a part of 1 for the fit."""
        growth = fragmented(after, self.expected).once - fragmented(before, self.expected).once[row]
        marks = np.floor(100 / (1 + np.exp(growth / WHOLE)))
        costs: Floats = 100 - marks + self.fit.costs(before, after, row) / 2
        return costs


@dataclass(frozen=True, slots=True, kw_only=True)
class LeastLoss:
    """Where what is left loses least of its worth to the tasks that are expected: the policy unless another is named.

    A node has lost, in thousandths of a device,

    - what the rests of its devices are worth less than they were (``accel.placement.simulation.worth``),
    - what of its devices no processors or memory are left for, at what tasks need of them for a device on average,
    - a twentieth of its fragmentation, to one task and repeatedly, which knows of models and of several devices;

    and the tighter fit, which is less than one thousandth, decides between what is nearly equal. The weights are round
    numbers: half or twice of each makes hardly a difference.
    """

    is_random: ClassVar[bool] = False
    fit: BestFit
    expected: Expected
    worth: Floats
    """Of a rest of so many thousandths."""

    def costs(self, before: States, after: States, row: Ints) -> Floats:
        """What is lost, in thousandths of a device."""
        lost: Floats = self._lost(after) - self._lost(before)[row]
        return lost + self.fit.costs(before, after, row)

    def _lost(self, states: States) -> Floats:
        measured = fragmented(states, self.expected)
        stranded: Floats = np.zeros(len(states.cpu))
        for left, needs in ((states.cpu, self.expected.cpu), (states.memory, self.expected.memory)):
            if need := self.expected.per_device(needs):
                stranded = np.maximum(stranded, states.free.sum(axis=1) - left / need)
        unusable = 0.05 * (measured.once + measured.repeatedly)
        lost: Floats = stranded + unusable - self.worth[states.free].sum(axis=1)
        return lost


def _best_fit(fleet: States) -> BestFit:
    return BestFit(most_cpu=int(fleet.cpu.max()), most_devices=int(fleet.free.sum(axis=1).max()))


def _least_loss(fleet: States, usual: Mapping[TaskShape, float], expected: Expected) -> LeastLoss:
    shares: dict[int, float] = {}
    for shape, frequency in usual.items():
        if shape.is_shared:
            shares[shape.share_milli] = shares.get(shape.share_milli, 0.0) + frequency
    return LeastLoss(fit=_best_fit(fleet), expected=expected, worth=worth_of_rests(shares))


DEFAULT: Final = "least-loss"

POLICIES: Final[Mapping[str, Callable[[States, Mapping[TaskShape, float], Expected], Policy]]] = {
    "random": lambda _fleet, _usual, _expected: AtRandom(),
    "best-fit": lambda fleet, _usual, _expected: _best_fit(fleet),
    "gradient": lambda fleet, _usual, expected: GradientDescent(fit=_best_fit(fleet), expected=expected),
    DEFAULT: _least_loss,
}
"""Made for a fleet on which nothing runs yet, what is usual, and the same as arrays."""
