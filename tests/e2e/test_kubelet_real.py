"""The device plugin with the real kubelet, scheduler and containerd, on a captured host with sixteen GPUs.

``make test-kubelet`` runs it and leaves what was asked and answered in ``build/kubelet/transcript.txt``.
"""

import json
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from support.kubernetes_build import BUILD, build, what_is_missing
from support.kubernetes_node import NAME, node
from support.kubernetes_pods import IMAGE, container
from support.kubernetes_site import GPU, TRANSCRIPT, Site, captured_host
from support.processes import BIN, free_port
from support.waiting import until

pytestmark = [
    pytest.mark.timeout(3600),
    pytest.mark.skipif(not os.environ.get("TEST_KUBELET"), reason="make test-kubelet runs it, for minutes"),
]

GPUS = 16
NUMA_NODES = 4
REGISTRY = "/var/lib/kubelet/plugins_registry"
_AGENT = """[agent]
rediscovery_interval_seconds = 1
heartbeat_interval_seconds = 5
disregarded_signals =
[node_socket]
path = /run/accel/node.sock
"""
_PODS = "custom-columns=NAME:.metadata.name,PHASE:.status.phase,REASON:.status.reason,MESSAGE:.status.message"
_EVENTS = "custom-columns=REASON:.reason,FROM:.source.component,MESSAGE:.message"
_BEGAN, _CAME = "Serving device plugin registration server", "Got registration request"
_TIME = re.compile(r"(\d+):(\d+):([\d.]+) ")


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    if missing := what_is_missing():
        pytest.skip(missing)
    build()
    TRANSCRIPT.unlink(missing_ok=True)
    with (
        TemporaryDirectory(prefix="accel-", ignore_cleanup_errors=True) as name,
        node(Path(name), numa_nodes=NUMA_NODES, graphics=GPUS) as machine,
    ):
        at, port = Path(name), free_port()
        made = Site(machine, captured_host(at), f"http://127.0.0.1:{port}", free_port())
        (at / "accel.conf").write_text(_AGENT)
        (at / "run/accel").mkdir()
        up = ("--state-path", at / "state", "--config-file", at / "accel.conf", "--no-host", "--host-tree", made.tree)
        try:
            machine.start("accel", BIN / "accel", "up", "--listen", f"127.0.0.1:{port}", *up)
            machine.start_cluster(f"{made.endpoint}/v2/kubernetes")
            account = at / "run/secrets/kubernetes.io/serviceaccount"  # what a pod has of its own
            account.mkdir(parents=True)
            (account / "token").write_text("admin-token")
            shutil.copy(at / "certificates/apiserver.crt", account / "ca.crt")
            machine.start_kubelet()
            until(lambda: "Ready:" in machine.log("accel"))
            made.start_plugin()
            machine.wait_for(GPU, allocatable=GPUS)
            made.tell(machine.run("kubelet", "--version") + machine.run("containerd", "--version"))
            yield made
        finally:
            for log in at.glob("*.log"):
                shutil.copy(log, BUILD)


def test_a_container_gets_what_the_plugin_answers_and_the_control_plane_knows_it(site: Site) -> None:
    site.tell("== A pod asks for two GPUs: scheduled by our extender, admitted by the kubelet, run by containerd ==\n")
    site.show_counts()
    assert site.node.counts(GPU) == (GPUS, GPUS)
    site.run("train", {GPU: 2})
    had = site.gpus("train")
    site.inside("train", "env | grep ACCEL; ls /dev/dri; ls /var/run/accel-devices")
    nodes = site.inside("train", "cd /dev/dri; for n in *; do : < $n && echo $n; done").split()
    annotation = site.node.spec("train")["annotations"]["cdi.k8s.io/accel.io_gpu"]
    site.tell(f"cdi.k8s.io/accel.io_gpu: {annotation}\n")

    assert len(had) == len(nodes) == 2
    assert sorted(annotation.split(",")) == [f"accel.io/gpu=pci-{address}" for address in had]
    assert site.figure("accel_device_plugin_preferences_total") == 1
    numa_nodes = {device["address"]: device["numa_node"] for device in site.ask("device", "list", "--long")}
    assert len({numa_nodes[address] for address in had}) == 1
    until(lambda: site.held() == {"default/train/c0": 2})
    (handle, _) = site.ask("handle", "list", "--held")
    assert "pod default/train/c0" in site.accel("who", handle["uuid"])
    site.accel("handle", "list", "--held")
    site.kubectl("delete", "pod", "train")
    until(lambda: not site.held())


def test_init_containers_and_containers_that_end_are_known_too(site: Site) -> None:
    site.tell("== An init container has two GPUs, and the container after it one; another pod ends by itself ==\n")
    site.run("after", {GPU: 1}, initContainers=[container("before", {GPU: 2}) | {"command": ["/bin/env"]}])
    first = site.node.kubectl("logs", "after", "-c", "before")
    assert set(site.gpus("after")) <= set(re.findall(r"ACCEL_GPU\w+=(\S+)", first))
    until(lambda: site.held() == {"default/after/c0": 1, "default/after/before": 1})
    site.accel("handle", "list", "--held")
    site.delete("after")

    site.create("job", {GPU: 1}, restartPolicy="Never", containers=[container("c0", {GPU: 1}, "sleep 2")])
    site.until_phase("job", "Succeeded")
    until(lambda: not site.held())
    site.delete("job")


def test_a_card_that_is_not_fit_is_given_to_nobody_and_is_again_when_it_is(site: Site) -> None:
    site.tell("== A card comes up with one lane of PCI, and is repaired: nothing is restarted ==\n")
    site.run("stays", {GPU: 1})
    address = site.ask("device", "list", "--free", "--type", "GPU")[-1]["address"]
    file = site.tree / f"sys/bus/pci/devices/{address}/current_link_width"
    before = file.read_text()
    file.write_text("1\n")
    site.node.wait_for(GPU, allocatable=GPUS - 1)
    site.show_counts()
    assert site.node.counts(GPU) == (GPUS, GPUS - 1)
    file.write_text(before)
    site.node.wait_for(GPU, allocatable=GPUS)
    site.show_counts()
    until(lambda: "AcceleratorHealthy" in site.node.kubectl("get", "events"))
    site.kubectl("get", "events", "--field-selector", f"involvedObject.name={NAME},source=accel-device-plugin")
    assert [one["restartCount"] for one in site.status("stays")] == [0]
    site.delete("stays")


def test_what_somebody_claims_through_the_api_is_withdrawn_from_the_kubelet(site: Site) -> None:
    site.tell("== Somebody claims a GPU through the API ==\n")
    site.accel("claim", "--type", "GPU", "--consumer", "vm-1")
    site.node.wait_for(GPU, allocatable=GPUS - 1)
    site.show_counts()
    site.accel("claim", "release", "vm-1")
    site.node.wait_for(GPU, allocatable=GPUS)


def test_more_than_there_is_is_not_had(site: Site) -> None:
    site.tell("== More is asked for than there is, of the scheduler, and past it ==\n")
    site.run("most", {GPU: GPUS - 1})
    site.create("waits", {GPU: 2})
    site.create("pushed", {GPU: 2}, nodeName=NAME)
    site.until_phase("pushed", "Failed")
    until(lambda: "FailedScheduling" in site.node.kubectl("get", "events"))
    site.kubectl("get", "pods", "-o", _PODS)
    site.kubectl("get", "events", "--field-selector", "involvedObject.name=waits", "-o", _EVENTS)
    site.kubectl("delete", "pod", "most", "pushed", "--grace-period", "0", "--force")
    site.until_phase("waits", "Running")
    site.delete("waits")


def test_a_kubelet_that_is_killed_finds_everything_again_and_pods_keep_what_they_have(site: Site) -> None:
    site.tell("== The kubelet is killed and started again, while the API server is away ==\n")
    site.run("stays", {GPU: 3})
    until(lambda: site.held() == {"default/stays/c0": 3})
    had, containers = site.gpus("stays"), site.status("stays")
    before = site.node.log("kubelet").count(_CAME)
    site.node.end("kube-apiserver")
    site.node.end("kubelet")
    site.node.start_kubelet()
    until(lambda: site.node.log("kubelet").count(_CAME) == before + 1)
    site.tell(f"registered {_seconds_until_registered(site):.2f} s after the kubelet has begun to listen\n")
    until(lambda: site.figure("accel_device_plugin_lists_total") >= 3)  # it was sent again to have it remembered
    assert site.held() == {"default/stays/c0": 3}
    site.accel("handle", "list", "--held")

    site.node.start_api_server()
    site.node.wait_for(GPU, allocatable=GPUS)
    assert (site.gpus("stays"), site.status("stays")) == (had, containers)
    site.run("more", {GPU: GPUS - 3})
    assert not set(site.gpus("more")) & set(had)
    until(lambda: site.held() == {"default/stays/c0": 3, "default/more/c0": GPUS - 3})
    site.delete("stays", "more")


def _seconds_until_registered(site: Site) -> float:
    """From the kubelet's last start to listen to the registration after it, by its log."""
    times = {}
    for line in site.node.log("kubelet").splitlines():
        for what in (_BEGAN, _CAME):
            if what in line and (found := _TIME.search(line)):
                times[what] = int(found[1]) * 3600 + int(found[2]) * 60 + float(found[3])
    return times[_CAME] - times[_BEGAN]


def test_a_plugin_that_is_killed_has_everything_again_and_pods_go_on(site: Site) -> None:
    site.tell("== The plugin is killed and started again ==\n")
    site.run("stays", {GPU: 3})
    had, containers = site.gpus("stays"), site.status("stays")
    site.node.end("plugin")
    site.node.wait_for(GPU, allocatable=0)
    site.show_counts()
    site.start_plugin()
    site.node.wait_for(GPU, allocatable=GPUS)
    site.show_counts()
    site.run("more", {GPU: GPUS - 3})
    assert (site.gpus("stays"), site.status("stays")) == (had, containers)
    assert not set(site.gpus("more")) & set(had)
    site.delete("stays", "more")


def test_a_kubelet_finds_the_plugin_in_its_registry(site: Site) -> None:
    site.tell("== The kubelet finds the plugin by itself, also when it is killed and started again ==\n")
    site.restart_plugin(plugins_registry=REGISTRY)
    site.node.wait_for(GPU, allocatable=GPUS)
    site.tell(site.node.run("ls", REGISTRY))
    site.run("stays", {GPU: 3})
    site.node.end("kubelet")
    site.node.start_kubelet()
    site.node.wait_for(GPU, allocatable=GPUS)
    assert len(site.gpus("stays")) == 3
    site.delete("stays")
    site.restart_plugin()
    site.node.wait_for(GPU, allocatable=GPUS)


def test_shares_of_a_gpu_go_to_several_containers(site: Site) -> None:
    site.tell("== Every GPU may be had by two containers, and none may have two shares ==\n")
    shared = f"{GPU}.shared"
    rule = {"name": GPU, "where": "type = GPU", "shares": 2, "renamed": True, "one_per_container": True}
    site.restart_plugin(resources=[rule])
    site.node.wait_for(shared, allocatable=2 * GPUS)
    site.run("one", {shared: 1}, {shared: 1})
    site.create("greedy", {shared: 2})
    site.until_phase("greedy", "Failed")
    site.kubectl("get", "pods", "-o", _PODS)
    site.delete("one", "greedy")


def test_a_gpu_is_reset_before_each_start_of_its_container(site: Site) -> None:
    site.tell("== Each GPU is reset before its container starts, and starts again ==\n")
    site.restart_plugin(resources=[{"name": GPU, "where": "type = GPU", "before_start": "reset"}])
    site.node.wait_for(GPU, allocatable=GPUS)
    site.run("reset", {GPU: 1})
    (address,) = site.gpus("reset")
    file = site.tree / f"sys/bus/pci/devices/{address}/reset"
    assert file.read_text() == "1"
    file.write_text("")
    site.node.end_container("reset")
    until(lambda: [(one["restartCount"], one["ready"]) for one in site.status("reset")] == [(1, True)])
    site.kubectl("get", "pod", "reset")
    assert (site.gpus("reset"), file.read_text()) == ([address], "1")
    site.delete("reset")
    site.restart_plugin()
    site.node.wait_for(GPU, allocatable=GPUS)


def test_pods_are_aligned_with_the_numa_nodes_that_the_plugin_names(site: Site) -> None:
    site.tell("== The topology manager wants all of a pod on one NUMA node ==\n")
    site.node.end("kubelet")
    site.node.start_kubelet(topologyManagerPolicy="single-numa-node")
    site.node.wait_for(GPU, allocatable=GPUS)
    nodes = {device["address"]: device["numa_node"] for device in site.ask("device", "list", "--long")}
    for name in ("first", "second"):
        site.run(name, {GPU: 3})
        assert len({nodes[address] for address in site.gpus(name)}) == 1
    site.create("too-wide", {GPU: 5}, nodeName=NAME)
    site.until_phase("too-wide", "Failed")
    site.kubectl("get", "pods", "-o", _PODS)
    site.delete("first", "second", "too-wide")


def test_the_library_of_the_container_device_interface_takes_what_the_plugin_writes(site: Site) -> None:
    site.tell("== podman reads the same files as a runtime of today does for a kubelet ==\n")
    policy, image = site.node.directory / "policy.json", site.node.directory / "image.tar"
    policy.write_text(json.dumps({"default": [{"type": "insecureAcceptAnything"}]}))
    loaded = site.node.podman("load", "--signature-policy", str(policy), "--input", str(image))
    assert loaded.returncode == 0, loaded.stderr
    devices = ("--device", "accel.io/gpu=pci-0000:0e:00.0", "--device", "accel.io/gpu=pci-0000:d2:00.0")
    run = ("run", "--rm", "--network", "host", "--entrypoint", "/bin/sh")
    done = site.node.podman(*run, *devices, IMAGE, "-c", "env | grep ACCEL | sort; ls /dev/dri")
    site.tell(f"$ podman run {' '.join(devices)} …\n{done.stdout}{done.stderr}")

    assert done.stdout.split() == [
        "ACCEL_GPU_PCI_0000_0E_00_0=0000:0e:00.0",
        "ACCEL_GPU_PCI_0000_D2_00_0=0000:d2:00.0",
        "renderD128",
        "renderD141",
    ]
