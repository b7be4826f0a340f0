"""Agent, device plugin and kubelet as processes that are killed, in every order, while pods come and go."""

import json
import os
import signal
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import permutations
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Thread
from typing import Self

import pytest
from support.built_hosts import large_host
from support.processes import BIN, free_port
from support.resident import processes_of, resident_mib
from support.waiting import until

from accel.testing.cdi import CdiRuntime
from accel.testing.kubelet import KubeletProcess, Pod, PodRefused

pytestmark = pytest.mark.timeout(300)

GPU = "accel.io/gpu"
CARDS = 8
FUNCTION, FUNCTIONS = "accel.io/qat-vf", 520
PARTS = ("agent", "plugin", "kubelet")

_FLEET = f"nodes: [{{name: node-1, cards: [{{model: H100-SXM5-80GB, count: {CARDS}}}]}}]\n"


@dataclass
class Node:
    """The three processes of a node."""

    directory: Path
    port: int
    agent: str
    """What its agent is told beside where things are."""
    kubelet: KubeletProcess = field(init=False)
    running: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)

    def __post_init__(self) -> None:
        at = self.directory
        (at / "accel.conf").write_text(
            f"[DEFAULT]\nhost = node-1\nstate_path = {at}/state\ntransport_url = rabbit://127.0.0.1:1/\n"
            f"{self.agent}"
            f"[node_socket]\npath = {at}/node.sock\n"
        )
        said = {
            "node_socket": f"{at}/node.sock",
            "kubelet_directory": f"{at}/kubelet/device-plugins",
            "pod_resources_socket": f"{at}/kubelet/pod-resources/kubelet.sock",
            "cdi_directory": f"{at}/cdi",
            "listen": f"127.0.0.1:{self.port}",
        }
        (at / "plugin.yaml").write_text(json.dumps(said))  # which is YAML too
        self.kubelet = KubeletProcess(at / "kubelet")

    def start(self, part: str) -> None:
        """Start a process; what it needs of the others may not be there yet."""
        if part == "kubelet":
            self.kubelet.start()
            return
        commands = {
            "agent": [BIN / "accel-agent", "--config-file", self.directory / "accel.conf"],
            "plugin": [BIN / "accel-device-plugin", "--config", self.directory / "plugin.yaml"],
        }
        with (self.directory / f"{part}.log").open("ab") as log:
            self.running[part] = subprocess.Popen(commands[part], stderr=log, start_new_session=True)

    def kill(self, part: str) -> None:
        """Kill a process, and what it has started."""
        if part == "kubelet":
            self.kubelet.kill()
            return
        process = self.running.pop(part)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def held(self) -> set[str]:
        """The devices that the plugin knows pods to have."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics") as answer:
            lines = answer.read().decode().splitlines()
        held = [line for line in lines if line.startswith("accel_device_plugin_held{")]
        return {line.partition('device="')[2].partition('"')[0] for line in held}


@pytest.fixture
def directory() -> Iterator[Path]:
    with TemporaryDirectory(ignore_cleanup_errors=True) as made:  # sockets want a short path
        yield Path(made)


@pytest.fixture
def node(directory: Path) -> Iterator[Node]:
    fleet = directory / "fleet.yaml"
    fleet.write_text(_FLEET)
    agent = f"[agent]\nenabled_drivers = simulated\n[simulated]\nfleet_file = {fleet}\n"
    with _running(Node(directory, free_port(), agent)) as made:
        made.kubelet.wait_for(GPU, allocatable=CARDS)
        yield made


@contextmanager
def _running(node: Node) -> Iterator[Node]:
    try:
        for part in PARTS:
            node.start(part)
        yield node
    finally:
        for part in PARTS:
            if part == "kubelet" or part in node.running:
                node.kill(part)


class Load:
    """Pods that come and go; a kubelet that is not there gets none."""

    def __init__(self, kubelet: KubeletProcess) -> None:
        self._kubelet = kubelet
        self._is_stopped = Event()
        self._thread = Thread(target=self._run, daemon=True)
        self.admitted = 0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_stopped.set()
        self._thread.join()

    def _run(self) -> None:
        number = 0
        while not self._is_stopped.wait(0.01):
            number += 1
            pod = Pod("load", f"pod-{number}", {"main": {GPU: 1 + number % 3}})
            try:
                self._kubelet.admit(pod)
                self.admitted += 1
                self._kubelet.delete(pod)
            except (PodRefused, AssertionError, OSError, ValueError, AttributeError):
                pass  # it was killed meanwhile, or its plugin was


def test_whatever_is_killed_in_whatever_order_no_device_is_lost_doubled_or_leaked(node: Node) -> None:
    stays = Pod("default", "stays", {"main": {GPU: 3}})
    kept = node.kubelet.admit(stays)[GPU]

    for order in permutations(PARTS):
        for part in order:
            node.kill(part)
        for part in order:
            node.start(part)
        node.kubelet.wait_for(GPU, allocatable=CARDS)
        assert node.kubelet.pods() == {"default/stays": {GPU: kept}}

        rest = Pod("default", "-".join(order), {"main": {GPU: CARDS - 3}})
        assert set(node.kubelet.admit(rest)[GPU]).isdisjoint(kept)
        with pytest.raises(PodRefused):
            node.kubelet.admit(Pod("default", "one-too-many", {"main": {GPU: 1}}))
        node.kubelet.delete(rest)

    until(lambda: node.held() == set(kept))
    node.kubelet.delete(stays)
    assert len(node.kubelet.admit(Pod("default", "all", {"main": {GPU: CARDS}}))[GPU]) == CARDS


@pytest.mark.parametrize("part", ["agent", "plugin"])
def test_pods_come_and_go_while_a_part_is_killed_again_and_again(node: Node, part: str) -> None:
    with Load(node.kubelet) as load:
        for _ in range(3):
            before = load.admitted
            node.kill(part)
            node.start(part)
            until(lambda before=before: load.admitted > before + 5)

    node.kubelet.wait_for(GPU, allocatable=CARDS)
    assert len(node.kubelet.admit(Pod("default", "all", {"main": {GPU: CARDS}}))[GPU]) == CARDS


def test_what_a_killed_plugin_has_left_is_replaced_and_a_stopped_one_leaves_nothing(node: Node) -> None:
    node.kill("plugin")
    assert len(CdiRuntime([node.directory / "cdi"]).devices()) == CARDS  # pods may still be started with them
    node.start("plugin")
    node.kubelet.wait_for(GPU, allocatable=CARDS)

    plugin = node.running.pop("plugin")
    plugin.terminate()

    assert plugin.wait() == 0
    assert not CdiRuntime([node.directory / "cdi"]).devices()
    sockets = [path.name for path in (node.directory / "kubelet/device-plugins").glob("*.sock")]
    assert [name for name in sockets if name.startswith("accel")] == []


def test_agent_and_plugin_stay_small_however_often_a_large_host_is_looked_at(directory: Path) -> None:
    large_host(directory / "host", "node-1")
    with _running(Node(directory, free_port(), f"[agent]\nhost_root = {directory}/host\n")) as node:
        node.kubelet.wait_for(FUNCTION, allocatable=FUNCTIONS)
        node.kubelet.admit(Pod("default", "one", {"main": {FUNCTION: 4}}))
        agent, plugin = (node.running[part].pid for part in ("agent", "plugin"))

        for _ in range(3):
            until(lambda: processes_of(agent) == 1)
            os.kill(agent, signal.SIGHUP)
            until(lambda: processes_of(agent) > 1)  # the drivers look

        until(lambda: resident_mib(agent, plugin) <= 90)
        assert processes_of(agent) == processes_of(plugin) == 1
        assert resident_mib(agent) <= 60
