"""What is simulated: the machines of a fleet, and tasks that come and go."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final, NamedTuple

WHOLE: Final = 1000
"""Thousandths of a device."""


class Machine(NamedTuple):
    """A node."""

    name: str
    cpu_milli: int
    memory_mib: int
    devices: int
    model: str
    """Of its devices; empty where it has none, or it is not known."""


class TaskShape(NamedTuple):
    """What a task takes of one node."""

    cpu_milli: int
    memory_mib: int
    devices: int
    share_milli: int
    """Thousandths of each device: less than a whole one of one device only. 0 where it takes no device."""
    models: tuple[str, ...] = ()
    """The models that will do; empty: any."""

    @property
    def device_milli(self) -> int:
        """What it takes of devices in all."""
        return self.devices * self.share_milli

    @property
    def is_shared(self) -> bool:
        """Whether it leaves something of its device to others."""
        return 0 < self.share_milli < WHOLE


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """Something that comes, takes, and goes."""

    name: str
    shape: TaskShape
    arrives: int = 0
    """Second of the trace."""
    runs: int | None = None
    """Seconds from when it is placed; None: it never goes."""


def capacity_milli(machines: Iterable[Machine]) -> int:
    """All devices, in thousandths of one."""
    return WHOLE * sum(machine.devices for machine in machines)


def inflated(tasks: Sequence[Task], *, device_milli: float, seed: int) -> list[Task]:
    """All tasks, and more of them drawn at random until so much of devices is asked for, in a random order."""
    chance = Random(seed)  # noqa: S311 (a draw that is to be repeated, not a secret)
    found = list(tasks)
    asked = sum(task.shape.device_milli for task in tasks)
    while 0 < asked < device_milli:
        drawn = tasks[chance.randrange(len(tasks))]
        found.append(drawn)
        asked += drawn.shape.device_milli
    chance.shuffle(found)
    return found


def usual(tasks: Iterable[Task], *, part: float = 0.95) -> dict[TaskShape, float]:
    """The most frequent shapes that make up this part of the tasks, and which part of all tasks each is."""
    counts = Counter(task.shape for task in tasks)
    total = counts.total()
    found: dict[TaskShape, float] = {}
    for shape, count in counts.most_common():
        found[shape] = count / total
        if sum(found.values()) >= part:
            break
    return found
