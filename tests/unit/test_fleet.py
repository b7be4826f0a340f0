"""Fleet files: what they give, and how their mistakes are told."""

import os
from pathlib import Path

import pytest

from accel.drivers.fleet import Fleet, FleetFile, load
from accel.drivers.fleet.catalogue import MODELS
from accel.errors import InvalidFleet
from accel.model.device import DeployableKind, Device, DeviceType, HandleType, Health, LinkKind, Presence
from accel.model.partition import Cut
from accel.model.partition_facts import read_facts
from accel.model.topology import matrix
from accel.model.validate import problems

_FLEETS = Path(__file__).parents[2] / "etc/accel/fleets"


def _write(directory: Path, text: str) -> Path:
    path = directory / "fleet.yaml"
    path.write_text(text)
    return path


def _fleet(directory: Path, text: str) -> Fleet:
    return load(_write(directory, text))


def _devices(directory: Path, cards: str, *, more: str = "") -> tuple[Device, ...]:
    """The devices of a node with the given list of cards."""
    (node,) = _fleet(directory, f"nodes: [{{name: n1, cards: [{cards}]}}]\n{more}").nodes
    return node.devices()


def _column(devices: tuple[Device, ...], column: int) -> list[str]:
    return [row[column] for row in matrix(devices)]


# --- the fleets that come with accel ---


@pytest.mark.parametrize("path", sorted(_FLEETS.glob("*.yaml")), ids=lambda path: path.name)
def test_each_fleet_that_comes_with_accel_gives_right_devices(path: Path) -> None:
    nodes = load(path).nodes[:20]

    found = [problem for node in nodes for problem in problems(node.devices(), node=node.name)]

    assert found == []


def test_the_demo_fleet_has_twelve_nodes_in_three_racks_with_a_lost_and_an_unhealthy_card() -> None:
    nodes = load(_FLEETS / "demo.yaml").nodes
    devices = [device for node in nodes for device in node.devices()]

    assert len(nodes) == 12
    assert {node.rack for node in nodes} == {"rack-a", "rack-b", "rack-c"}
    assert [device.presence for device in devices].count(Presence.LOST) == 1
    assert [device.health for device in devices].count(Health.UNHEALTHY) == 1
    assert {device.type for device in devices} == {DeviceType.GPU, DeviceType.NVME, DeviceType.FPGA, DeviceType.AICHIP}


def test_the_large_fleet_has_a_thousand_nodes_with_eight_cards_in_racks_of_forty() -> None:
    nodes = load(_FLEETS / "large.yaml").nodes

    assert [nodes[0].name, nodes[-1].name] == ["n0001", "n1000"]
    assert [nodes[39].rack, nodes[40].rack, nodes[-1].rack] == ["rack-01", "rack-02", "rack-25"]
    assert {len(node.places) for node in nodes} == {8}


# --- what a file gives ---


def test_the_same_file_gives_the_same_devices_wherever_it_lies(tmp_path: Path) -> None:
    text = (_FLEETS / "demo.yaml").read_text()
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()

    assert _fleet(here, text) == _fleet(there, text)
    assert [node.devices() for node in _fleet(here, text).nodes] == [
        node.devices() for node in _fleet(there, text).nodes
    ]


def test_the_devices_of_a_node_do_not_depend_on_the_other_nodes(tmp_path: Path) -> None:
    alone = _fleet(tmp_path, "nodes: [{name: b, cards: [{model: L4}]}]").node("b")
    beside = _fleet(tmp_path, "nodes: [{name: a, cards: [{model: T4}]}, {name: b, cards: [{model: L4}]}]").node("b")

    assert alone is not None
    assert beside is not None
    assert alone.devices() == beside.devices()


def test_a_node_says_what_the_file_says_of_it(tmp_path: Path) -> None:
    text = """
        nodes:
          - name: n{0:02d}
            first: 7
            rack: r{0}
            labels: {zone: east, tier: 1}
            kernel: 6.12.0
            numa: [{cpus: 0-3, memory: 1GiB}, {id: 250, memory: 2GB}]
            cards: []
    """
    (node,) = _fleet(tmp_path, text).nodes
    info = node.info("1.2.3")

    assert (info.name, info.rack, info.kernel, info.agent_version) == ("n07", "r1", "6.12.0", "1.2.3")
    assert info.labels == {"zone": "east", "tier": "1"}
    assert [(numa.id, numa.cpus, numa.memory_bytes) for numa in info.numa] == [(0, "0-3", 2**30), (250, "", 2 * 10**9)]
    assert node.devices() == ()


def test_cards_are_split_over_the_numa_nodes_unless_the_file_says_where(tmp_path: Path) -> None:
    devices = _devices(tmp_path, "{model: L4, count: 3}, {model: T4, numa: 1}, {model: L40S, numa: unknown}")

    assert [device.numa_node for device in devices] == [0, 0, 1, 1, None]


def test_cards_below_one_switch_are_nearer_than_those_below_two_and_than_those_of_another_numa_node(
    tmp_path: Path,
) -> None:
    devices = _devices(tmp_path, "{model: L4, count: 8, cards_per_switch: 1, switches_per_bridge: 2}")

    assert _column(devices, 0) == ["X", "PXB", "NODE", "NODE", "SYS", "SYS", "SYS", "SYS"]
    assert _column(_devices(tmp_path, "{model: L4, count: 4, numa: 0}"), 0) == ["X", "PIX", "NODE", "NODE"]
    assert _column(_devices(tmp_path, "{model: L4, count: 2, cards_per_switch: 0, numa: 0}"), 0) == ["X", "NODE"]


def test_cards_of_a_board_are_linked_to_all_and_others_only_when_the_file_says_so(tmp_path: Path) -> None:
    assert _column(_devices(tmp_path, "{model: H100-SXM5-80GB, count: 4}"), 0) == ["X", "NV18", "NV18", "NV18"]
    assert _column(_devices(tmp_path, "{model: MI300X, count: 2}"), 0) == ["X", "XG1"]
    assert _column(_devices(tmp_path, "{model: H100-PCIE-80GB, count: 4, links: pairs}"), 2) == [
        *("SYS", "SYS"),
        *("X", "NV12"),
    ]
    assert _column(_devices(tmp_path, "{model: H100-PCIE-80GB, count: 4}"), 2) == ["SYS", "SYS", "X", "PIX"]


def test_cards_go_on_in_the_next_domain_where_one_has_too_few_buses(tmp_path: Path) -> None:
    groups = ", ".join(["{model: L4, count: 64, cards_per_switch: 0}"] * 3)
    devices = _devices(tmp_path, groups)

    assert problems(devices) == []
    assert {device.address.domain for device in devices if device.address} == set(range(13))


def test_a_cut_gpu_offers_its_instances_and_not_itself(tmp_path: Path) -> None:
    (device,) = _devices(tmp_path, "{model: A100-SXM4-40GB, mig: [3g.20gb, 1g.5gb]}")
    card, *instances = device.deployables

    assert (card.num_accelerators, card.handles) == (0, ())
    assert [part.kind for part in instances] == [DeployableKind.MIG] * 2
    assert [part.attributes[0].value for part in instances] == ["CUSTOM_MIG_3G_20GB", "CUSTOM_MIG_1G_5GB"]
    assert {part.handles[0].type for part in instances} == {HandleType.MIG}
    assert [part.attributes[-1].value for part in instances] == [str(20 * 2**30), str(5 * 2**30)]


def test_a_card_with_virtual_functions_offers_a_pool_of_them(tmp_path: Path) -> None:
    (device,) = _devices(tmp_path, "{model: NVMe-3.84TB, vfs: 9, cards_per_switch: 0}")
    card, pool = device.deployables

    assert (card.num_accelerators, pool.num_accelerators, pool.parent) == (0, 9, card.name)
    assert [f"{handle.info['device']}.{handle.info['function']}" for handle in pool.handles] == [
        *("00.1", "00.2", "00.3", "00.4", "00.5", "00.6", "00.7"),
        *("01.0", "01.1"),
    ]


def test_a_workload_gets_the_user_function_of_an_alveo_board(tmp_path: Path) -> None:
    (device,) = _devices(tmp_path, "{model: Alveo-U250}")

    assert device.address is not None
    assert device.address.function == 0
    assert device.deployables[0].handles[0].info["function"] == "1"


def test_a_file_may_bring_models_of_its_own(tmp_path: Path) -> None:
    models = """
models:
  Foo-1:
    {name: Foo One, type: AICHIP, vendor: 1002, product: 00e1, class: "0b4000", kernel_driver: foo, memory: 0.5GiB,
     link: xgmi, link_width: 3}
"""
    first, second = _devices(tmp_path, "{model: Foo-1, count: 2, links: all}", more=models)

    assert (first.model, first.type, first.vendor, first.product) == ("Foo One", DeviceType.AICHIP, "1002", "00e1")
    assert (first.links[0].peer, first.links[0].kind, first.links[0].width) == (second.identity, LinkKind.XGMI, 3)
    assert str(2**29) in {attribute.value for attribute in first.deployables[0].attributes}


def test_an_absent_card_is_gone_and_nobody_is_linked_to_it(tmp_path: Path) -> None:
    cards = "{model: H100-SXM5-80GB, count: 3}"
    whole = _devices(tmp_path, cards)
    rest = _devices(tmp_path, cards, more="faults: [{node: n1, card: 1, state: absent}]")

    assert [device.identity for device in rest] == [whole[0].identity, whole[2].identity]
    assert [link.peer for link in rest[0].links] == [whole[2].identity]


@pytest.mark.parametrize(
    ("state", "presence", "health"),
    [
        ("lost", Presence.LOST, Health.UNKNOWN),
        ("unhealthy", Presence.PRESENT, Health.UNHEALTHY),
        ("unknown", Presence.PRESENT, Health.UNKNOWN),
    ],
)
def test_a_fault_changes_the_condition_of_one_card_and_has_a_reason(
    tmp_path: Path, state: str, presence: Presence, health: Health
) -> None:
    sound, faulty = _devices(
        tmp_path, "{model: L4, count: 2}", more=f"faults: [{{node: n1, card: 1, state: {state}, reason: smoke}}]"
    )

    assert (sound.presence, sound.health, sound.reason) == (Presence.PRESENT, Health.HEALTHY, "")
    assert (faulty.presence, faulty.health, faulty.reason) == (presence, health, "smoke")


def test_every_model_of_the_catalogue_gives_a_right_device(tmp_path: Path) -> None:
    devices = _devices(tmp_path, ", ".join(f"{{model: {name}, cards_per_switch: 0}}" for name in MODELS))

    assert len(devices) == len(MODELS)
    assert problems(devices, node="n1") == []


@pytest.mark.parametrize("name", [name for name, model in MODELS.items() if model.scheme])
def test_a_card_that_can_be_cut_tells_so(name: str, tmp_path: Path) -> None:
    (whole,) = _devices(tmp_path, f"{{model: {name}}}")

    scheme = MODELS[name].scheme
    assert scheme is not None
    assert read_facts(whole.std_board_info) == Cut(scheme=scheme, parts=None)


def test_a_card_with_parts_tells_where_they_are(tmp_path: Path) -> None:
    (card,) = _devices(tmp_path, "{model: A100-SXM4-40GB, mig: [1g.5gb, 3g.20gb, 1g.5gb]}")

    assert card.std_board_info["partition_scheme"] == "mig a100-40gb"
    assert card.std_board_info["partition_layout"] == "1=1g.5gb@0; 2=3g.20gb@4; 3=1g.5gb@1"


# --- a file that changes ---


def _touch_later(path: Path) -> None:
    stat = path.stat()
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns + 1))


def test_a_changed_file_is_read_again_and_an_unchanged_one_is_not(tmp_path: Path) -> None:
    path = _write(tmp_path, "nodes: [{name: n1, cards: [{model: L4}]}]")
    file = FleetFile(path)
    first = file.current()

    assert file.current() is first

    _write(tmp_path, "nodes: [{name: n2, cards: [{model: L4}]}]")
    _touch_later(path)

    assert [node.name for node in file.current().nodes] == ["n2"]


def test_a_file_that_went_away_is_a_mistake_and_one_that_came_back_is_read(tmp_path: Path) -> None:
    path = _write(tmp_path, "nodes: []")
    file = FleetFile(path)
    file.current()
    path.unlink()

    with pytest.raises(InvalidFleet, match=r"fleet\.yaml: cannot be read: No such file"):
        file.current()

    _write(tmp_path, "nodes: [{name: n1, cards: []}]")
    assert len(file.current().nodes) == 1


# --- mistakes ---

_N = "nodes: [{name: n1, cards: [{model: L4}]}]\n"

MISTAKES = {
    "empty": ("", "fleet.yaml:1: the file is empty; it must have the key nodes"),
    "no YAML": ("nodes: [\n{", "fleet.yaml:2: is no YAML: "),
    "a tab": ("nodes:\n\t- name: a", "fleet.yaml:2: is no YAML: "),
    "a control character": ("nodes: \x00", "fleet.yaml: is no YAML: "),
    "a list at the top": ("- a", "fleet.yaml:1: the file: this list is not a mapping"),
    "no nodes": ("faults: []", "fleet.yaml:1: the file: this mapping is not complete: nodes is missing"),
    "a typo at the top": (
        "node: []",
        "1: the file: 'node' is not a key that is known here; did you mean nodes? (allowed: ",
    ),
    "a typo in a node": (
        "nodes:\n- name: a\n  card: []",
        "fleet.yaml:3: nodes[0]: 'card' is not a key that is known here; did you mean cards? (allowed: cards, count, ",
    ),
    "a typo in a card": (
        "nodes:\n- name: a\n  cards:\n  - model: L4\n    cuont: 2",
        "fleet.yaml:5: nodes[0].cards[0]: 'cuont' is not a key that is known here; did you mean count?",
    ),
    "a key twice": (_N + "nodes: []", "fleet.yaml:2: the file: 'nodes' is not given once only"),
    "nodes is no list": ("nodes: {name: a}", "1: nodes: this mapping is not a list"),
    "an empty value": ("nodes:", "1: nodes: '' is not a list"),
    "a node is a text": ("nodes: [a]", "1: nodes[0]: 'a' is not a mapping"),
    "no name": ("nodes: [{cards: []}]", "1: nodes[0]: this mapping is not complete: name is missing"),
    "no cards": ("nodes: [{name: a}]", "1: nodes[0]: this mapping is not complete: cards is missing"),
    "a name is a list": ("nodes: [{name: [a], cards: []}]", "1: nodes[0].name: this list is not a text"),
    "a name with a space": ("nodes: [{name: a b, cards: []}]", "nodes[0].name: 'a b' is not a name of letters, digits"),
    "a name with odd braces": ("nodes: [{name: 'a{1}', cards: []}]", "nodes[0].name: 'a{1}' is not a name of letters"),
    "a count below 1": ("nodes: [{name: a, count: 0, cards: []}]", "count: '0' is not a whole number from 1 to 100000"),
    "a negative count": ("nodes: [{name: a, count: -1, cards: []}]", "count: '-1' is not a whole number from 1 to"),
    "a count that is a text": ("nodes: [{name: a, count: two, cards: []}]", "count: 'two' is not a whole number"),
    "a count with a fraction": ("nodes: [{name: a, count: 1.5, cards: []}]", "count: '1.5' is not a whole number"),
    "a count of very many digits": (
        f"nodes: [{{name: a, count: {'9' * 5000}, cards: []}}]",
        "is not a whole number from",
    ),
    "a size of very many digits": (
        f"nodes: [{{name: a, numa: [{{memory: {'9' * 500}GB}}], cards: []}}]",
        "is not a size with its unit",
    ),
    "a name that is too long": (
        f"nodes: [{{name: {'a' * 201}, cards: []}}]",
        "is not a name of at most 200 characters",
    ),
    "nested too deep": ("nodes: " + "[" * 5000, "is nested too deep"),
    "many nodes of one name": (
        "nodes: [{name: a, count: 2, cards: []}]",
        "name: 'a' is not a pattern: several nodes need",
    ),
    "two nodes of one name": (
        "nodes:\n- {name: 'n{0}', count: 3, cards: []}\n- {name: n2, cards: []}",
        "fleet.yaml:3: nodes[1].name: 'n2' is not a name of its own: there is a node n2 already",
    ),
    "labels are a list": ("nodes: [{name: a, labels: [x], cards: []}]", "nodes[0].labels: this list is not a mapping"),
    "two NUMA nodes of one id": (
        "nodes: [{name: a, numa: [{id: 1}, {}], cards: []}]",
        "nodes[0].numa[1]: this mapping is not an id of its own: there is a NUMA node 1 already",
    ),
    "processors that are no list": (
        "nodes: [{name: a, numa: [{cpus: all}], cards: []}]",
        "cpus: 'all' is not a list of processors such as 0-15,32-47",
    ),
    "a size without a unit": (
        "nodes: [{name: a, numa: [{memory: 64}], cards: []}]",
        "nodes[0].numa[0].memory: '64' is not a size with its unit: B, KB,",
    ),
    "a size in gigs": (
        "nodes: [{name: a, numa: [{memory: 64 gigs}], cards: []}]",
        "memory: '64 gigs' is not a size with",
    ),
    "an unknown model": (
        "nodes: [{name: a, cards: [{model: H100-SXM-80GB}]}]",
        "model: 'H100-SXM-80GB' is not known; did you mean H100-SXM5-80GB? (allowed: A100-PCIE-40GB, ",
    ),
    "a NUMA node that is not there": (
        "nodes: [{name: a, cards: [{model: L4, numa: 2}]}]",
        "nodes[0].cards[0].numa: '2' is not known; allowed: 0, 1, split, unknown",
    ),
    "links of what has none": (
        "nodes: [{name: a, cards: [{model: L4, links: all}]}]",
        "links: 'all' is not possible with NVIDIA L4, which has no direct links; allowed: none",
    ),
    "an unknown kind of links": (
        "nodes: [{name: a, cards: [{model: L4, links: pair}]}]",
        "links: 'pair' is not known; did you mean pairs? (allowed: all, none, pairs)",
    ),
    "MIG on what cannot be cut": (
        "nodes: [{name: a, cards: [{model: L4, mig: [1g.5gb]}]}]",
        "mig: this list is not possible with NVIDIA L4, which cannot be cut",
    ),
    "an unknown MIG profile": (
        "nodes: [{name: a, cards: [{model: A100-SXM4-40GB, mig: [1g.10gb, 1g.6gb]}]}]",
        "nodes[0].cards[0].mig[1]: '1g.6gb' is not known; did you mean 1g.5gb? (allowed: 1g.10gb, 1g.5gb, ",
    ),
    "MIG profiles that do not fit": (
        "nodes: [{name: a, cards: [{model: A100-SXM4-40GB, mig: [4g.20gb, 4g.20gb]}]}]",
        "mig: this list is not possible on one card. It can have 1 of 4g.20gb at most, and 2 are wanted.",
    ),
    "MIG and virtual functions": (
        "nodes: [{name: a, cards: [{model: A100-SXM4-40GB, mig: [1g.5gb], vfs: 2}]}]",
        "vfs: '2' is not possible on a card that is cut by mig",
    ),
    "a model without ids": (
        _N + "models: {X: {type: GPU}}",
        "models.X: this mapping is not complete: vendor is missing",
    ),
    "a model of no kind": (
        _N + "models: {X: {type: GPUS, vendor: 10de, product: 2330}}",
        "fleet.yaml:2: models.X.type: 'GPUS' is not known; did you mean GPU? (allowed: AICHIP, ",
    ),
    "a vendor that is no id": (
        _N + "models: {X: {type: GPU, vendor: NVIDIA, product: 2330}}",
        "models.X.vendor: 'NVIDIA' is not four hex digits in lower case",
    ),
    "a fault of a node that is not there": (
        _N + "faults: [{node: n2, card: 0, state: lost}]",
        "fleet.yaml:2: faults[0].node: 'n2' is not a node of this fleet; allowed: n1",
    ),
    "a fault of a card that is not there": (
        _N + "faults: [{node: n1, card: 1, state: lost}]",
        "faults[0].card: '1' is not a whole number from 0 to 0",
    ),
    "a fault of a node without cards": (
        "nodes: [{name: a, cards: []}]\nfaults: [{node: a, card: 0, state: lost}]",
        "faults[0].node: 'a' is not a node with cards",
    ),
    "two faults of a card": (
        _N + "faults: [{node: n1, card: 0, state: lost}, {node: n1, card: 0, state: absent}]",
        "faults[1]: this mapping is not a card of its own: card 0 of n1 has a fault already",
    ),
    "an unknown state": (
        _N + "faults: [{node: n1, card: 0, state: gone}]",
        "faults[0].state: 'gone' is not known; allowed: absent, lost, unhealthy, unknown",
    ),
}


@pytest.mark.parametrize(("text", "told"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_told_by_file_line_field_value_and_what_is_allowed(tmp_path: Path, text: str, told: str) -> None:
    path = _write(tmp_path, text)

    with pytest.raises(InvalidFleet) as caught:
        load(path)

    assert str(caught.value).startswith(f"{path}:")
    assert told in str(caught.value)


def test_a_file_that_is_no_text_is_told(tmp_path: Path) -> None:
    path = tmp_path / "fleet.yaml"
    path.write_bytes(b"\xff\xfe\x80")

    with pytest.raises(InvalidFleet, match="is not UTF-8 text"):
        load(path)


def test_a_directory_in_place_of_a_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(InvalidFleet, match="cannot be read: Is a directory"):
        load(tmp_path)
