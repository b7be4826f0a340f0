"""``make demo-kubelet``: a captured host with eight AMD GPUs of two dies each, the device plugin, and a kubelet.

It ends by itself. The kubelet is that of ``accel.testing``: what a real one does with a plugin, without containers.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import chdir, contextmanager
from pathlib import Path

from stage import PATIENCE_SECONDS, DemoFailure, accel, accel_up, say, show

from accel.testing.cdi import CdiRuntime
from accel.testing.host_tree import unpack
from accel.testing.kubelet import Kubelet, Pod

ROOT = Path(__file__).resolve().parent.parent
PLUGIN = Path(sys.executable).with_name("accel-device-plugin")
CAPTURED_HOST = ROOT / "tests" / "data" / "hosts" / "mi250x-16gcd" / "mi250x-16gcd.tar.gz"
NODE = "gpu-node"
GPU = "accel.io/gpu"
TRAIN = Pod("ml", "train", {"main": {GPU: 4}})
INFER = Pod("web", "infer", {"main": {GPU: 1}})
AGENT = """[agent]
rediscovery_interval_seconds = 1
heartbeat_interval_seconds = 5
disregarded_signals =
[node_socket]
path = {directory}/node.sock
"""
DEVICE_PLUGIN = """node_socket: {directory}/node.sock
kubelet_directory: {directory}/kubelet/device-plugins
pod_resources_socket: {directory}/kubelet/pod-resources/kubelet.sock
cdi_directory: {directory}/cdi
"""


class Node:
    """The kubelet's side of the node.

    :param directory: of everything
    :param tree: the captured host
    """

    def __init__(self, directory: Path, tree: Path) -> None:
        self.directory = directory
        self.tree = tree
        self.kubelet = Kubelet(directory / "kubelet")
        self.runtime = CdiRuntime([directory / "cdi"])

    def show(self) -> None:
        """What ``kubectl describe node`` shows of it."""
        for resource, count in sorted(self.kubelet.capacity().items()):
            print(f"{resource}: {self.kubelet.allocatable()[resource]} of {count} can be given to pods", flush=True)

    def wait_for(self, allocatable: int) -> None:
        """Return when so many GPUs can be given to pods.

        :raises DemoFailure: they are not within a minute
        """
        try:
            self.kubelet.wait_for(GPU, allocatable=allocatable, patience=PATIENCE_SECONDS)
        except AssertionError as error:
            raise DemoFailure(f"{allocatable} {GPU} wanted; there are {self.kubelet.allocatable()}") from error

    def admit(self, pod: Pod) -> None:
        """Admit a pod, and show what its container gets."""
        admitted = self.kubelet.admit(pod)
        answer = admitted.answer("main", GPU)
        names = [device.name for device in answer.cdi_devices]
        print(f"pod {pod.key} is admitted with {len(admitted.ids(GPU))} {GPU}; its container gets, by CDI:")
        for name in names:
            got = self.runtime.inject([name])
            told = " ".join(f"{key}={value}" for key, value in got.env.items())
            print(f"  {name}: {' '.join(got.nodes)} {told}", flush=True)

    def lanes_of_a_free_card(self) -> Path:
        """The file that says how many lanes the link of a card has that nobody holds."""
        card = json.loads(accel("device", "list", "--free", "--type", "GPU", "-f", "json"))[-1]
        return self.tree / "sys/bus/pci/devices" / card["address"] / "current_link_width"


def wait_for_holders(count: int) -> None:
    """Return when so many handles have a holder in the control plane.

    :raises DemoFailure: they have not within a minute
    """
    deadline = time.monotonic() + PATIENCE_SECONDS
    while len(held := json.loads(accel("handle", "list", "--held", "-f", "json"))) != count:
        if time.monotonic() > deadline:
            raise DemoFailure(f"{count} handles should be held; there are {held}")
        time.sleep(0.2)


@contextmanager
def plugin_running(directory: Path) -> Iterator[None]:
    """``accel-device-plugin``, as its DaemonSet starts it."""
    file, log = directory / "device-plugin.yaml", directory / "plugin.log"
    file.write_text(DEVICE_PLUGIN.format(directory=directory))
    with log.open("w") as stderr, subprocess.Popen([PLUGIN, "--config", file], stderr=stderr) as plugin:
        try:
            yield
        except BaseException:
            sys.stderr.write(log.read_text())
            raise
        finally:
            plugin.terminate()
            plugin.wait(PATIENCE_SECONDS)
    if plugin.returncode:
        raise DemoFailure(f"the device plugin ended with {plugin.returncode}:\n{log.read_text()}")


def story(node: Node) -> None:
    """What happens."""
    say("The plugin has registered what the agent sees")
    node.wait_for(16)
    node.show()
    say("Two pods are admitted: four GPUs that are close to one another, and one more")
    node.admit(TRAIN)
    node.admit(INFER)
    say("The control plane knows them as holders")
    wait_for_holders(5)
    show("handle", "list", "--held")
    say("A card that no pod has comes up with one lane of PCI: it is given to nobody any more …")
    file = node.lanes_of_a_free_card()
    before = file.read_text()
    file.write_text("1\n")
    node.wait_for(15)
    node.show()
    show("health")
    say("… and when it is repaired, it can be had again: nothing was restarted")
    file.write_text(before)
    node.wait_for(16)
    node.show()
    say("Somebody else claims a GPU through the API: it is withdrawn from the kubelet, as long as he has it")
    show("claim", "--type", "GPU", "--consumer", "vm-1")
    node.wait_for(15)
    node.show()
    show("claim", "release", "vm-1")
    node.wait_for(16)
    restart(node)
    say("The pods are deleted: everything is free again")
    node.kubelet.delete(TRAIN)
    node.kubelet.delete(INFER)
    wait_for_holders(0)
    show()


def restart(node: Node) -> None:
    """Restart the kubelet: it deletes all sockets, and pods go on."""
    say("The kubelet is restarted")
    pods: Mapping[str, list[str]] = {key: one.ids(GPU) for key, one in node.kubelet.admitted().items()}
    node.kubelet.stop()
    node.kubelet = Kubelet(node.directory / "kubelet")
    node.kubelet.start()
    began = time.monotonic()
    node.wait_for(16)
    print(f"the plugin was back after {time.monotonic() - began:.2f} s")
    if {key: one.ids(GPU) for key, one in node.kubelet.admitted().items()} != pods:
        raise DemoFailure("pods have other devices than before")
    for key, ids in pods.items():
        print(f"pod {key} has its {len(ids)} {GPU}", flush=True)


def main() -> int:
    """Run the demo in a temporary directory."""
    with tempfile.TemporaryDirectory(prefix="accel-") as name:
        directory = Path(name)
        tree = unpack(CAPTURED_HOST, directory / NODE)
        (directory / "accel.conf").write_text(AGENT.format(directory=directory))
        try:
            say(
                "Starting API, conductor and agent in one process, on a captured host; a kubelet, and the device plugin"
            )
            up = accel_up(directory, "--config-file", directory / "accel.conf", "--no-host", "--host-tree", tree)
            node = Node(directory, tree)
            with chdir(directory), up, node.kubelet, plugin_running(directory):
                story(node)
        except DemoFailure as failure:
            print(f"\nThe demo failed: {failure}", file=sys.stderr)
            return 1
    say("That was it")
    return 0


if __name__ == "__main__":
    sys.exit(main())
