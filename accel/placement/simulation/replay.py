"""Replays tasks against a fleet: one after the other until much has been asked for, or in the time of their trace."""

import heapq
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from accel.errors import InvalidValue
from accel.placement.simulation.board import Board, Place
from accel.placement.simulation.fragmentation import Expected, States, fragmented
from accel.placement.simulation.policies import DEFAULT, POLICIES
from accel.placement.simulation.tasks import Machine, Task, TaskShape, capacity_milli, usual

LOOKS: Final = 200
"""How often the fleet is looked at in a replay."""

Progress = Callable[[int, int], object]
"""Is told how many tasks of how many have come."""


class Look(NamedTuple):
    """The fleet at one moment."""

    at: float
    """Parts of the capacity that have been asked for, or the second of the trace."""
    allocated: float
    """Which part of the devices is taken."""
    fragmented: float
    """Which part of the devices is free and of no use to what is usually asked for, on average."""
    waiting: int
    """How many tasks wait."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What became of a workload."""

    policy: str
    seed: int
    tasks: int
    placed: int
    allocated: float
    """Parts of the devices: at the end of a filling, on average over the time of a trace."""
    fragmented: float
    """The same of what is free and of no use."""
    waited: tuple[int, ...] = ()
    """Seconds, for each task that was placed in the time of a trace."""
    looks: tuple[Look, ...] = ()


class Replay:
    """A fleet and a workload; each run begins with nothing on the fleet.

    :param machines: the fleet
    :param workload: what is usual among these is what policies expect
    :raises InvalidValue: there is no device, or no task, or no such policy
    """

    def __init__(self, machines: Sequence[Machine], workload: Sequence[Task], *, policy: str = DEFAULT) -> None:
        if policy not in POLICIES:
            raise InvalidValue("policy", policy, f"one of {', '.join(POLICIES)}")
        self._capacity = capacity_milli(machines)
        if not self._capacity:
            raise InvalidValue("nodes", len(machines), "a fleet with devices")
        if not workload:
            raise InvalidValue("tasks", len(workload), "a workload with tasks")
        self._name = policy
        self._models = sorted({machine.model for machine in machines})
        self._fleet = States.of(machines, self._models)
        expected = usual(workload)
        self._expected = Expected.of(expected, self._models)
        self._policy = POLICIES[policy](self._fleet, expected, self._expected)

    def fill(self, tasks: Sequence[Task], *, seed: int = 0, progress: Progress | None = None) -> Result:
        """Let tasks come one by one and never leave; what fits nowhere is dropped."""
        board, numbers = self._board(tasks, seed)
        looks: list[Look] = []
        asked = taken = placed = 0
        every = max(1, -(-len(tasks) // LOOKS))
        for count, task in enumerate(tasks, start=1):
            asked += task.shape.device_milli
            if board.place(numbers[task.shape]) is not None:
                taken += task.shape.device_milli
                placed += 1
            if count % every == 0 or count == len(tasks):
                looks.append(self._look(board, asked / self._capacity, taken))
                if progress is not None:
                    progress(count, len(tasks))
        return Result(
            policy=self._name,
            seed=seed,
            tasks=len(tasks),
            placed=placed,
            allocated=taken / self._capacity,
            fragmented=looks[-1].fragmented if looks else 0.0,
            looks=tuple(looks),
        )

    def run(self, tasks: Sequence[Task], *, seed: int = 0, progress: Progress | None = None) -> Result:
        """Let tasks come and go in the time of their trace; what fits nowhere waits, also after the last has come."""
        board, numbers = self._board(tasks, seed)
        course = _Course(board, sorted(tasks, key=lambda task: task.arrives), numbers)
        looks = [
            self._look(board, at, course.taken, waiting=course.waiting)
            for at in course.stops(LOOKS, progress or _no_progress)
        ]
        seconds = course.now - course.start
        return Result(
            policy=self._name,
            seed=seed,
            tasks=len(tasks),
            placed=len(course.waited),
            allocated=course.taken_seconds / seconds / self._capacity if seconds else 0.0,
            fragmented=sum(look.fragmented for look in looks) / len(looks),
            waited=tuple(course.waited),
            looks=tuple(looks),
        )

    def _board(self, tasks: Sequence[Task], seed: int) -> tuple[Board, dict[TaskShape, int]]:
        shapes = list(dict.fromkeys(task.shape for task in tasks))
        board = Board(self._fleet, self._models, shapes, self._policy, seed=seed)
        return board, {shape: number for number, shape in enumerate(shapes)}

    def _look(self, board: Board, at: float, taken: int, *, waiting: int = 0) -> Look:
        of_no_use = float(fragmented(board.states, self._expected).once.sum())
        return Look(at, taken / self._capacity, of_no_use / self._capacity, waiting)


class _Course:
    """Tasks in time: who comes is placed where it fits, whoever waits; who waits longest is first when others go."""

    def __init__(self, board: Board, tasks: Sequence[Task], numbers: dict[TaskShape, int]) -> None:
        self._board = board
        self._tasks = tasks
        self._numbers = [numbers[task.shape] for task in tasks]
        self._going: list[tuple[int, int, Place]] = []
        self._queues: dict[int, deque[int]] = {}
        self.start = self.now = tasks[0].arrives if tasks else 0
        self.taken = 0
        """Thousandths of devices, now."""
        self.taken_seconds = 0
        """The same, summed over the seconds so far."""
        self.waiting = 0
        self.waited: list[int] = []

    def stops(self, count: int, progress: Progress) -> Iterator[int]:
        """Go on until all have come and nobody waits whom it helps that others go.

        While tasks come, stop so many times, at the same distance; then at the end.
        """
        end = self._tasks[-1].arrives if self._tasks else self.start
        step = max(1, -(-(end - self.start) // count))
        next_stop = self.start + step
        for number, task in enumerate(self._tasks):
            while next_stop <= task.arrives:
                self._go_to(next_stop)
                progress(number, len(self._tasks))
                yield next_stop
                next_stop += step
            self._go_to(task.arrives)
            self._arrive(number)
        while self.waiting and self._going:
            self._go_to(self._going[0][0])
        progress(len(self._tasks), len(self._tasks))
        yield self.now

    def _go_to(self, moment: int) -> None:
        """Let everybody leave who does so until then, and those who wait take their places."""
        while self._going and self._going[0][0] <= moment:
            leaves, number, place = heapq.heappop(self._going)
            self._pass_until(leaves)
            self._board.remove(self._numbers[number], place)
            self.taken -= self._tasks[number].shape.device_milli
            self._let_in(place.node)
        self._pass_until(moment)

    def _pass_until(self, moment: int) -> None:
        self.taken_seconds += self.taken * (moment - self.now)
        self.now = moment

    def _arrive(self, number: int) -> None:
        if not self._place(number):
            self._queues.setdefault(self._numbers[number], deque()).append(number)
            self.waiting += 1

    def _let_in(self, node: int) -> None:
        """Place those who wait and fit the node on which something has become free; they have fitted no other."""
        while self._queues:
            fits = [self._queues[shape][0] for shape in self._board.fitting(node, self._queues)]
            if not fits:
                return
            shape = self._numbers[min(fits)]
            self._place(self._queues[shape].popleft())
            self.waiting -= 1
            if not self._queues[shape]:
                del self._queues[shape]

    def _place(self, number: int) -> bool:
        task = self._tasks[number]
        place = self._board.place(self._numbers[number])
        if place is None:
            return False
        self.waited.append(self.now - task.arrives)
        self.taken += task.shape.device_milli
        if task.runs is not None:
            heapq.heappush(self._going, (self.now + task.runs, number, place))
        return True


def _no_progress(_count: int, _total: int) -> None:
    """Nobody wants to know."""
