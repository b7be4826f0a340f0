"""A node of Kubernetes on this machine: the kubelet itself, with all that it wants around it.

Everything runs in namespaces of its own, where ``/var/lib``, ``/run``, ``/dev`` and the kernel's word on NUMA are
others: so it may use the paths that it always uses, and is gone as a whole.
"""

import json
import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from support.kubernetes_build import REPOSITORY, ROOT, search_path
from support.kubernetes_pods import IMAGE, write_image
from support.processes import free_port
from support.waiting import until

NAME = "gpu-node"
PATIENCE_SECONDS = 120
KUBELET = Path("/var/lib/kubelet")

_ENTER = REPOSITORY / "tests/data/kubelet/enter"
_CONTAINERD = f"""version = 2
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "{IMAGE}"
disable_tcp_service = true
restrict_oom_score_adj = true
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
container_annotations = ["cdi.k8s.io/*"]
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
BinaryName = "{ROOT}/usr/sbin/runc"
"""
_KUBELET: Mapping[str, Any] = {
    "apiVersion": "kubelet.config.k8s.io/v1beta1",
    "kind": "KubeletConfiguration",
    "cgroupsPerQOS": False,
    "enforceNodeAllocatable": [],
    "failSwapOn": False,
    "nodeStatusUpdateFrequency": "1s",
    "evictionHard": {"memory.available": "1Mi", "nodefs.available": "1Mi", "imagefs.available": "1Mi"},
    "authentication": {"anonymous": {"enabled": True}, "webhook": {"enabled": False}},
    "authorization": {"mode": "AlwaysAllow"},
}


@dataclass
class Node:
    """The machine that the kubelet sees.

    :param directory: of everything
    :param init: its first process
    """

    directory: Path
    init: int
    api_port: int = field(default_factory=free_port)
    etcd_port: int = field(default_factory=free_port)
    kubelet_port: int = field(default_factory=free_port)
    running: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)

    # --- processes ---

    def start(self, name: str, *command: str | Path, **environment: str) -> None:
        """Start a program on the node; what it says goes to a log of its name."""
        with (self.directory / f"{name}.log").open("ab") as log:
            self.running[name] = subprocess.Popen(
                [*self._joined(), *command], stdout=log, stderr=log, env=self._environment() | environment
            )

    def end(self, name: str, number: signal.Signals = signal.SIGKILL) -> int:
        """End a program by a signal; what it has ended with."""
        process = self.running.pop(name)
        for child in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split():
            os.kill(int(child), number)
        return process.wait()

    def run(self, *command: str | Path, **more: Any) -> str:
        """What a program prints on the node, which must end well."""
        done = subprocess.run(
            [*self._joined(), *command], capture_output=True, text=True, check=False, env=self._environment(), **more
        )
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout

    def log(self, name: str) -> str:
        """What a program has said; nothing where it has not been started yet."""
        path = self.directory / f"{name}.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def _joined(self) -> Sequence[str]:
        return ["nsenter", "--mount", "--pid", "--target", str(self.init), "--"]

    def _environment(self) -> dict[str, str]:
        return os.environ | {"PATH": search_path(), "KUBECONFIG": str(self.directory / "kubeconfig")}

    # --- Kubernetes ---

    def start_cluster(self, extender: str) -> None:
        """Everything but the kubelet.

        :param extender: where the scheduler asks for nodes
        """
        at = self.directory
        self.start("etcd", "etcd", *_etcd(at, self.etcd_port))
        subprocess.run(["openssl", "genrsa", "-out", at / "account.key", "2048"], check=True, capture_output=True)
        (at / "tokens").write_text("admin-token,admin,admin,system:masters\n")
        (at / "kubeconfig").write_text(json.dumps(_kubeconfig(self.api_port)))  # which is YAML too
        self.start_api_server()
        (at / "containerd.toml").write_text(_CONTAINERD)
        self.start("containerd", "containerd", "--config", at / "containerd.toml")
        until(lambda: "successfully booted" in self.log("containerd"))
        write_image(at / "image.tar")
        self.run("ctr", "--namespace", "k8s.io", "images", "import", at / "image.tar")
        (at / "scheduler.yaml").write_text(json.dumps(_scheduler(at / "kubeconfig", extender)))
        ports = ("--port", "0", "--secure-port", str(free_port()), "--bind-address", "127.0.0.1")
        self.start("kube-scheduler", "kube-scheduler", "--config", at / "scheduler.yaml", *ports)

    def start_api_server(self) -> None:
        """Start it; when this returns, it answers."""
        self.start("kube-apiserver", "kube-apiserver", *_api_server(self.directory, self.api_port, self.etcd_port))
        until(lambda: self._answers("get", "namespace", "default"), patience_seconds=PATIENCE_SECONDS)

    def start_kubelet(self, **configuration: Any) -> None:
        """Start the kubelet; when this returns, it takes registrations.

        :param configuration: in place of what is usual, as its file has it
        """
        said = {**_KUBELET, "port": self.kubelet_port, "healthzPort": 0, **configuration}
        (self.directory / "kubelet.yaml").write_text(json.dumps(said))
        runtime = ("--container-runtime", "remote", "--container-runtime-endpoint")
        options = (*runtime, "unix:///run/containerd/containerd.sock", "--pod-infra-container-image", IMAGE)
        files = ("--config", self.directory / "kubelet.yaml", "--kubeconfig", self.directory / "kubeconfig")
        before = self.log("kubelet").count(_SERVES)
        self.start("kubelet", "kubelet", *files, "--hostname-override", NAME, *options, "-v", "4")
        until(lambda: self.log("kubelet").count(_SERVES) > before, patience_seconds=PATIENCE_SECONDS)

    def kubectl(self, *words: str, given: Any = None) -> str:
        """What ``kubectl`` prints.

        :param given: what it reads
        """
        return self.run("kubectl", *words, input=None if given is None else json.dumps(given))

    def get(self, *words: str) -> Any:
        """What ``kubectl get`` answers."""
        return json.loads(self.kubectl("get", *words, "-o", "json"))

    def _answers(self, *words: str) -> bool:
        command = [*self._joined(), "kubectl", *words]
        return subprocess.run(command, env=self._environment(), capture_output=True, check=False).returncode == 0

    def spec(self, pod: str) -> Any:
        """What containerd made the first container of a pod of, by OCI's runtime specification."""
        return json.loads(self.run("ctr", "--namespace", "k8s.io", "containers", "info", self._container(pod)))["Spec"]

    def end_container(self, pod: str) -> None:
        """Have the first container of a pod end; the kubelet starts another one."""
        self.run("ctr", "--namespace", "k8s.io", "tasks", "kill", "--signal", "SIGTERM", self._container(pod))

    def _container(self, pod: str) -> str:
        (status, *_) = self.get("pod", pod)["status"]["containerStatuses"]
        return str(status["containerID"]).removeprefix("containerd://")

    def podman(self, *words: str) -> "subprocess.CompletedProcess[str]":
        """What ``podman`` says, which makes containers without a kubelet, and knows the Container Device Interface."""
        places = ("--root", "/var/lib/pods", "--runroot", "/run/pods", "--conmon", ROOT / "usr/bin/conmon")
        how = ("--runtime", ROOT / "usr/sbin/runc", "--cgroup-manager", "cgroupfs", "--events-backend", "none")
        libraries = {"LD_LIBRARY_PATH": str(ROOT / "usr/lib/x86_64-linux-gnu"), "CONTAINERS_CONF": os.devnull}
        command = [*self._joined(), "podman", *places, *how, *words]
        return subprocess.run(command, env=self._environment() | libraries, capture_output=True, text=True, check=False)

    def counts(self, resource: str) -> tuple[int, int]:
        """How much of a resource the node has, and how much of it can be given to pods."""
        status = self.get("node", NAME)["status"]
        return _number(status["capacity"].get(resource)), _number(status["allocatable"].get(resource))

    def wait_for(self, resource: str, *, allocatable: int) -> None:
        """Return when so much of a resource can be given to pods."""
        until(lambda: self.counts(resource)[1] == allocatable, patience_seconds=PATIENCE_SECONDS)


_SERVES = "Serving device plugin registration server"


@contextmanager
def node(directory: Path, *, numa_nodes: int, graphics: int) -> Iterator[Node]:
    """A machine of its own that nothing runs on yet; at the end of the block all is gone that runs there.

    :param numa_nodes: how many of them it seems to have
    :param graphics: how many nodes there are below ``/dev/dri``
    """
    command = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--propagation", "private"]
    with subprocess.Popen([*command, _ENTER, directory, str(numa_nodes), str(graphics)]) as outer:
        try:
            until((directory / "ready").exists)
            (init,) = Path(f"/proc/{outer.pid}/task/{outer.pid}/children").read_text().split()
            made = Node(directory, int(init))
            yield made
        finally:
            outer.kill()
            for process in made.running.values():
                process.wait()
            _remove_cgroups()


def _remove_cgroups() -> None:
    """Those that containers were in: they outlive them."""
    for name in ("k8s.io", "libpod_parent"):
        for parent in Path("/sys/fs/cgroup").glob(f"*/{name}"):
            for group in sorted((parent, *(one for one in parent.rglob("*") if one.is_dir())), reverse=True):
                until(partial(_is_removed, group))


def _is_removed(group: Path) -> bool:
    try:
        group.rmdir()
    except FileNotFoundError:
        return True
    except OSError:  # its processes are ending
        return False
    return True


def _number(quantity: str | None) -> int:
    """A whole number as Kubernetes writes it; -1 where there is none."""
    return -1 if quantity is None else int(quantity.replace("k", "000"))


# --- what the programs are told ---


def _etcd(at: Path, port: int) -> Sequence[str | Path]:
    url, peers = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{free_port()}"
    clients = ("--listen-client-urls", url, "--advertise-client-urls", url)
    others = ("--listen-peer-urls", peers, "--initial-advertise-peer-urls", peers, "--initial-cluster")
    return ("--data-dir", at / "etcd", *clients, *others, f"default={peers}", "--logger", "zap")


def _api_server(at: Path, port: int, etcd_port: int) -> Sequence[str | Path]:
    accounts = ("--service-account-issuer", "https://accel.test", "--service-account-key-file", at / "account.key")
    signing = ("--service-account-signing-key-file", at / "account.key", "--token-auth-file", at / "tokens")
    serving = ("--bind-address", "127.0.0.1", "--secure-port", str(port), "--cert-dir", at / "certificates")
    off = ("--disable-admission-plugins", "ServiceAccount,TaintNodesByCondition")  # nobody is there to do their part
    to_kubelet = ("--kubelet-preferred-address-types", "InternalIP")
    return ("--etcd-servers", f"http://127.0.0.1:{etcd_port}", *serving, *accounts, *signing, *off, *to_kubelet)


def _kubeconfig(port: int) -> Mapping[str, Any]:
    server = {"server": f"https://127.0.0.1:{port}", "insecure-skip-tls-verify": True}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "test", "cluster": server}],
        "users": [{"name": "admin", "user": {"token": "admin-token"}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "admin"}}],
        "current-context": "test",
    }


def _scheduler(kubeconfig: Path, extender: str) -> Mapping[str, Any]:
    return {
        "apiVersion": "kubescheduler.config.k8s.io/v1beta1",
        "kind": "KubeSchedulerConfiguration",
        "clientConnection": {"kubeconfig": str(kubeconfig)},
        "leaderElection": {"leaderElect": False},
        "extenders": [
            {
                "urlPrefix": extender,
                "filterVerb": "filter",
                "prioritizeVerb": "prioritize",
                "weight": 5,
                "nodeCacheCapable": True,
                "managedResources": [{"name": "accel.io/gpu"}],
            }
        ],
    }
