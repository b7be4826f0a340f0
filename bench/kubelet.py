"""From a signal of health to the kubelet: agent and device plugin as processes, a kubelet of ours beside them.

The signals are real ones as far as the parts of ours can tell: an event of NVML, by the real nvidia-ml-py from the
stand-in for NVIDIA's library, which looks for events every 20 ms; and the kernel's event that a function is gone, on a
mocked host.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from accel.drivers.nvidia.xids import FILE_NAME
from accel.testing import mocked_host, what_is_missing
from accel.testing.kubelet import Kubelet
from bench.figures import Figure
from bench.hot_plug import DESCRIPTION, DRIVE
from bench.material import BIN, RABBITMQ_URL, service, until

STUB = Path(__file__).parents[1] / "tests/data/nvml-stub/nvmlstub.c"
_LIBRARY = "libnvidia-ml.so.1"
_SYSTEM = "system driver=550.54.15 nvml=12.550.54.15 cuda=12040\n"
_CARD = 'gpu uuid=GPU-{0} name="NVIDIA H100 80GB HBM3" pci=0000:{0:02x}:00.0 devid=0x233010DE mem=85899345920\n'
_CARDS = 8
_PULLS = 5
_BOUND_MS = 200


def figures(directory: Path) -> Iterator[Figure]:
    """An Xid, and a card that is pulled."""
    yield from _xids(directory)
    yield from _pulls()


def _xids(directory: Path) -> Iterator[Figure]:
    compiler = shutil.which("gcc")
    if compiler is None:
        print("Xid → kubelet is not measured: gcc is not installed", file=sys.stderr)
        return
    library = directory / _LIBRARY
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", f"-Wl,-soname,{_LIBRARY}", "-o", library, STUB], check=True)
    told = directory / "nvml.conf"
    cards = _SYSTEM + "".join(_CARD.format(number) for number in range(1, _CARDS + 1))
    told.write_text(cards)
    environment = {"LD_LIBRARY_PATH": str(directory), "NVML_STUB_CONF": str(told)}
    with node("enabled_drivers = nvidia", environment) as (kubelet, *_, state):
        kubelet.wait_for("accel.io/gpu", allocatable=_CARDS)
        until((state / "acts" / FILE_NAME).exists, "somebody listens to Xids")
        events = ""
        taken = []
        for number in range(_CARDS):
            events += f"event gpu={number} type=8 data=79\n"
            new = told.with_suffix(".new")
            new.write_text(cards + events)
            left = _CARDS - 1 - number
            taken.append(_milliseconds(lambda new=new: new.replace(told), kubelet, "accel.io/gpu", left))
    what = f"Xid of NVML → kubelet sees the card unhealthy, slowest of {_CARDS}"
    yield Figure(what=what, value=max(taken), unit="ms", bound=_BOUND_MS)


def _pulls() -> Iterator[Figure]:
    if missing := what_is_missing():
        print(f"card pulled → kubelet is not measured: {missing}", file=sys.stderr)
        return
    taken = []
    with mocked_host(DESCRIPTION) as host, node("enabled_drivers = nvme", host.environment) as (kubelet, *_):
        for _ in range(_PULLS):
            kubelet.wait_for("accel.io/nvme", allocatable=2)
            taken.append(_milliseconds(lambda: host.remove(*DRIVE), kubelet, "accel.io/nvme", 1))
            host.add(*DRIVE)
    what = f"the kernel's last event of a pulled card → kubelet sees it unhealthy, slowest of {_PULLS}"
    yield Figure(what=what, value=max(taken), unit="ms", bound=_BOUND_MS)


def _milliseconds(signal: Callable[[], object], kubelet: Kubelet, resource: str, left: int) -> float:
    """From when a signal has been given until so many devices are left: to mock a pull takes long itself."""
    signal()
    started = time.perf_counter()
    kubelet.wait_for(resource, allocatable=left)
    return (time.perf_counter() - started) * 1000


class Node(NamedTuple):
    """A node's kubelet, and the processes that stand between it and the devices."""

    kubelet: Kubelet
    agent: int
    plugin: int
    state: Path
    """The agent's directory."""


@contextmanager
def node(settings: str, environment: Mapping[str, str]) -> Iterator[Node]:
    """A node whose agent looks again only when it is told of something.

    :param settings: what its agent is told, from the group ``agent`` on
    """
    with ExitStack() as ends:
        at = Path(ends.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True)))  # sockets want it short
        (at / "accel.conf").write_text(
            f"[DEFAULT]\nhost = node-1\nstate_path = {at}/state\ntransport_url = {RABBITMQ_URL}\n"
            f"[rpc]\ntopic = accel-bench-{uuid.uuid4().hex}\n[node_socket]\npath = {at}/node.sock\n"
            f"[agent]\nrediscovery_interval_seconds = 3600\n{settings}\n"
        )
        said = {
            "node_socket": f"{at}/node.sock",
            "kubelet_directory": f"{at}/kubelet/device-plugins",
            "pod_resources_socket": f"{at}/kubelet/pod-resources/kubelet.sock",
            "cdi_directory": f"{at}/cdi",
        }
        (at / "plugin.yaml").write_text(json.dumps(said))  # which is YAML too
        kubelet = ends.enter_context(Kubelet(at / "kubelet"))
        command = [BIN / "accel-agent", "--config-file", at / "accel.conf"]
        agent = ends.enter_context(service(command, at / "agent.log", **{**os.environ, **environment}))
        command = [BIN / "accel-device-plugin", "--config", at / "plugin.yaml"]
        plugin = ends.enter_context(service(command, at / "plugin.log"))
        yield Node(kubelet, agent.pid, plugin.pid, at / "state")
