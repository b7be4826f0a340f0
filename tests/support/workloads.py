"""Fleets and tasks to simulate, made up."""

from collections.abc import Sequence

from hypothesis import strategies as st

from accel.placement.simulation.tasks import Machine, Task, TaskShape

MODELS = ["", "A", "B"]


def machine(devices: int = 2, *, cpu: int = 16_000, memory: int = 65_536, model: str = "A") -> Machine:
    """A node."""
    return Machine("n", cpu, memory, devices, model)


def shape(
    share: int = 1000, *, devices: int = 1, cpu: int = 1000, memory: int = 1024, models: Sequence[str] = ()
) -> TaskShape:
    """What a task takes."""
    return TaskShape(cpu, memory, devices, share if devices else 0, tuple(models))


def task(taken: TaskShape, *, arrives: int = 0, runs: int | None = None, name: str = "t") -> Task:
    """A task."""
    return Task(name=name, shape=taken, arrives=arrives, runs=runs)


machines = st.builds(
    Machine,
    st.just("n"),
    st.integers(0, 8).map(lambda cores: cores * 1000),
    st.integers(0, 8).map(lambda gib: gib * 1024),
    st.integers(0, 4),
    st.sampled_from(MODELS),
)

fleets = st.lists(machines, min_size=1, max_size=5).filter(lambda fleet: any(machine.devices for machine in fleet))

_models = st.sampled_from([(), ("A",), ("A", "B"), ("C",)])
_needs = (st.integers(0, 4).map(lambda cores: cores * 1000), st.integers(0, 4).map(lambda gib: gib * 1024))

shapes = st.one_of(
    st.builds(TaskShape, *_needs, st.just(0), st.just(0)),
    st.builds(TaskShape, *_needs, st.just(1), st.integers(1, 1000), _models),
    st.builds(TaskShape, *_needs, st.integers(1, 4), st.just(1000), _models),
)
