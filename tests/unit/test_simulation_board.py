"""Placing and taking away: whoever fits finds a place, nothing is given twice, and what is remembered is true."""

from dataclasses import dataclass

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from support.workloads import fleets, machine, shape, shapes

from accel.placement.simulation.board import Board, Place
from accel.placement.simulation.fragmentation import Expected, States
from accel.placement.simulation.policies import POLICIES
from accel.placement.simulation.tasks import Machine, TaskShape

workloads = st.lists(shapes, min_size=1, max_size=4, unique=True)


@dataclass(slots=True)
class Ledger:
    """A fleet kept in the plainest way."""

    fleet: list[Machine]
    held: list[tuple[int, TaskShape, Place]]

    def free(self, node: int) -> list[int]:
        rests = [1000] * self.fleet[node].devices
        for _, taken, place in self.held:
            if place.node == node:
                for device in place.devices:
                    rests[device] -= taken.share_milli
        return rests

    def fits(self, wanted: TaskShape, node: int) -> bool:
        here = [taken for _, taken, place in self.held if place.node == node]
        machine = self.fleet[node]
        return (
            machine.cpu_milli - sum(taken.cpu_milli for taken in here) >= wanted.cpu_milli
            and machine.memory_mib - sum(taken.memory_mib for taken in here) >= wanted.memory_mib
            and (not wanted.models or machine.model in wanted.models)
            and sum(rest >= wanted.share_milli for rest in self.free(node)) >= wanted.devices
        )


def board(fleet: list[Machine], came: list[TaskShape], policy: str) -> Board:
    models = sorted({node.model for node in fleet})
    usual = {wanted: 1 / len(came) for wanted in came}
    states = States.of(fleet, models)
    return Board(states, models, came, POLICIES[policy](states, usual, Expected.of(usual, models)))


@settings(deadline=None)
@given(st.sampled_from(sorted(POLICIES)), fleets, workloads, st.data())
def test_a_task_is_placed_where_it_fits_whenever_it_fits_anywhere(
    policy: str, fleet: list[Machine], came: list[TaskShape], data: st.DataObject
) -> None:
    ours, ledger = board(fleet, came, policy), Ledger(fleet, [])
    for _ in range(data.draw(st.integers(1, 12))):
        if ledger.held and data.draw(st.booleans()):
            number, _, place = ledger.held.pop(data.draw(st.integers(0, len(ledger.held) - 1)))
            ours.remove(number, place)
        number = data.draw(st.integers(0, len(came) - 1))
        fitting = [node for node in range(len(fleet)) if ledger.fits(came[number], node)]
        assert [node for node in range(len(fleet)) if ours.fitting(node, [number])] == fitting
        place = ours.place(number)
        assert (place is not None) == bool(fitting)
        if place is not None:
            assert place.node in fitting
            assert len(set(place.devices.tolist())) == came[number].devices
            assert all(ledger.free(place.node)[device] >= came[number].share_milli for device in place.devices)
            ledger.held.append((number, came[number], place))
    for node, machine_ in enumerate(fleet):
        assert ours.states.free[node, : machine_.devices].tolist() == ledger.free(node)


@settings(deadline=None)
@given(st.sampled_from(sorted(set(POLICIES) - {"random"})), fleets, workloads, st.data())
def test_what_is_remembered_of_costs_is_what_would_be_reckoned_now(
    policy: str, fleet: list[Machine], came: list[TaskShape], data: st.DataObject
) -> None:
    ours = board(fleet, came, policy)
    for number in data.draw(st.lists(st.integers(0, len(came) - 1), max_size=12)):
        forgetful = board(fleet, came, policy)
        for kept, now in zip(forgetful.states, ours.states, strict=True):
            kept[:] = now
        place, other = ours.place(number), forgetful.place(number)
        assert (place is None) == (other is None)
        if place is not None and other is not None:
            assert place.node == other.node
            assert np.array_equal(place.devices, other.devices)


def test_chance_takes_any_node_and_any_device_of_it() -> None:
    ours = board([machine(2), machine(2)], [shape(10, cpu=0, memory=0)], "random")
    places = [ours.place(0) for _ in range(60)]
    assert {(place.node, int(place.devices[0])) for place in places} == {(0, 0), (0, 1), (1, 0), (1, 1)}


def test_best_fit_takes_the_node_and_the_device_with_least_left() -> None:
    came = [shape(300), shape(600)]
    ours = board([machine(2), machine(1)], came, "best-fit")
    assert ours.place(0).node == 1
    assert ours.place(1).node == 1
    assert ours.place(1).node == 0
    place = ours.place(0)
    assert (place.node, place.devices.tolist()) == (0, [0])


def test_the_default_leaves_processors_beside_free_devices() -> None:
    gpu, cpu_only = shape(cpu=8000), shape(devices=0, cpu=8000)
    fleet = [machine(2, cpu=16_000), machine(1, cpu=16_000)]
    assert board(fleet, [gpu, cpu_only], "least-loss").place(1).node == 1


def test_the_default_keeps_devices_whole_for_those_who_need_them() -> None:
    came = [shape(400), shape(600), shape()]
    ours = board([machine(1), machine(1)], came, "least-loss")
    first = ours.place(0)
    assert ours.place(1).node == first.node
    assert ours.place(2) is not None
