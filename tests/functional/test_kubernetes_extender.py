"""The questions of a kube-scheduler, in the JSON that it sends, against the real API and database."""

import copy
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.api import Client, client, fault
from support.databases import counted_statements
from support.served_fleet import ServedFleet, served_fleet

from accel import conf
from accel.errors import ConfigurationError

POD = json.loads((Path(__file__).parents[1] / "data" / "kubernetes" / "pod.json").read_text())
SAMPLE = Path(__file__).parents[2] / "etc" / "kubernetes" / "kube-scheduler.yaml"
FLEET = """
nodes:
  - name: pairs
    cards:
      - {model: A100-SXM4-80GB, count: 4, links: pairs}
  - name: single
    cards:
      - {model: H100-PCIE-80GB, count: 1}
  - name: worn
    cards:
      - {model: A100-SXM4-80GB, count: 2, links: pairs}
  - name: drives
    cards:
      - {model: NVMe-3.84TB, count: 2}
faults:
  - {node: worn, card: 0, state: unhealthy, reason: ECC errors}
"""
NAMES = ["pairs", "single", "worn", "drives", "nosuch"]
NO_GPU = "has no device that will do: the nearest has type NVME"
NOT_KNOWN = "is not a node that accel knows"


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedFleet]:
    directory = tmp_path_factory.mktemp("fleet")
    with served_fleet(directory) as fleet:
        fleet.report_fleet(FLEET, directory)
        profiles = [
            {"name": "linked", "groups": [{"resources:PGPU": "4", "accel:near": "linked"}]},
            {"name": "pair", "groups": [{"resources:PGPU": "2", "accel:near": "linked"}]},
        ]
        for profile in profiles:
            answer = client(fleet.database).send(
                "POST", "/v2/device_profiles", [profile], **{"OpenStack-API-Version": "accelerator 2.4"}
            )
            assert answer.status_int == 201, answer.text
        yield fleet


@pytest.fixture
def api(fleet: ServedFleet) -> Client:
    return client(fleet.database)


def pod(gpus: int | None = None, limits: Mapping[str, str] | None = None, **annotations: str) -> dict[str, Any]:
    """The pod with other limits, and with annotations of ours."""
    manifest: dict[str, Any] = copy.deepcopy(POD)
    if gpus is not None or limits is not None:
        manifest["spec"]["containers"][0]["resources"]["limits"] = limits or {"nvidia.com/gpu": str(gpus)}
    manifest["metadata"]["annotations"] |= {f"accel.io/{key}": text for key, text in annotations.items()}
    return manifest


def by_name(manifest: Mapping[str, Any], names: Sequence[str] = NAMES) -> dict[str, Any]:
    """The question as a scheduler with nodeCacheCapable asks it."""
    return {"Pod": manifest, "Nodes": None, "NodeNames": list(names)}


def node(name: str) -> dict[str, Any]:
    labels = {"kubernetes.io/hostname": name, "kubernetes.io/arch": "amd64"}
    return {"metadata": {"name": name, "labels": labels}, "spec": {}, "status": {"capacity": {"cpu": "64"}}}


def in_full(manifest: Mapping[str, Any], names: Sequence[str] = NAMES) -> dict[str, Any]:
    """The question as a scheduler without nodeCacheCapable asks it."""
    return {"Pod": manifest, "Nodes": {"metadata": {}, "items": list(map(node, names)) or None}, "NodeNames": None}


def ask(api: Client, verb: str, question: object) -> Any:
    answer = api.send("POST", f"/v2/kubernetes/{verb}", question)
    assert answer.status_int == 200, answer.text
    return answer.json


def test_nodes_with_room_are_left_and_each_other_one_has_its_reason(api: Client) -> None:
    assert ask(api, "filter", by_name(POD)) == {
        "Nodes": None,
        "NodeNames": ["pairs"],
        "FailedNodes": {},
        "FailedAndUnresolvableNodes": {
            "single": "has 1 of the 2 GPU that are wanted",
            "worn": "has 1 usable of the 2 GPU that are wanted: 1 unhealthy",
            "drives": NO_GPU,
            "nosuch": NOT_KNOWN,
        },
        "Error": "",
    }


def test_a_scheduler_that_sends_nodes_in_full_gets_them_back_as_they_were(api: Client) -> None:
    question, answer = in_full(POD), ask(api, "filter", in_full(POD))

    assert answer["Nodes"] == {"metadata": {}, "items": [question["Nodes"]["items"][0]]}
    assert answer["NodeNames"] is None
    assert answer["FailedAndUnresolvableNodes"] == ask(api, "filter", by_name(POD))["FailedAndUnresolvableNodes"]


def test_what_is_held_may_come_free_by_preempting_pods(api: Client) -> None:
    claim = {"groups": [{"count": 3, "where": ["type = GPU"]}]}
    made = api.send("POST", "/v2/placements/claims", claim, **{"OpenStack-API-Version": "accelerator 2.4"})
    assert made.status_int == 201, made.text
    try:
        answer = ask(api, "filter", by_name(POD))
    finally:
        path = f"/v2/placements/claims/{made.json['uuid']}"
        api.request("DELETE", path, headers={"OpenStack-API-Version": "accelerator 2.4"})

    assert answer["NodeNames"] == []
    assert answer["FailedNodes"] == {"pairs": "has 1 free of the 2 GPU that are wanted"}
    assert ask(api, "filter", by_name(POD))["NodeNames"] == ["pairs"]


@pytest.mark.parametrize(
    ("manifest", "left"),
    [
        pytest.param(pod(1), ["pairs", "single", "worn"], id="any GPU of the vendor"),
        pytest.param(pod(1, where="model ~ H100"), ["single"], id="a model"),
        pytest.param(pod(1, where="memory >= 100GiB"), [], id="more memory than there is"),
        pytest.param(pod(2, near="linked"), ["pairs"], id="two that are linked"),
        pytest.param(pod(4, near="linked"), [], id="four that are linked"),
        pytest.param(pod(limits={"amd.com/gpu": "1"}), [], id="another vendor"),
        pytest.param(pod(limits={"accel.io/nvme": "2"}), ["drives"], id="another type"),
        pytest.param(pod(limits={"accel.io/pair": "1"}), ["pairs"], id="a profile as a resource"),
        pytest.param(pod(limits={"cpu": "1"}, profile="pair"), ["pairs"], id="a profile as an annotation"),
        pytest.param(pod(1, profile="linked"), [], id="a profile in place of limits"),
    ],
)
def test_limits_and_annotations_say_what_a_pod_needs(manifest: dict[str, Any], left: list[str], api: Client) -> None:
    assert ask(api, "filter", by_name(manifest))["NodeNames"] == left


@pytest.mark.parametrize("form", [by_name, in_full])
def test_a_pod_that_asks_for_nothing_of_ours_passes_everywhere(form: Any, api: Client) -> None:
    question = form(pod(limits={"cpu": "2", "example.org/else": "1"}))

    answer = ask(api, "filter", question)

    assert (answer["Nodes"], answer["NodeNames"]) == (question["Nodes"], question["NodeNames"])
    assert not answer["FailedNodes"]
    assert not answer["FailedAndUnresolvableNodes"]
    assert {entry["Score"] for entry in ask(api, "prioritize", question)} == {0}


@pytest.mark.parametrize(
    ("manifest", "reason"),
    [
        (pod(1, near="close"), "accel.io/near: 'close' is not one of node, numa, switch, linked, device"),
        (pod(1, where="memory > much"), "accel.io/where: 'memory > much' is not a number behind >"),
        (pod(limits={"nvidia.com/gpu": "500m"}), "limits[nvidia.com/gpu]: '500m' is not a whole number"),
        (pod(limits={"accel.io/nosuch": "1"}), "Device profile not found: nosuch"),
        (pod(1, profile="no\0such"), "accel.io/profile: 'no\\x00such' is not the name of a device profile"),
    ],
)
def test_a_mistake_in_a_pod_is_no_error_but_fits_nowhere_and_says_why(
    manifest: dict[str, Any], reason: str, api: Client
) -> None:
    answer = ask(api, "filter", by_name(manifest))

    assert answer["NodeNames"] == []
    assert answer["Error"] == ""
    assert set(answer["FailedAndUnresolvableNodes"]) == set(NAMES)
    assert all(text.startswith(reason) for text in answer["FailedAndUnresolvableNodes"].values())
    assert {entry["Score"] for entry in ask(api, "prioritize", by_name(manifest))} == {0}


@pytest.mark.parametrize("form", [by_name, in_full])
def test_the_best_of_the_nodes_gets_ten_points_the_least_and_those_without_room_none(form: Any, api: Client) -> None:
    points = {entry["Host"]: entry["Score"] for entry in ask(api, "prioritize", form(pod(1)))}

    assert list(points) == NAMES
    assert max(points.values()) == 10
    assert min(points[name] for name in ("pairs", "single", "worn")) == 0
    assert (points["drives"], points["nosuch"]) == (0, 0)


@pytest.mark.parametrize("form", [by_name, in_full])
def test_a_question_about_no_node_has_an_answer(form: Any, api: Client) -> None:
    answer = ask(api, "filter", form(POD, []))

    assert (answer["NodeNames"] or []) == ((answer["Nodes"] or {}).get("items") or []) == []
    assert ask(api, "prioritize", form(POD, [])) == []


def test_thousands_of_names_cost_as_many_statements_as_one(fleet: ServedFleet, api: Client) -> None:
    ask(api, "filter", by_name(POD, ["pairs"]))
    costs = []
    for names in (["pairs"], ["pairs", "worn"] * 2500):
        with counted_statements(fleet.database) as statements:
            ask(api, "filter", by_name(pod(limits={"accel.io/pair": "1"}), names))
        costs.append(len(statements))

    assert costs[0] == costs[1] <= 3


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"NodeNames": []}, "'Pod' is a required property"),
        ({"Pod": [], "NodeNames": []}, "body.Pod"),
        ({"Pod": {"spec": {"containers": {}}}, "NodeNames": []}, "body.Pod.spec.containers"),
        ({"Pod": {}, "NodeNames": ["a", 1]}, "body.NodeNames[1]"),
        ({"Pod": {}, "Nodes": {"items": [{"metadata": {}}]}}, "body.Nodes.items[0].metadata"),
    ],
)
def test_what_no_scheduler_sends_is_refused(body: object, said: str, api: Client) -> None:
    answer = api.send("POST", "/v2/kubernetes/filter", body)

    assert answer.status_int == 400
    assert said in fault(answer)


def test_what_resources_mean_is_configured(fleet: ServedFleet, tmp_path: Path) -> None:
    config = tmp_path / "accel.conf"
    lines = ["[kubernetes]", "resource = example.org/two: profile = pair", "resource = example.org/nvme: type = NVME"]
    config.write_text("\n".join(lines))
    api = client(fleet.database, "--config-file", str(config))

    assert ask(api, "filter", by_name(pod(limits={"example.org/two": "1"})))["NodeNames"] == ["pairs"]
    assert ask(api, "filter", by_name(pod(limits={"example.org/nvme": "1"})))["NodeNames"] == ["drives"]
    assert ask(api, "filter", by_name(POD))["NodeNames"] == NAMES


def test_a_service_does_not_start_with_a_resource_that_means_nothing(fleet: ServedFleet, tmp_path: Path) -> None:
    config = tmp_path / "accel.conf"
    config.write_text("[kubernetes]\nresource = nvidia.com/gpu\n")

    with pytest.raises(ConfigurationError, match=r"\[kubernetes\] resource: 'nvidia.com/gpu' is not the name of a"):
        client(fleet.database, "--config-file", str(config))


def test_the_sample_for_a_scheduler_asks_about_all_resources_that_mean_something_to_us() -> None:
    (extender,) = yaml.safe_load(SAMPLE.read_text())["extenders"]
    known = conf.load([], prog="accel-api", default_config_files=[]).kubernetes.resource

    assert [entry["name"] for entry in extender["managedResources"]] == [text.partition(":")[0] for text in known]
    assert (extender["filterVerb"], extender["prioritizeVerb"]) == ("filter", "prioritize")
    assert extender["urlPrefix"].endswith("/v2/kubernetes")
