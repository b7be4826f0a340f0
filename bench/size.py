"""What a node and a terminal pay: memory of the agent, start of the command line, discovery of a large host."""

import re
import subprocess
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

from accel.agent.probe import Setup
from accel.agent.runner import InlineRunner
from accel.conf.agent import OPTIONS
from bench.figures import Figure, median_ms
from bench.material import BIN, RABBITMQ_URL, service, until
from tests.support.built_hosts import large_host


def figures(directory: Path) -> Iterator[Figure]:
    """Memory, start and discovery."""
    yield _discovery(directory)
    yield _start_of_the_command_line()
    yield _agent_memory(directory)


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


def _agent_memory(directory: Path) -> Figure:
    """An agent that has looked with all drivers and found no conductor: its report waits in the spool."""
    settings = directory / "agent.conf"
    settings.write_text(
        f"[DEFAULT]\nstate_path = {directory}\ntransport_url = {RABBITMQ_URL}\n"
        f"[rpc]\ntopic = accel-bench-{uuid.uuid4().hex}\n"
    )
    with service([BIN / "accel-agent", "--config-file", settings], directory / "agent.log") as agent:
        until(lambda: any((directory / "agent").glob("report-*.json")), "the agent has looked")
        time.sleep(5)  # with a connection to the broker it is at its largest
        value = _resident_mib(agent.pid)
    return Figure(what="accel-agent with the drivers of the default, resident", value=value, unit="MiB", bound=60)


def _resident_mib(process: int) -> float:
    status = Path(f"/proc/{process}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) / 1024
