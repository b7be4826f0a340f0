"""What pods ask for: limits of containers, annotations, and what resources are said to mean."""

from collections.abc import Mapping
from typing import Any

import pytest

from accel.errors import InvalidValue
from accel.placement.comparison import read_comparison
from accel.placement.pod import Meaning, question, read_meanings, read_pod
from accel.placement.reading import of_profile
from accel.placement.wanted import Nearness, Together, Wanted

GPU = "nvidia.com/gpu"
MEANINGS = read_meanings(
    [
        "nvidia.com/gpu: type = GPU, vendor = 10de",
        "xilinx.com/fpga: resource_class = FPGA",
        "example.org/gold: profile = gold",
    ]
)
GPU_MEANING = MEANINGS[GPU]


def container(limits: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    return {"name": "work", "image": "example.org/work", "resources": {"limits": limits}, **more}


def pod(
    *containers: dict[str, Any], init: tuple[dict[str, Any], ...] = (), annotations: Mapping[str, str] | None = None
) -> dict[str, Any]:
    metadata = {"name": "train-0", "namespace": "vision", **({"annotations": dict(annotations)} if annotations else {})}
    return {"metadata": metadata, "spec": {"initContainers": list(init), "containers": list(containers)}}


def wanted(pod: Mapping[str, Any], **profiles: Wanted) -> Wanted:
    return question(read_pod(pod, MEANINGS), profiles)


def amount(pod: Mapping[str, Any]) -> int:
    return read_pod(pod, MEANINGS).amounts.get(GPU_MEANING, 0)


@pytest.mark.parametrize(
    "manifest",
    [
        {},
        {"metadata": None, "spec": None},
        {"metadata": {"annotations": None}, "spec": {"containers": None, "initContainers": None}},
        pod(container({"cpu": "500m", "memory": "2Gi", "example.org/other": "1"})),
        pod({"name": "plain", "resources": {}}),
        pod(container({GPU: "0"})),
        pod(container({"cpu": "1"}), annotations={"accel.io/near": "numa", "accel.io/where": "memory >= 40GiB"}),
    ],
)
def test_a_pod_without_accelerators_asks_for_nothing(manifest: dict[str, Any]) -> None:
    assert not read_pod(manifest, MEANINGS)


def test_what_a_resource_means_is_what_each_of_it_must_be() -> None:
    (group,) = wanted(pod(container({GPU: "4", "cpu": "8"}))).groups

    assert (group.count, group.resource_class) == (4, None)
    assert group.comparisons == (read_comparison("type = GPU"), read_comparison("vendor = 10de"))


def test_a_resource_can_mean_a_resource_class() -> None:
    (group,) = wanted(pod(container({"xilinx.com/fpga": 1}))).groups

    assert (group.count, group.resource_class, group.comparisons) == (1, "FPGA", ())


@pytest.mark.parametrize("name", ["accel.io/gold", "example.org/gold"])
def test_a_resource_is_a_device_profile_by_its_name_or_as_configured(name: str) -> None:
    gold = of_profile(({"resources:PGPU": "2", "accel:near": "linked"},))
    (group,) = wanted(pod(container({name: "3"})), gold=gold).groups

    assert (group.count, group.resource_class, group.near) == (6, "PGPU", Nearness.LINKED)


def test_containers_that_run_at_the_same_time_are_added_up() -> None:
    assert amount(pod(container({GPU: "2"}), container({GPU: "1"}))) == 3


def test_init_containers_use_what_the_others_will_use() -> None:
    assert amount(pod(container({GPU: "2"}), init=(container({GPU: "1"}), container({GPU: "3"})))) == 3
    assert amount(pod(container({GPU: "4"}), init=(container({GPU: "3"}),))) == 4


def test_init_containers_that_are_restarted_always_keep_what_they_have() -> None:
    sidecar = container({GPU: "1"}, restartPolicy="Always")
    assert amount(pod(container({GPU: "2"}), init=(sidecar,))) == 3
    assert amount(pod(container({GPU: "2"}), init=(sidecar, container({GPU: "4"})))) == 5
    assert amount(pod(container({GPU: "2"}), init=(container({GPU: "3"}), sidecar))) == 3


def test_kubernetes_writes_a_thousand_as_1k() -> None:
    assert amount(pod(container({GPU: "1k"}))) == 1000


def test_an_annotated_profile_says_all_whatever_the_limits_say() -> None:
    gold = of_profile(({"resources:PGPU": "4"},))
    (group,) = wanted(pod(container({GPU: "1"}), annotations={"accel.io/profile": "gold"}), gold=gold).groups

    assert (group.count, group.resource_class) == (4, "PGPU")


def test_annotations_hold_for_every_accelerator_of_the_pod() -> None:
    annotations = {"accel.io/near": "numa", "accel.io/where": "memory >= 40GiB, model ~ H100"}
    found = wanted(pod(container({GPU: "2", "xilinx.com/fpga": "1"}), annotations=annotations))

    assert [group.near for group in found.groups] == [Nearness.NUMA] * 2
    assert all(
        group.comparisons[-2:] == (read_comparison("memory >= 40GiB"), read_comparison("model ~ H100"))
        for group in found.groups
    )
    assert found.together == (Together(groups=(0, 1), near=Nearness.NUMA),)


def test_what_profiles_tie_together_stays_tied_beside_other_groups() -> None:
    both = of_profile(({"resources:PGPU": "1", "resources:FPGA": "1", "accel:near": "switch"},))
    found = wanted(pod(container({GPU: "1", "accel.io/both": "1"})), both=both)

    assert [group.number for group in found.groups] == [0, 1, 2]
    assert found.together == (Together(groups=(1, 2), near=Nearness.SWITCH),)


@pytest.mark.parametrize(
    ("manifest", "said"),
    [
        (pod(container({GPU: "500m"})), "limits[nvidia.com/gpu]: '500m' is not a whole number"),
        (
            pod(container({GPU: "1"}), annotations={"accel.io/near": "close"}),
            "accel.io/near: 'close' is not one of node, numa, switch, linked, device",
        ),
        (
            pod(container({GPU: "1"}), annotations={"accel.io/where": "memory"}),
            "accel.io/where: 'memory' is not a comparison such as",
        ),
    ],
)
def test_what_a_pod_says_wrongly_is_named(manifest: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidValue) as error:
        read_pod(manifest, MEANINGS)

    assert str(error.value).startswith(said)


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("nvidia.com/gpu", "resource: 'nvidia.com/gpu' is not the name of a resource, a colon and what it means"),
        ("gpu: type = GPU", "resource: 'gpu: type = GPU' is not the name of a resource, a colon"),
        ("nvidia.com/gpu:", "nvidia.com/gpu: '' is not a comparison such as"),
        ("nvidia.com/gpu: GPU", "nvidia.com/gpu: 'GPU' is not a comparison such as"),
        ("a.b/c: profile = gold, type = GPU", "a.b/c: 'profile = gold, type = GPU' is not right: profile stands alone"),
        ("a.b/c: resource_class ~ GPU", "a.b/c: 'resource_class ~ GPU' is not right: profile and resource_class take"),
    ],
)
def test_a_meaning_that_cannot_be_read_is_refused(entry: str, said: str) -> None:
    with pytest.raises(InvalidValue) as error:
        read_meanings([entry])

    assert str(error.value).startswith(said)


def test_a_resource_has_one_meaning() -> None:
    with pytest.raises(InvalidValue, match=r"resource: 'a\.b/c' is not said once only"):
        read_meanings(["a.b/c: type = GPU", "a.b/c: type = FPGA"])


def test_two_resources_of_one_meaning_are_added_up() -> None:
    meanings = read_meanings(["a.b/c: type = GPU", "a.b/d: type = GPU"])

    needs = read_pod(pod(container({"a.b/c": "1", "a.b/d": "2"})), meanings)

    assert needs.amounts == {Meaning(comparisons=(read_comparison("type = GPU"),)): 3}
