"""What runs agent and device plugin on the nodes of a cluster: the manifests, the chart, the image."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from accel.conf import load
from accel.kubernetes import config as plugin_config

ROOT = Path(__file__).parents[2]
BASE = ROOT / "etc/kubernetes/node"
CHART = ROOT / "etc/kubernetes/chart"
NAME, NAMESPACE = "accel-node", "accel-system"
HELM = Path(sys.executable).with_name("helm")
VERSIONS = ("1.28", "1.32", "1.37")

Manifest = Mapping[str, Any]


def kustomization() -> Manifest:
    made: Manifest = yaml.safe_load((BASE / "kustomization.yaml").read_text())
    return made


def base() -> list[Manifest]:
    """What the base says, as kustomize writes it: in the namespace that it names."""
    made = kustomization()
    documents = [
        one for name in made["resources"] for one in yaml.safe_load_all((BASE / name).read_text()) if one is not None
    ]
    for one in documents:
        if one["kind"] != "Namespace":
            one["metadata"]["namespace"] = made["namespace"]
    return documents


def chart(*values: str) -> list[Manifest]:
    """What the chart makes of values, such as ``labels.enabled=true``."""
    words = [word for value in values for word in ("--set", value)]
    done = subprocess.run(
        [HELM, "template", NAME, CHART, "--namespace", NAMESPACE, *words], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise ValueError(done.stderr)
    return [one for one in yaml.safe_load_all(done.stdout) if one is not None]


def one_of(kind: str, manifests: list[Manifest]) -> Any:
    [found] = [one for one in manifests if one["kind"] == kind]
    return found


def pod(manifests: list[Manifest]) -> Any:
    return one_of("DaemonSet", manifests)["spec"]["template"]["spec"]


def by_kind(manifests: list[Manifest]) -> Mapping[str, Manifest]:
    return {one["kind"]: one for one in manifests if one["kind"] != "Namespace"}


def mounts(container: Any) -> Mapping[str, bool]:
    """Where something is mounted, and whether it may be written."""
    return {one["mountPath"]: not one.get("readOnly", False) for one in container["volumeMounts"]}


# --- manifests and chart ---


def test_every_file_of_the_base_is_used() -> None:
    assert sorted(kustomization()["resources"]) == sorted(
        path.name for path in BASE.glob("*.yaml") if path.name != "kustomization.yaml"
    )


@pytest.mark.parametrize("version", VERSIONS)
def test_what_the_base_says_is_what_kubernetes_understands(version: str) -> None:
    for one in base():
        kubernetes_validate.validate(one, version, strict=True)


@pytest.mark.parametrize(
    "values",
    [
        (),
        ("labels.enabled=true", "networkPolicy=false", "metricsPort=9500"),
        ("runtimeClassName=nvidia", "agentEnvironment[0].name=NVIDIA_VISIBLE_DEVICES", "agentEnvironment[0].value=all"),
        ("kubeletDirectory=/var/lib/k0s/kubelet", "image.pullPolicy=Always", "image.pullSecrets[0].name=registry"),
        ("nodeSelector.gpu=present", "priorityClassName=", "agentConfiguration=[agent]\nrack = r1"),
    ],
)
def test_what_the_chart_makes_is_what_kubernetes_understands(values: tuple[str, ...]) -> None:
    for one in chart(*values):
        kubernetes_validate.validate(one, VERSIONS[-1], strict=True)


def test_the_chart_without_values_is_the_base() -> None:
    assert by_kind(chart()) == by_kind(base())


def test_the_chart_has_no_fault_that_helm_knows() -> None:
    done = subprocess.run([HELM, "lint", "--strict", CHART], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_a_value_that_is_misspelled_is_refused_by_its_name() -> None:
    with pytest.raises(ValueError, match="lables"):
        chart("lables.enabled=true")


def test_labels_are_written_where_node_feature_discovery_looks() -> None:
    made = chart("labels.enabled=true")
    [_, plugin] = pod(made)["containers"]
    said = plugin_config.read(yaml.safe_load(one_of("ConfigMap", made)["data"]["device-plugin.yaml"]))
    assert str(said.features_directory) in mounts(plugin)


def test_events_are_written_by_whoever_may_write_nothing_else_and_reaches_the_api_server() -> None:
    made = chart("events=true", "apiServerPorts={6443}")

    assert one_of("Role", made)["rules"] == [{"apiGroups": [""], "resources": ["events"], "verbs": ["create"]}]
    assert pod(made)["automountServiceAccountToken"] is True
    assert 6443 in [port["port"] for rule in one_of("NetworkPolicy", made)["spec"]["egress"] for port in rule["ports"]]
    assert yaml.safe_load(one_of("ConfigMap", made)["data"]["device-plugin.yaml"])["events"] is True


def test_a_kubelet_elsewhere_is_found_there() -> None:
    made = chart("kubeletDirectory=/var/lib/k0s/kubelet")
    [_, plugin] = pod(made)["containers"]
    said = plugin_config.read(yaml.safe_load(one_of("ConfigMap", made)["data"]["device-plugin.yaml"]))
    assert {str(said.kubelet_directory), str(said.pod_resources_socket.parent)} <= mounts(plugin).keys()  # type: ignore[union-attr]


# --- what they may ---


def test_they_may_no_more_than_they_need() -> None:
    spec = pod(base())
    assert not {"hostNetwork", "hostPID", "hostIPC"} & spec.keys()
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert spec["automountServiceAccountToken"] is False
    for container in spec["containers"]:
        context = container["securityContext"]
        assert context["capabilities"] == {"drop": ["ALL"]}
        assert (context["readOnlyRootFilesystem"], context["allowPrivilegeEscalation"]) == (True, False)
        assert "privileged" not in context
    [agent, plugin] = spec["containers"]
    assert agent["securityContext"]["runAsNonRoot"] is True
    host = {one["name"]: one["hostPath"]["path"] for one in spec["volumes"] if "hostPath" in one}
    written = {
        host[one["name"]]
        for container in (agent, plugin)
        for one in container["volumeMounts"]
        if one["name"] in host and not one.get("readOnly", False)
    }
    assert written == {"/var/lib/kubelet/device-plugins", "/var/run/cdi"}


def test_they_run_on_every_node_and_never_beside_their_successors() -> None:
    daemon_set = one_of("DaemonSet", base())["spec"]
    assert daemon_set["updateStrategy"]["rollingUpdate"]["maxSurge"] == 0
    spec = daemon_set["template"]["spec"]
    assert (spec["priorityClassName"], spec["tolerations"]) == ("system-node-critical", [{"operator": "Exists"}])
    assert not {"nodeSelector", "affinity"} & spec.keys()


def test_what_they_are_told_is_what_they_understand(tmp_path: Path) -> None:
    said = one_of("ConfigMap", base())["data"]
    file = tmp_path / "accel.conf"
    file.write_text(said["accel.conf"])
    conf = load([], prog="accel-agent", default_config_files=[str(file)])
    plugin = plugin_config.read(yaml.safe_load(said["device-plugin.yaml"]))
    assert conf.node_socket.path == str(plugin.node_socket)

    [agent_container, plugin_container] = pod(base())["containers"]
    assert conf.state_path in mounts(agent_container)
    assert str(plugin.node_socket.parent) in mounts(agent_container).keys() & mounts(plugin_container).keys()
    assert {str(plugin.kubelet_directory), str(plugin.cdi_directory)} <= mounts(plugin_container).keys()
    [port] = plugin_container["ports"]
    assert plugin.listen == f"0.0.0.0:{port['containerPort']}"


# --- the image ---


def copied() -> Iterator[Path]:
    """What the image is built from: the files that ``.containerignore`` leaves, of those that git knows."""
    known = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\n")
    kept = {line[1:] for line in (ROOT / ".containerignore").read_text().splitlines() if line.startswith("!")}
    return (Path(name) for name in known if name and Path(name).parts[0] in kept and (ROOT / name).is_file())


def test_the_image_is_built_from_what_it_copies(tmp_path: Path) -> None:
    for path in copied():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, tmp_path / path)
    wheels = tmp_path / "wheels"
    words = ["wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", str(wheels), str(tmp_path)]
    done = subprocess.run([sys.executable, "-m", "pip", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert [path.name for path in wheels.iterdir()] == ["accel-0.1.0-py3-none-any.whl"]


def test_the_image_runs_as_nobody_special_and_has_the_commands_of_the_manifests() -> None:
    lines = (ROOT / "Containerfile").read_text().splitlines()
    assert sum(line.startswith("FROM ") for line in lines) > 1
    [user] = [line.removeprefix("USER ") for line in lines if line.startswith("USER ")]
    [agent, plugin] = pod(base())["containers"]
    context = agent["securityContext"]
    assert user == f"{context['runAsUser']}:{context['runAsGroup']}"
    commands = re.findall(r"^\s+(accel-\S+) = ", (ROOT / "setup.cfg").read_text(), flags=re.MULTILINE)
    assert {agent["command"][0], plugin["command"][0]} <= set(commands)
