"""Traces: what is read of them, and what is said of mistakes."""

import pytest

from accel.errors import InvalidTrace
from accel.placement.simulation.tasks import Machine, TaskShape
from accel.placement.simulation.trace import read_machines, read_tasks

NODES = ["sn,cpu_milli,memory_mib,gpu,model", "n1,64000,262144,2,P100"]
HEADING = (
    "name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec,qos,pod_phase,creation_time,deletion_time,scheduled_time"
)


def test_a_node_is_a_line() -> None:
    assert read_machines(NODES, file="nodes.csv") == [Machine("n1", 64000, 262144, 2, "P100")]


def test_columns_stand_in_any_order_and_the_model_may_be_missing() -> None:
    lines = ["gpu,sn,memory_mib,cpu_milli,rack", "8,n1,1024,2000,r1", ""]
    assert read_machines(lines, file="nodes.csv") == [Machine("n1", 2000, 1024, 8, "")]


def test_a_task_has_its_shape_its_arrival_and_how_long_it_runs() -> None:
    (task,) = read_tasks([HEADING, "t1,6000,12288,1,460,V100M32|A10,LS,Running,100,500,120"], file="tasks.csv")
    assert task.name == "t1"
    assert task.shape == TaskShape(6000, 12288, 1, 460, ("A10", "V100M32"))
    assert (task.arrives, task.runs) == (100, 380)


@pytest.mark.parametrize(
    ("times", "arrives", "runs"),
    [("100,,", 100, None), ("100,500,", 100, 400), (",,", 0, None), ("7,7,7", 7, 0)],
)
def test_times_may_be_missing(times: str, arrives: int, runs: int | None) -> None:
    (task,) = read_tasks([HEADING, f"t1,6000,12288,1,460,,LS,Running,{times}"], file="tasks.csv")
    assert (task.arrives, task.runs) == (arrives, runs)


def test_a_task_without_devices_has_no_share_and_no_models() -> None:
    lines = ["name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec", "t1,6000,12288,0,0,T4"]
    assert read_tasks(lines, file="tasks.csv")[0].shape == TaskShape(6000, 12288, 0, 0)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("t1,6k,1,1,460,,,,0,1,0", "tasks.csv, line 2, cpu_milli: '6k' is not a whole number from 0 to 1000000000000"),
        ("t1,-1,1,1,460,,,,0,1,0", "tasks.csv, line 2, cpu_milli: '-1' is not a whole number"),
        ("t1,1,9" + "9" * 5000 + ",1,460,,,,0,1,0", "tasks.csv, line 2, memory_mib"),
        ("t1,²,1,1,460,,,,0,1,0", "tasks.csv, line 2, cpu_milli"),
        ("t1,1,1,65,1000,,,,0,1,0", "tasks.csv, line 2, num_gpu: '65' is not a whole number from 0 to 64"),
        ("t1,1,1,1,1001,,,,0,1,0", "tasks.csv, line 2, gpu_milli: '1001' is not a whole number from 0 to 1000"),
        ("t1,1,1,1,0,,,,0,1,0", "tasks.csv, line 2, gpu_milli: '0' is not a whole number from 1 to 1000"),
        ("t1,1,1,2,500,,,,0,1,0", "tasks.csv, line 2, gpu_milli: '500' is not 1000, as it is wherever num_gpu"),
        ("t1,1,1,1,460,,,,9,10,8", "tasks.csv, line 2, scheduled_time: '8' is not empty, or 9 (creation_time) or more"),
        ("t1,1,1,1,460,,,,0,1,2", "tasks.csv, line 2, deletion_time: '1' is not empty, or 2 (when it was placed"),
        ("t1,1,1", "tasks.csv, line 2: 3 fields, and the heading has 11"),
        ('t1,1,1,1,"460', "tasks.csv, line 2: not comma-separated values"),
    ],
)
def test_a_mistake_is_named_with_file_line_field_and_what_would_be_right(line: str, said: str) -> None:
    with pytest.raises(InvalidTrace) as mistake:
        read_tasks([HEADING, line], file="tasks.csv")
    assert str(mistake.value).startswith(said)


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([], "nodes.csv, line 1: no column sn, cpu_milli, memory_mib, gpu; nodes have sn, cpu_milli, memory_mib, gpu"),
        (["sn,gpu"], "nodes.csv, line 1: no column cpu_milli, memory_mib; nodes have"),
        (NODES[:1], "nodes.csv: has a heading and no nodes"),
    ],
)
def test_a_file_that_is_something_else_is_refused(lines: list[str], said: str) -> None:
    with pytest.raises(InvalidTrace) as mistake:
        read_machines(lines, file="nodes.csv")
    assert str(mistake.value).startswith(said)
