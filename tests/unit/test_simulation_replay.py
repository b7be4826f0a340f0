"""Replays: a fleet that is filled, and tasks that come, wait and go."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.workloads import fleets, machine, shape, shapes, task

from accel.errors import InvalidValue
from accel.placement.simulation.policies import POLICIES
from accel.placement.simulation.replay import Replay
from accel.placement.simulation.tasks import Machine, Task, capacity_milli, inflated, usual

ONE_DEVICE = [machine(1)]

tasks = st.builds(task, shapes, arrives=st.integers(0, 50), runs=st.one_of(st.none(), st.integers(0, 30)))


def test_what_fits_nowhere_is_dropped_and_the_next_is_tried() -> None:
    workload = [task(shape(700)), task(shape(400)), task(shape(300))]
    result = Replay(ONE_DEVICE, workload).fill(workload)
    assert (result.tasks, result.placed, result.allocated) == (3, 2, 1.0)


def test_a_filling_is_looked_at_after_its_last_task() -> None:
    workload = [task(shape(700)), task(shape(400))]
    result = Replay(ONE_DEVICE, workload, policy="best-fit").fill(workload)
    last = result.looks[-1]
    assert (last.at, last.allocated, last.fragmented) == (pytest.approx(1.1), 0.7, pytest.approx(0.3))
    assert result.fragmented == last.fragmented


def test_whoever_fits_nowhere_waits_until_another_goes() -> None:
    workload = [task(shape(), arrives=10, runs=5), task(shape(), arrives=11, runs=5)]
    result = Replay(ONE_DEVICE, workload).run([*workload, task(shape(0, devices=0), arrives=30)])
    assert result.waited == (0, 4, 0)
    assert result.allocated == pytest.approx(10 / 20)
    assert max(look.waiting for look in result.looks) == 1


def test_who_waits_longest_of_those_who_fit_is_first() -> None:
    first, large, small = (
        task(shape(600), runs=10),
        task(shape(1000), arrives=1, runs=1),
        task(shape(500), arrives=2, runs=1),
    )
    end = task(shape(0, devices=0), arrives=20)
    result = Replay(ONE_DEVICE, [first]).run([first, large, small, end])
    assert result.waited == (0, 9, 9, 0)
    assert result.placed == 4


def test_who_waits_for_what_never_comes_is_not_placed() -> None:
    workload = [task(shape(devices=2)), task(shape(), arrives=5)]
    result = Replay(ONE_DEVICE, workload).run(workload)
    assert (result.tasks, result.placed) == (2, 1)
    assert result.looks[-1].waiting == 1


def test_those_who_wait_when_the_last_has_come_are_waited_for() -> None:
    workload = [task(shape(), runs=100), task(shape(), arrives=1, runs=7), task(shape(), arrives=2, runs=7)]
    result = Replay(ONE_DEVICE, workload).run(workload)
    assert result.waited == (0, 99, 105)
    assert result.looks[-1].at == 107
    assert result.allocated == 1.0


def test_a_trace_in_one_moment_has_no_time_to_be_averaged_over() -> None:
    result = Replay(ONE_DEVICE, [task(shape())]).run([task(shape())])
    assert (result.placed, result.allocated) == (1, 0.0)


@settings(deadline=None)
@given(fleets, st.lists(tasks, min_size=1, max_size=20), st.sampled_from(sorted(POLICIES)))
def test_nobody_is_lost_and_no_more_is_given_than_there_is(
    fleet: list[Machine], workload: list[Task], policy: str
) -> None:
    result = Replay(fleet, workload, policy=policy).run(workload, seed=7)
    assert result.placed + result.looks[-1].waiting == len(workload)
    assert all(0 <= look.allocated <= 1 and -1e-9 <= look.fragmented <= 1 for look in result.looks)
    assert all(waited >= 0 for waited in result.waited)


@pytest.mark.parametrize("policy", POLICIES)
def test_the_same_seed_gives_the_same_result(policy: str) -> None:
    workload = [task(shape(share)) for share in (300, 400, 600, 700, 810, 160) * 4]
    replay = Replay([machine(2)] * 4, workload, policy=policy)
    assert replay.fill(workload, seed=3) == replay.fill(workload, seed=3)


def test_the_default_fills_a_fleet_further_than_chance() -> None:
    workload = [task(shape(share)) for share in (300, 400, 600, 700, 810, 160, 1000) * 10]
    fleet = [machine(4, cpu=64_000)] * 6
    mixed = inflated(workload, device_milli=1.3 * capacity_milli(fleet), seed=1)
    chance, ours = (Replay(fleet, workload, policy=name).fill(mixed, seed=1) for name in ("random", "least-loss"))
    assert ours.allocated > chance.allocated + 0.02


def test_progress_is_told_until_the_end() -> None:
    workload = [task(shape(), arrives=second) for second in range(500)]
    for way in ("fill", "run"):
        told: list[tuple[int, int]] = []
        run = getattr(Replay(ONE_DEVICE, workload), way)
        run(workload, progress=lambda count, total, told=told: told.append((count, total)))
        assert told[-1] == (500, 500)
        assert len(told) <= 205
        assert told == sorted(told)


def test_a_workload_is_inflated_by_tasks_of_its_own_until_so_much_is_asked_for() -> None:
    workload = [task(shape(300), name="a"), task(shape(0, devices=0), name="b")]
    found = inflated(workload, device_milli=1000, seed=5)
    assert sum(more.shape.device_milli for more in found) == 1200
    assert {more.name for more in found} == {"a", "b"}
    assert found == inflated(workload, device_milli=1000, seed=5)
    assert found != inflated(workload, device_milli=1000, seed=6)


def test_a_workload_that_takes_no_device_cannot_be_inflated() -> None:
    workload = [task(shape(0, devices=0))]
    assert inflated(workload, device_milli=1000, seed=1) == workload


def test_the_usual_shapes_are_the_most_frequent_ones() -> None:
    often, seldom, rare = shape(100), shape(200), shape(300)
    workload = [task(often)] * 90 + [task(seldom)] * 6 + [task(rare)] * 4
    assert usual(workload) == {often: 0.9, seldom: 0.06}


@pytest.mark.parametrize(
    ("fleet", "workload", "policy", "field"),
    [
        ([machine(0)], [task(shape())], "random", "nodes"),
        ([], [task(shape())], "random", "nodes"),
        ([machine(1)], [], "random", "tasks"),
        ([machine(1)], [task(shape())], "worst-fit", "policy"),
    ],
)
def test_what_cannot_be_simulated_is_refused(
    fleet: list[Machine], workload: list[Task], policy: str, field: str
) -> None:
    with pytest.raises(InvalidValue) as refusal:
        Replay(fleet, workload, policy=policy)
    assert refusal.value.field == field
