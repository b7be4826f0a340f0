"""How full a fleet gets: the published experiment on a production trace, by the same rule, beside what was published.

The trace is that of ``cluster-trace-gpu-v2023`` of alibaba/clusterdata, in a directory that ``BENCH_TRACE`` names. The
experiment: all tasks, and more drawn from them at random, until 130 % of the GPUs has been asked for, in random order;
they never leave. Its figure is the part of the GPUs that is allocated then, the mean of ten seeds.
"""

import gzip
import os
import statistics
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from accel.placement.simulation.policies import DEFAULT
from accel.placement.simulation.replay import Replay
from accel.placement.simulation.tasks import Machine, Task, capacity_milli, inflated
from accel.placement.simulation.trace import read_machines, read_tasks
from bench.figures import Figure

NODES = "openb_node_list_gpu_node.csv"
TASKS = "openb_pod_list_default.csv.gz"
ASKED = 1.3
SEEDS = range(42, 52)
PUBLISHED = {"random": (87.47, 0.32), "best-fit": (93.08, 0.13), "gradient": (95.39, 0.08)}
"""Percent, and the deviation over ten seeds (USENIX ATC 2023)."""
BEST = "gradient"
NEAR = 0.7


def figures(_directory: Path) -> Iterator[Figure]:
    """What each policy reaches, and how long a replay takes."""
    if not os.environ.get("BENCH_TRACE"):
        print(f"simulate is not measured: BENCH_TRACE names no directory with {NODES} and {TASKS}", file=sys.stderr)
        return
    machines, tasks = _trace(Path(os.environ["BENCH_TRACE"]))
    for policy, (published, deviation) in PUBLISHED.items():
        reached = _reached(policy, machines, tasks)
        mean = statistics.fmean(reached)
        yield Figure(
            what=f"{policy}: {mean:.2f} ± {statistics.stdev(reached):.2f} % allocated, off the published mean by",
            value=abs(mean - published),
            unit="points",
            bound=NEAR,
            reference=f"{published} ± {deviation} % published",
        )
    started = time.perf_counter()
    reached = _reached(DEFAULT, machines, tasks)
    seconds = (time.perf_counter() - started) / len(SEEDS)
    yield Figure(
        what=f"{DEFAULT}, the default: allocated, ± {statistics.stdev(reached):.2f}",
        value=statistics.fmean(reached),
        unit="%",
        bound=PUBLISHED[BEST][0],
        at_least=True,
        reference=f"{PUBLISHED[BEST][0]} % is the best published",
    )
    yield Figure(
        what=f"replay of {len(tasks):,} tasks and those drawn from them on {len(machines):,} nodes, {DEFAULT}",
        value=seconds,
        unit="s",
        bound=300,
    )


def _reached(policy: str, machines: list[Machine], tasks: list[Task]) -> list[float]:
    """Percent of the GPUs, for each seed."""
    replay = Replay(machines, tasks, policy=policy)
    asked = ASKED * capacity_milli(machines)
    return [100 * replay.fill(inflated(tasks, device_milli=asked, seed=seed), seed=seed).allocated for seed in SEEDS]


def _trace(directory: Path) -> tuple[list[Machine], list[Task]]:
    with (directory / NODES).open(newline="") as lines:
        machines = read_machines(lines, file=NODES)
    with gzip.open(directory / TASKS, "rt", newline="") as lines:
        return machines, read_tasks(lines, file=TASKS)
