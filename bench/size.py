"""What a node and a terminal pay: memory of its daemons, start of the command line, discovery of a large host."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from accel.agent.probe import Setup
from accel.agent.runner import InlineRunner
from accel.conf.agent import OPTIONS
from bench.figures import Figure, median_ms
from bench.kubelet import node
from bench.material import BIN
from tests.support.built_hosts import large_host
from tests.support.resident import resident_mib


def figures(directory: Path) -> Iterator[Figure]:
    """Memory, start and discovery."""
    yield _discovery(directory)
    yield _start_of_the_command_line()
    yield from _memory(directory)


def _start_of_the_command_line() -> Figure:
    value = median_ms(lambda: subprocess.run([BIN / "accel", "--help"], capture_output=True, check=True), times=10)
    floor = median_ms(lambda: subprocess.run([BIN / "python", "-c", ""], capture_output=True, check=True), times=10)
    return Figure(what="accel --help", value=value, unit="ms", bound=250, floor=floor, floor_what="bare Python")


def _discovery(directory: Path) -> Figure:
    host = large_host(directory / "host", "localhost")
    functions = len(list((host.sysfs / "bus/pci/devices").iterdir()))
    enabled = next(option.default for option in OPTIONS if option.name == "enabled_drivers")
    runner = InlineRunner([Setup(driver=name, host=host) for name in enabled])
    value = median_ms(runner.discover, times=10)
    what = f"discovery of a host with {functions} PCI functions, {len(enabled)} drivers"
    return Figure(what=what, value=value, unit="ms", bound=500)


def _memory(directory: Path) -> Iterator[Figure]:
    """Agent and plugin that know all functions of a large host and a broker, and come to rest after some looks."""
    large_host(directory / "memory", "node-1")
    with node(f"host_root = {directory}/memory", {}) as (kubelet, agent, plugin, _):
        kubelet.wait_for("accel.io/qat-vf", allocatable=520)
        for _ in range(3):
            os.kill(agent, signal.SIGHUP)
            time.sleep(5)  # the process that forks those of drivers ends by itself
        time.sleep(15)
        alone, together = resident_mib(agent), resident_mib(agent, plugin)
    yield Figure(what="accel-agent of 560 functions, all its processes, resident", value=alone, unit="MiB", bound=60)
    what = "accel-agent and accel-device-plugin of 560 functions, all their processes, resident"
    yield Figure(what=what, value=together, unit="MiB", bound=90)
