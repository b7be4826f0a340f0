"""The measure of fragmentation over arrays of nodes: the same as its definition, node by node and shape by shape."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.workloads import fleets, machine, shape, shapes

from accel.placement.simulation.fragmentation import Expected, States, fragmented
from accel.placement.simulation.tasks import Machine, TaskShape

frequencies = st.dictionaries(shapes, st.floats(0.01, 1), min_size=1, max_size=5)


def models_of(fleet: list[Machine]) -> list[str]:
    return sorted({node.model for node in fleet})


def by_definition(node: Machine, free: list[int], expected: dict[TaskShape, float], *, fills: bool = False) -> float:
    found = 0.0
    for wanted, frequency in expected.items():
        enough = [rest for rest in free if rest >= wanted.share_milli]
        fits = (
            wanted.devices > 0
            and node.cpu_milli >= wanted.cpu_milli
            and node.memory_mib >= wanted.memory_mib
            and (not wanted.models or node.model in wanted.models)
            and len(enough) >= wanted.devices
        )
        useful = sum(enough) if fits else 0
        if fits and fills:
            needs = ((node.cpu_milli, wanted.cpu_milli), (node.memory_mib, wanted.memory_mib))
            times = min(has / max(need, 1) for has, need in needs)
            useful *= min(1, times * wanted.devices / len(enough))
        found += frequency * (sum(free) - useful)
    return found


@settings(deadline=None)
@given(fleets, frequencies, st.data())
def test_the_measure_is_what_its_definition_says(
    fleet: list[Machine], expected: dict[TaskShape, float], data: st.DataObject
) -> None:
    models = models_of(fleet)
    states = States.of(fleet, models)
    rests = [data.draw(st.lists(st.integers(0, 1000), min_size=node.devices, max_size=node.devices)) for node in fleet]
    for row, free in enumerate(rests):
        states.free[row, : len(free)] = free
    measured = fragmented(states, Expected.of(expected, models))
    for row, (node, free) in enumerate(zip(fleet, rests, strict=True)):
        assert measured.once[row] == pytest.approx(by_definition(node, free, expected))
        assert measured.repeatedly[row] == pytest.approx(by_definition(node, free, expected, fills=True))


def test_processors_for_one_task_make_the_other_devices_useless_to_more_of_them() -> None:
    fleet = [machine(8, cpu=1000)]
    measured = fragmented(States.of(fleet, ["A"]), Expected.of({shape(cpu=1000): 1.0}, ["A"]))
    assert measured.once[0] == 0
    assert measured.repeatedly[0] == 7000


def test_what_tasks_need_for_a_device_is_weighed_by_the_devices_that_they_take() -> None:
    expected = Expected.of({shape(500, cpu=1000): 0.5, shape(devices=2, cpu=8000): 0.5}, [""])
    assert expected.per_device(expected.cpu) == pytest.approx(9000 / 2500)


def test_states_are_copied_by_rows() -> None:
    states = States.of([machine(2), machine(1)], ["A"])
    copy = states.rows(np.array([1]))
    copy.free[0, 0] = 0
    assert states.free.tolist() == [[1000, 1000], [1000, 0]]
