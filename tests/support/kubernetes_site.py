"""What is ours on a node of Kubernetes, and all that a test asks of both; what is asked and answered is kept."""

import json
import re
import signal
import subprocess
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from support.kubernetes_build import BUILD, REPOSITORY
from support.kubernetes_node import NAME, Node
from support.kubernetes_pods import pod
from support.processes import BIN
from support.waiting import until

from accel.testing.host_tree import unpack

GPU = "accel.io/gpu"
TRANSCRIPT = BUILD / "transcript.txt"
_TREE = REPOSITORY / "tests/data/hosts/mi250x-16gcd/mi250x-16gcd.tar.gz"
_PLUGIN = {"device_lists": ["cdi", "annotations", "environment", "mounts", "device-nodes"], "events": True}


@dataclass
class Site:
    """The node with what is ours on it: API, conductor and agent in one process, and the plugin."""

    node: Node
    tree: Path
    endpoint: str
    plugin_port: int

    def tell(self, text: str) -> None:
        with TRANSCRIPT.open("a") as transcript:
            transcript.write(f"{text}\n")

    # --- ours ---

    def accel(self, *words: str) -> str:
        """What ``accel`` prints."""
        command = [BIN / "accel", "--endpoint", self.endpoint, *words]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        if "-f" not in words:
            self.tell(f"$ accel {' '.join(words)}\n{done.stdout}")
        return done.stdout

    def ask(self, *words: str) -> Any:
        """What ``accel`` answers, without a word in the transcript."""
        return json.loads(self.accel(*words, "-f", "json"))

    def held(self) -> Mapping[str, int]:
        """How many handles everybody has, as the control plane knows it."""
        return Counter(handle["holder_name"] for handle in self.ask("handle", "list", "--held"))

    def start_plugin(self, **configuration: Any) -> None:
        """Start the plugin.

        :param configuration: more than what is usual, as its file has it
        """
        said = {**_PLUGIN, "listen": f"127.0.0.1:{self.plugin_port}", **configuration}
        file = self.node.directory / "plugin.yaml"
        file.write_text(json.dumps(said))  # which is YAML too
        server = {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": str(self.node.api_port)}
        self.node.start("plugin", BIN / "accel-device-plugin", "--config", file, **server)

    def restart_plugin(self, **configuration: Any) -> None:
        """End the plugin and start it with other words."""
        assert self.node.end("plugin", signal.SIGTERM) == 0
        self.node.wait_for(GPU, allocatable=0)
        self.tell(f"accel-device-plugin is restarted with {json.dumps(configuration)}\n")
        self.start_plugin(**configuration)

    def figure(self, name: str) -> float:
        """The sum of a figure of the plugin's."""
        with urlopen(f"http://127.0.0.1:{self.plugin_port}/metrics") as answer:
            lines = answer.read().decode().splitlines()
        return sum(float(line.rpartition(" ")[2]) for line in lines if re.match(rf"{name}[{{ ]", line))

    # --- Kubernetes ---

    def kubectl(self, *words: str) -> str:
        """What ``kubectl`` prints."""
        printed = self.node.kubectl(*words)
        self.tell(f"$ kubectl {' '.join(words)}\n{printed}")
        return printed

    def show_counts(self) -> None:
        """What the node has of GPUs, for the transcript."""
        capacity, allocatable = self.node.counts(GPU)
        self.tell(f"node {NAME}: capacity {GPU} {capacity}, allocatable {allocatable}\n")

    def create(self, name: str, *limits: Mapping[str, int], **more: Any) -> None:
        """Ask for a pod, with a container for each of these limits."""
        self.tell(f"$ kubectl create -f -  # pod {name}: {', '.join(map(json.dumps, limits))}\n")
        self.node.kubectl("create", "-f", "-", given=pod(name, *limits, **more))

    def run(self, name: str, *limits: Mapping[str, int], **more: Any) -> None:
        """Have a pod run."""
        self.create(name, *limits, **more)
        self.until_phase(name, "Running")

    def until_phase(self, name: str, phase: str) -> None:
        until(lambda: self.node.get("pod", name)["status"]["phase"] == phase, patience_seconds=120)

    def status(self, name: str) -> Sequence[Any]:
        """What the kubelet says of the containers of a pod."""
        found: Sequence[Any] = self.node.get("pod", name)["status"]["containerStatuses"]
        return found

    def inside(self, name: str, command: str) -> str:
        """What a command prints in the first container."""
        printed = self.node.kubectl("exec", name, "-c", "c0", "--", "/bin/sh", "-c", command).strip()
        self.tell(f"{name}# {command}\n{printed}\n")
        return printed

    def gpus(self, name: str) -> list[str]:
        """The addresses that the first container of a pod was told of."""
        entries = self.node.spec(name)["process"]["env"]
        return sorted(entry.partition("=")[2] for entry in entries if entry.startswith("ACCEL_GPU"))

    def delete(self, *names: str) -> None:
        """Delete pods at once, which else can take a kubelet a minute; they have nothing any more then."""
        self.kubectl("delete", "pod", *names, "--grace-period", "0", "--force")
        until(lambda: not self.held())


def captured_host(directory: Path) -> Path:
    """The host, whose cards get nodes below ``/dev``, and a way to be reset: the capture has none."""
    tree = unpack(_TREE, directory / NAME)
    for number, card in enumerate(json.loads(_TREE.with_name("oracle.json").read_text())["accel"]):
        (tree / card["path"] / f"drm/renderD{128 + number}").mkdir(parents=True)
        (tree / card["path"] / "reset").touch()
    return tree
