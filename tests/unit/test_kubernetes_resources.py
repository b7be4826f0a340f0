"""Which units are which resource, and what the plugin's file may say."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.offered import card, cut, handle_of

from accel.errors import ConfigurationError, InvalidValue
from accel.kubernetes import config
from accel.kubernetes.resources import Resources, resources_of
from accel.kubernetes.units import Unit, units_of
from accel.model.address import PciAddress
from accel.model.device import (
    AttachHandle,
    Attribute,
    Deployable,
    DeployableKind,
    Device,
    DeviceType,
    HandleType,
    pci_handle,
)
from accel.model.offer import HandleState, Holder, Offer
from accel.testing.kubelet.names import is_extended_resource

_INTEL = {"vendor": "8086", "product": "56c0", "model": "Intel Data Center GPU Flex 170", "kernel_driver": "i915"}
_AMD = {"vendor": "1002", "model": "AMD Instinct MI300X"}


def offer(*devices: Device, states: Mapping[str, HandleState] | None = None) -> Offer:
    return Offer(node="node-1", boot_id="boot-1", revision=1, devices=devices, states=states or {})


def units(*devices: Device, in_parts: frozenset[DeployableKind] = frozenset()) -> tuple[Unit, ...]:
    return units_of(offer(*devices), in_parts=in_parts)


def resources(said: Mapping[str, Any], *devices: Device) -> Resources:
    told = config.read(said)
    return resources_of(units(*devices, in_parts=told.parts), told.all_rules, told.mig)


def counts(said: Mapping[str, Any], *devices: Device) -> dict[str, int]:
    return {name: len(list(one.portions())) for name, one in resources(said, *devices).by_name.items()}


def with_functions(device: Device, count: int) -> Device:
    """The card, cut into virtual functions."""
    (whole,) = device.deployables
    assert device.address is not None
    functions = tuple(pci_handle(replace(device.address, function=number)) for number in range(1, count + 1))
    pool = Deployable(
        name=f"{whole.name}_vfs",
        kind=DeployableKind.VF_POOL,
        parent=whole.name,
        num_accelerators=count,
        handles=functions,
    )
    return replace(device, deployables=(replace(whole, handles=(), num_accelerators=0), pool))


def with_parts(device: Device, kind: DeployableKind, *facts: Mapping[str, str]) -> Device:
    """The card, with parts that are not handed out one by one."""
    (whole,) = device.deployables
    parts = tuple(
        Deployable(
            name=f"{whole.name}_{kind}{number}",
            kind=kind,
            parent=whole.name,
            num_accelerators=0,
            attributes=tuple(Attribute(key=key, value=value) for key, value in each.items()),
        )
        for number, each in enumerate(facts)
    )
    return replace(device, deployables=(whole, *parts))


# --- names ---


@pytest.mark.parametrize(
    ("names", "device", "expected"),
    [
        ("accel", card(1), "accel.io/gpu"),
        ("vendor", card(1), "nvidia.com/gpu"),
        ("model", card(1), "accel.io/nvidia-h100-80gb-hbm3"),
        ("vendor", card(1, **_AMD), "amd.com/gpu"),
        ("vendor", card(1, **_INTEL), "gpu.intel.com/i915"),
        ("accel", card(1, type=DeviceType.AICHIP), "accel.io/aichip"),
        ("vendor", card(1, type=DeviceType.AICHIP, vendor="1da3"), "habana.ai/gaudi"),
        ("accel", with_functions(card(1), 2), "accel.io/gpu-vf"),
        ("accel", with_functions(card(1, type=DeviceType.NVME), 2), "accel.io/nvme-vf"),
        ("accel", cut(card(1), "1g.10gb+me"), "accel.io/mig-1g.10gb-me"),
        ("vendor", cut(card(1), "1g.10gb"), "nvidia.com/mig-1g.10gb"),
    ],
)
def test_sets_of_names_that_come_with_us(names: str, device: Device, expected: str) -> None:
    assert list(counts({"names": names}, device)) == [expected]
    assert is_extended_resource(expected)


def test_the_first_rule_that_is_true_of_a_unit_names_it() -> None:
    said = {
        "resources": [
            {"name": "example.org/first", "where": "device = GPU-0001"},
            {"name": "example.org/second", "where": "type = GPU"},
        ]
    }

    assert counts(said, card(1), card(2), card(3)) == {"example.org/first": 1, "example.org/second": 2}


def test_a_model_with_a_long_name_makes_a_name_that_a_kubelet_takes() -> None:
    found = counts({"names": "model"}, card(1, model="A card with a name " * 10), card(2, model="§§§"))

    assert all(map(is_extended_resource, found))
    assert "accel.io/unknown" in found


@pytest.mark.parametrize(
    "name",
    [
        "gpu",
        "Example.com/gpu",
        "example.com/a:b",
        "kubernetes.io/gpu",
        "requests.example.com/gpu",
        "a/" + "x" * 64,
        "/x",
    ],
)
def test_a_name_that_no_kubelet_takes_is_a_mistake_of_the_file(name: str) -> None:
    with pytest.raises(InvalidValue, match=r"resources\[0\]\.name.*the name of an extended resource"):
        config.read({"resources": [{"name": name}]})


@pytest.mark.parametrize("name", ["example.com/GPU_A.b-c", "example/gpu", "accel.io/{model}", "a/" + "x" * 63])
def test_a_name_that_kubelets_take_is_taken(name: str) -> None:
    assert config.read({"resources": [{"name": name}]}).rules[0].name == name


# --- MIG ---


def test_mixed_makes_a_resource_of_each_profile_beside_the_whole_gpus() -> None:
    found = counts({"mig": "mixed"}, card(1), cut(card(2), "1g.10gb", "1g.10gb", "3g.40gb"))

    assert found == {"accel.io/gpu": 1, "accel.io/mig-1g.10gb": 2, "accel.io/mig-3g.40gb": 1}


def test_none_offers_no_instances() -> None:
    assert counts({"mig": "none"}, card(1), cut(card(2), "1g.10gb")) == {"accel.io/gpu": 1}


def test_single_offers_instances_of_one_profile_as_gpus() -> None:
    said = {"mig": "single", "names": "vendor"}

    assert counts(said, *[cut(card(number), *["1g.10gb"] * 7) for number in (1, 2)]) == {"nvidia.com/gpu": 14}


@pytest.mark.parametrize(
    "devices", [(cut(card(1), "1g.10gb", "3g.40gb"),), (cut(card(1), "1g.10gb"), card(2))], ids=["profiles", "whole"]
)
def test_single_on_a_node_that_is_cut_otherwise_offers_no_instance_and_says_why(devices: tuple[Device, ...]) -> None:
    found = resources({"mig": "single"}, *devices)

    assert not any(unit.part.kind is DeployableKind.MIG for one in found.by_name.values() for unit in one.units)
    assert "mig: single wants all GPUs of the node" in found.problems[0]


# --- parts ---


def test_an_fpga_is_offered_whole_or_in_its_regions_by_what_is_loaded() -> None:
    facts = ({"afu_id": "d8424dc4a4a3c413f89e433683f9040b", "device_node": "/dev/dfl-port.0"}, {"interface_id": "1f"})
    fpga = with_parts(card(1, type=DeviceType.FPGA, vendor="8086"), DeployableKind.REGION, *facts)

    assert counts({}, fpga) == {"accel.io/fpga": 1}
    assert counts({"parts": ["region"]}, fpga) == {
        "accel.io/fpga-function-d8424dc4a4a3c413f89e433683f9040b": 1,
        "accel.io/fpga-region": 1,
    }


def test_who_has_a_part_of_a_card_has_the_handle_of_the_card() -> None:
    drive = with_parts(
        card(1, type=DeviceType.NVME, vendor="144d"), DeployableKind.NAMESPACE, {"device_node": "/dev/nvme0n1"}
    )

    (unit,) = units(drive, in_parts=frozenset({DeployableKind.NAMESPACE}))

    assert unit.handles == (handle_of(drive),)
    assert unit.nodes == ("/dev/nvme0n1",)


def test_a_board_whose_functions_go_together_is_one_unit() -> None:
    board = card(1)
    both = (*board.deployables[0].handles, pci_handle(PciAddress(0, 1, 0, 1)))
    whole = replace(board.deployables[0], handles=both, num_accelerators=1)

    (unit,) = units(replace(board, deployables=(whole,)))

    assert len(unit.handles) == 2


def test_a_mediated_device_is_for_no_container() -> None:
    kind = Deployable(
        name="a",
        kind=DeployableKind.MDEV_TYPE,
        num_accelerators=1,
        handles=(AttachHandle(type=HandleType.MDEV, info={"asked_type": "nvidia-35"}),),
    )

    assert units(card(1, deployables=(kind,))) == ()


# --- ids ---


def test_an_id_is_what_a_person_would_call_it() -> None:
    weak = card(3, identity="pci:0000:03:00.0")
    node = AttachHandle(type=HandleType.DEVICE_NODE, info={"path": "/dev/dri/renderD128"})
    partition = Deployable(name="p", kind=DeployableKind.PARTITION, num_accelerators=1, handles=(node,))

    found = [
        unit.id
        for unit in units(
            card(1), cut(card(2), "1g.10gb"), weak, with_functions(card(4), 1), card(5, deployables=(partition,))
        )
    ]

    assert found == ["GPU-0001", "MIG-GPU-0002-0", "pci-0000:03:00.0", "pci-0000:04:00.1", "dri-renderD128"]


def test_what_is_lent_keeps_its_name_while_its_card_does_not_say_its_own() -> None:
    device = card(1)
    bound = replace(device, identity="pci:0000:01:00.0")
    assert [unit.id for unit in units(bound)] == ["pci-0000:01:00.0"]

    lent = offer(bound, states={handle_of(bound): HandleState(lent_as=("GPU-0001",))})

    assert [unit.id for unit in units_of(lent)] == ["GPU-0001"]


def test_a_long_identity_makes_an_id_that_fits_and_is_still_its_own() -> None:
    found = [unit.id for unit in units(card(1, identity="serial:" + "x" * 99), card(2, identity="serial:" + "x" * 98))]

    assert len(set(found)) == 2
    assert all(len(f"{one}::9999999") <= 63 for one in found)


def test_the_ids_of_a_node_are_unique() -> None:
    devices = [cut(card(1), "1g.10gb", "1g.10gb"), card(2), with_functions(card(3), 4)]
    found = [
        portion.id
        for one in resources(
            {"resources": [{"name": "a/b", "where": "kind = card", "shares": 3}]}, *devices
        ).by_name.values()
        for portion in one.portions()
    ]

    assert len(found) == len(set(found)) == 9


# --- shares ---


def test_shares_count_for_each_unit_and_may_differ_between_units_of_one_resource() -> None:
    said = {
        "resources": [
            {"name": "accel.io/gpu", "where": "device = GPU-0001", "shares": 8},
            {"name": "accel.io/gpu", "where": "kind = card", "shares": 2},
        ]
    }

    assert counts(said, card(1), card(2)) == {"accel.io/gpu": 10}


# --- trouble ---


def test_what_pods_hold_may_be_given_and_what_others_hold_may_not() -> None:
    one, other = card(1), card(2)
    states = {
        handle_of(one): HandleState(holders=(Holder(kind="pod", name="default/a/b"),)),
        handle_of(other): HandleState(holders=(Holder(kind="instance", name="vm-1"),)),
    }

    troubles = [unit.trouble for unit in units_of(offer(one, other, states=states))]

    assert troubles == ["", "it is held by instance vm-1"]


# --- the file ---


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ([], "the file: .* is not a mapping"),
        ({"colour": 1}, "the file: 'colour' is not something that can be said here"),
        ({"node_socket": "node.sock"}, "node_socket: 'node.sock' is not an absolute path"),
        ({"names": "mine"}, "names: 'mine' is not one of accel, vendor, model"),
        ({"mig": "some"}, "mig: 'some' is not one of none, single, mixed"),
        ({"device_lists": ["cdi", "post"]}, r"device_lists\[1\]: 'post' is not one of"),
        ({"device_lists": []}, "device_lists"),
        ({"parts": ["card"]}, r"parts\[0\]: 'card' is not one of region, namespace"),
        ({"resources": [{"where": "type = GPU"}]}, r"resources\[0\].*name is missing"),
        ({"resources": [{"name": "a/b", "where": "fast"}]}, r"resources\[0\]\.where: 'fast' is not a comparison"),
        ({"resources": [{"name": "a/b", "shares": 0}]}, r"resources\[0\]\.shares: 0 is not a whole number"),
        ({"resources": [{"name": "a/b", "shares": True}]}, r"resources\[0\]\.shares: True"),
        ({"resources": [{"name": "a/b", "renamed": "yes"}]}, r"resources\[0\]\.renamed: 'yes' is not true or false"),
        ({"resources": [{"name": "a/b", "allocation": "best"}]}, r"allocation: 'best' is not one of linked, packed"),
        ({"resources": [{"name": "a/b", "before_start": "wash"}]}, r"before_start: 'wash' is not a mapping"),
        ({"resources": [{"name": "a/b", "after_end": "wash"}]}, r"after_end: 'wash' is not a mapping"),
        ({"resources": [{"name": "a/b", "after_end": {}}]}, r"after_end.scrub: None is not a text"),
        ({"resources": [{"name": "a/b", "after_end": {"program": {}}}]}, r"after_end: 'program' is not something"),
        ({"release_grace_seconds": 0}, "release_grace_seconds: 0 is not a number of seconds"),
        ({"resources": [{"name": "a/b", "before_start": {}}]}, "before_start: {} is not reset, or one of"),
        ({"resources": [{"name": "a/b", "before_start": {"program": {"size": 1}}}]}, "digest is missing"),
        (
            {"resources": [{"name": "a/b", "before_start": {"program": {"digest": "d", "size": "x"}}}]},
            r"program\.size: 'x' is not a number of bytes",
        ),
        ({"allocate_timeout_seconds": 0}, "allocate_timeout_seconds: 0 is not a number of seconds"),
        ({"listen": "everywhere"}, "listen: 'everywhere' is not host:port"),
    ],
)
def test_a_mistake_is_named_by_its_field_its_value_and_what_would_be_right(said: object, message: str) -> None:
    with pytest.raises(InvalidValue, match=message):
        config.read(said)


def test_a_file_says_where_it_is_wrong(tmp_path: Path) -> None:
    wrong, broken, missing = tmp_path / "wrong.yaml", tmp_path / "broken.yaml", tmp_path / "missing.yaml"
    wrong.write_text("mig: some")
    broken.write_text("a: [")

    for path, message in ((wrong, "wrong.yaml: mig: 'some'"), (broken, "is no YAML"), (missing, "No such file")):
        with pytest.raises(ConfigurationError, match=message):
            config.load(path)


def test_an_empty_file_says_nothing_wrong(tmp_path: Path) -> None:
    path = tmp_path / "empty.yaml"
    path.write_text("# nothing\n")

    assert config.load(path) == config.Config()


def test_the_example_of_the_documentation_is_right() -> None:
    page = (Path(__file__).parents[2] / "docs/kubernetes.rst").read_text()
    block = page.partition(".. code-block:: yaml\n\n")[2].partition("\n\n======")[0]

    told = config.read(yaml.safe_load(block))

    assert [rule.name for rule in told.rules] == ["example.org/small-gpu", "accel.io/gpu"]


def test_every_key_of_the_file_is_documented() -> None:
    page = (Path(__file__).parents[2] / "docs/kubernetes.rst").read_text()
    keys = {*config.Config.__dataclass_fields__, "resources"} - {"rules"}

    assert [key for key in sorted(keys) if f"``{key}``" not in page and f"   {key}:" not in page] == []
