"""The nvidia driver, with the real nvidia-ml-py on a stand-in for NVIDIA's library."""

import typing
from collections.abc import Sequence
from inspect import getmembers, isclass, isfunction
from pathlib import Path

import pytest
from support.host_trees import captured
from support.nvml import LIBRARY_NAME, SAMPLE, Nvml, build_library

from accel.drivers.base import Driver, Host
from accel.drivers.nvidia import NvidiaDriver, cards, driver, nvml, parts
from accel.drivers.nvidia.nvml import mig_profile
from accel.errors import DriverFailure
from accel.model.address import PciAddress
from accel.model.device import Deployable, DeployableKind, Device, HandleType, Health, Link, LinkKind, Presence
from accel.model.topology import matrix
from accel.model.validate import problems
from accel.testing.driver_contract import DriverContract, options
from accel.testing.host_tree import HostTree, PciRow

GPU = "GPU-6f1c5f1a-28b3-5d0b-b5ba-0c1a5a4a000{}"
MIG = "MIG-a9e9d6a1-7d5f-5a7e-8a2a-0c1a5a4a100{}"
LOST_ADDRESS = "10001:4e:00.0"
SYSTEM = "system driver=550.54.15 nvml=12.550.54.15 cuda=12040\n"


def _gpu(number: int, address: str, more: str = "") -> str:
    return (
        f'gpu uuid={GPU.format(number)} name="NVIDIA H100 80GB HBM3" pci={address} devid=0x233010DE '
        f"mem=85899345920 mig=0 {more}\n"
    )


@pytest.fixture(scope="session")
def old_library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_library(tmp_path_factory.mktemp("old-nvml"), "-DOLD")


@pytest.fixture
def hardware(tmp_path: Path) -> HostTree:
    """A host without anything."""
    root = tmp_path / "root"
    root.mkdir()
    return HostTree(root)


@pytest.fixture
def sample(hardware: HostTree) -> HostTree:
    """A host with the cards of sample.conf; the first two are behind one switch."""
    bridges = {"0000:05:00.0": "", "0000:06:00.0": "0000:05:00.0", "0000:06:01.0": "0000:05:00.0", "0002:00:00.0": ""}
    for address, above in bridges.items():
        hardware.pci_function(PciRow(address=address, vendor="10b5", class_code=0x060400, above=above))
    _add_gpu(hardware, "0000:07:00.0", above="0000:06:00.0", numa_node=3)
    _add_gpu(hardware, "0000:0f:00.0", above="0000:06:01.0", numa_node=3)
    _add_gpu(hardware, "0002:01:00.0", product="15f9", above="0002:00:00.0", numa_node=-1)
    _add_gpu(hardware, LOST_ADDRESS, numa_node=1)
    return hardware


def _add_gpu(
    hardware: HostTree,
    address: str,
    *,
    product: str = "20b0",
    driver: str = "nvidia",
    above: str = "",
    numa_node: int | None = None,
) -> None:
    hardware.pci_function(
        PciRow(
            address=address,
            vendor="10de",
            product=product,
            class_code=0x030200,
            driver=driver,
            above=above,
            numa_node=numa_node,
        )
    )


def _add_record(hardware: HostTree, address: str, uuid: str, model: str = "NVIDIA A100-SXM4-40GB") -> None:
    text = f"Model: \t\t {model}\nIRQ:   \t\t 118\nGPU UUID: \t {uuid}\n"
    hardware.write(f"proc/driver/nvidia/gpus/{address}/information", text)


def _parts(device: Device, kind: DeployableKind) -> list[Deployable]:
    return [part for part in device.deployables if part.kind is kind]


def _card(device: Device) -> Deployable:
    (card,) = _parts(device, DeployableKind.CARD)
    return card


def _attributes(part: Deployable) -> dict[str, str]:
    return {attribute.key: attribute.value for attribute in part.attributes}


def _conditions(devices: Sequence[Device]) -> list[tuple[str, Presence, Health]]:
    return [(device.identity, device.presence, device.health) for device in devices]


# --- the sample host ---


def test_each_card_is_one_device_known_by_its_uuid_or_else_its_slot(host_nvml: Nvml, sample: HostTree) -> None:
    devices = host_nvml.devices(sample.root, SAMPLE)

    assert problems(devices, node="node-1") == []
    assert _conditions(devices) == [
        (GPU.format(1), Presence.PRESENT, Health.HEALTHY),
        (GPU.format(2), Presence.PRESENT, Health.HEALTHY),
        (GPU.format(3), Presence.PRESENT, Health.HEALTHY),
        (f"pci:{LOST_ADDRESS}", Presence.LOST, Health.UNHEALTHY),
    ]
    assert [str(device.address) for device in devices] == ["0000:07:00.0", "0000:0f:00.0", "0002:01:00.0", LOST_ADDRESS]
    assert "lost" in devices[3].reason


def test_nvml_tells_what_a_card_is_and_sysfs_where(host_nvml: Nvml, sample: HostTree) -> None:
    first, second, third, lost = host_nvml.devices(sample.root, SAMPLE)

    assert (first.model, first.product, first.serial) == ("NVIDIA A100-SXM4-40GB", "20b0", "1324821083812")
    assert (third.model, third.product, third.serial) == ("Tesla P100-SXM2-16GB", "15f9", None)
    told = {name: text for name, text in first.std_board_info.items() if not name.startswith("partition_")}
    assert told == {
        "product_id": "0x20b0",
        "class": "0x030200",
        "driver_version": "550.54.15",
        "cuda_version": "12.4",
        "minor": "0",
        "compute_mode": "default",
    }
    assert first.pci_path == ("pci0000:05", "0000:05:00.0", "0000:06:00.0")
    assert [device.numa_node for device in (first, second, third, lost)] == [3, 3, None, 1]
    assert {device.kernel_driver for device in (first, second, third, lost)} == {"nvidia"}
    assert matrix((first, second, lost)) == (("X", "PIX", "SYS"), ("PIX", "X", "SYS"), ("SYS", "SYS", "X"))


def test_a_whole_card_is_one_accelerator_with_a_pci_handle(host_nvml: Nvml, sample: HostTree) -> None:
    _, _, third, _ = host_nvml.devices(sample.root, SAMPLE)

    (card,) = third.deployables
    (handle,) = card.handles
    assert (card.name, card.num_accelerators) == ("node-1_0002:01:00.0", 1)
    assert handle.type is HandleType.PCI
    assert handle.info == {"domain": "0002", "bus": "01", "device": "00", "function": "0"}
    assert _attributes(card) == {
        "rc": "PGPU",
        "traits1": "CUSTOM_GPU_NVIDIA",
        "traits2": "CUSTOM_GPU_PRODUCT_ID_15F9",
        "traits3": "CUSTOM_NVIDIA_15F9",
        "traits4": "CUSTOM_NVIDIA_TESLA_P100_SXM2_16GB",
        "memory_bytes": "17071734784",
        "cuda_compute_capability": "6.0",
    }


def test_a_card_in_mig_mode_offers_its_instances_and_not_itself(host_nvml: Nvml, sample: HostTree) -> None:
    first, *_ = host_nvml.devices(sample.root, SAMPLE)

    card, instances = _card(first), _parts(first, DeployableKind.MIG)
    assert (card.num_accelerators, card.handles) == (0, ())
    assert [part.parent for part in instances] == [card.name] * 3
    assert [part.name for part in instances] == [f"node-1_0000:07:00.0_{MIG.format(number)}" for number in (1, 2, 3)]
    assert [_attributes(part)["rc"] for part in instances] == [
        "CUSTOM_MIG_3G_20GB",
        "CUSTOM_MIG_1G_5GB",
        "CUSTOM_MIG_1G_5GB",
    ]
    assert [_attributes(part)["memory_bytes"] for part in instances] == ["20937965568", "5100273664", "5100273664"]
    assert [(handle.type, handle.info) for handle in instances[1].handles] == [
        (
            HandleType.MIG,
            {
                "uuid": MIG.format(2),
                "parent": GPU.format(1),
                "gpu_instance_id": "7",
                "compute_instance_id": "0",
                "profile": "1g.5gb",
            },
        )
    ]


def test_a_card_in_mig_mode_without_instances_offers_nothing(host_nvml: Nvml, hardware: HostTree) -> None:
    (device,) = host_nvml.devices(hardware.root, SYSTEM + _gpu(1, "0000:07:00.0").replace("mig=0", "mig=1"))

    assert [(part.kind, part.num_accelerators) for part in device.deployables] == [(DeployableKind.CARD, 0)]


def test_nvml_knows_its_cards_where_sysfs_shows_none_and_a_lost_one_by_its_index_alone(
    host_nvml: Nvml, hardware: HostTree
) -> None:
    devices = host_nvml.devices(hardware.root, SAMPLE)

    assert problems(devices, node="node-1") == []
    assert [device.identity for device in devices] == [*(GPU.format(number) for number in (1, 2, 3)), "nvml-index:3"]
    assert (devices[3].presence, devices[3].address) == (Presence.LOST, None)
    assert _card(devices[3]).handles == ()


def test_a_driver_asks_nvml_on_the_machine_it_runs_on(host_nvml: Nvml) -> None:
    devices = host_nvml.devices(Path("/"), SAMPLE)

    assert {GPU.format(number) for number in (1, 2, 3)} <= {device.identity for device in devices}


# --- cards that go ---


def test_a_card_that_falls_off_the_bus_is_lost_at_its_slot(host_nvml: Nvml, hardware: HostTree) -> None:
    _add_gpu(hardware, "0000:07:00.0", product="2330")
    _add_gpu(hardware, "0000:0f:00.0", product="2330")
    ok = SYSTEM + _gpu(1, "0000:07:00.0") + _gpu(2, "0000:0f:00.0")
    lost = SYSTEM + _gpu(1, "0000:07:00.0") + _gpu(2, "0000:0f:00.0", "state=lost")

    before, after, again = host_nvml.look(hardware.root, ok, lost, ok)

    assert not isinstance(after, DriverFailure)
    assert _conditions(after) == [
        (GPU.format(1), Presence.PRESENT, Health.HEALTHY),
        ("pci:0000:0f:00.0", Presence.LOST, Health.UNHEALTHY),
    ]
    assert after[1].product == "2330"
    assert before == again


def test_a_lost_card_keeps_the_uuid_that_the_kernel_module_remembers(host_nvml: Nvml, sample: HostTree) -> None:
    _add_record(sample, LOST_ADDRESS, GPU.format(4))

    *_, lost = host_nvml.devices(sample.root, SAMPLE)

    assert (lost.identity, lost.model, lost.presence) == (GPU.format(4), "NVIDIA A100-SXM4-40GB", Presence.LOST)


def test_a_uuid_that_the_kernel_module_does_not_know_yet_is_none(host_nvml: Nvml, sample: HostTree) -> None:
    _add_record(sample, LOST_ADDRESS, "GPU-????????-????-????-????-????????????", model="Unknown")

    *_, lost = host_nvml.devices(sample.root, SAMPLE)

    assert (lost.identity, lost.model) == (f"pci:{LOST_ADDRESS}", "10de:20b0")


def test_what_nvml_still_tells_of_a_lost_card_is_kept(host_nvml: Nvml, hardware: HostTree) -> None:
    (device,) = host_nvml.devices(hardware.root, SYSTEM + _gpu(1, "0000:07:00.0", "state=lost late=1"))

    assert (device.identity, device.presence) == (GPU.format(1), Presence.LOST)
    assert device.address == PciAddress.parse("0000:07:00.0")
    assert device.product == "2330"


def test_a_lost_card_that_sysfs_does_not_show_any_more_is_gone(host_nvml: Nvml, hardware: HostTree) -> None:
    _add_gpu(hardware, "0000:07:00.0", product="2330")

    devices = host_nvml.devices(hardware.root, SYSTEM + _gpu(1, "0000:07:00.0") + _gpu(2, "0000:0f:00.0", "state=lost"))

    assert [device.identity for device in devices] == [GPU.format(1)]


def test_no_card_is_named_lost_where_two_may_be_it(host_nvml: Nvml, hardware: HostTree) -> None:
    _add_gpu(hardware, "0000:07:00.0")
    _add_gpu(hardware, "0000:0f:00.0")

    devices = host_nvml.devices(hardware.root, SYSTEM + _gpu(2, "0000:0f:00.0", "state=lost"))

    assert _conditions(devices) == [
        ("pci:0000:07:00.0", Presence.PRESENT, Health.UNKNOWN),
        ("pci:0000:0f:00.0", Presence.PRESENT, Health.UNKNOWN),
    ]
    assert devices[0].reason.startswith("NVML cannot read 1 of 2 cards")


@pytest.mark.parametrize(("state", "word"), [("noperm", "Permission"), ("unknown", "Unknown Error")])
def test_a_card_that_nvml_may_not_or_cannot_read_is_of_unknown_health(
    host_nvml: Nvml, hardware: HostTree, state: str, word: str
) -> None:
    _add_gpu(hardware, "0000:07:00.0")

    (device,) = host_nvml.devices(hardware.root, SYSTEM + _gpu(1, "0000:07:00.0", f"state={state}"))

    assert (device.identity, device.presence, device.health) == ("pci:0000:07:00.0", Presence.PRESENT, Health.UNKNOWN)
    assert word in device.reason


def test_a_card_whose_mig_mode_is_not_known_is_of_unknown_health(host_nvml: Nvml, hardware: HostTree) -> None:
    (device,) = host_nvml.devices(hardware.root, SYSTEM + _gpu(1, "0000:07:00.0", "migerr=999"))

    assert (device.identity, device.health) == (GPU.format(1), Health.UNKNOWN)
    assert "nvmlDeviceGetMigMode" in device.reason


def test_a_card_that_needs_a_reset_is_unhealthy(host_nvml: Nvml, hardware: HostTree) -> None:
    (device,) = host_nvml.devices(hardware.root, SYSTEM + _gpu(1, "0000:07:00.0", "migerr=16"))

    assert (device.presence, device.health) == (Presence.PRESENT, Health.UNHEALTHY)


def test_a_card_that_came_after_the_first_look_is_seen_by_the_next(host_nvml: Nvml, hardware: HostTree) -> None:
    one = SYSTEM + _gpu(1, "0000:07:00.0")

    before, after = host_nvml.look(hardware.root, one, one + _gpu(2, "0000:0f:00.0"))

    assert not isinstance(before, DriverFailure)
    assert not isinstance(after, DriverFailure)
    assert (len(before), len(after)) == (1, 2)


def test_a_card_that_nvml_does_not_count_is_of_unknown_health(host_nvml: Nvml, hardware: HostTree) -> None:
    _add_gpu(hardware, "0000:07:00.0")

    (device,) = host_nvml.devices(hardware.root, SYSTEM)

    assert (device.health, device.presence) == (Health.UNKNOWN, Presence.PRESENT)
    assert "does not count it" in device.reason


# --- cards without a driver ---


def test_cards_without_the_kernel_module_are_devices_without_a_driver(host_nvml: Nvml, sample: HostTree) -> None:
    devices = host_nvml.devices(sample.root, "system init=9\n")

    assert problems(devices, node="node-1") == []
    assert {device.health for device in devices} == {Health.UNKNOWN}
    assert len(devices) == 4
    assert all("modprobe nvidia" in device.reason for device in devices)


def test_cards_without_the_library_say_which_one(tmp_path: Path, hardware: HostTree) -> None:
    (tmp_path / LIBRARY_NAME).write_text("not a library")
    _add_gpu(hardware, "0000:07:00.0")

    (device,) = Nvml(library=tmp_path, directory=tmp_path).devices(hardware.root, "")

    assert device.health is Health.UNKNOWN
    assert "libnvidia-ml.so.1 is not installed: install" in device.reason


def test_without_cards_nothing_is_missing(host_nvml: Nvml, hardware: HostTree) -> None:
    assert host_nvml.devices(hardware.root, "system init=9\n") == ()


@pytest.mark.parametrize(
    ("bound", "words"),
    [
        ("", "no driver is bound to it"),
        ("vfio-pci", "bound to vfio-pci"),
        ("nouveau", "bound to nouveau"),
    ],
)
def test_a_card_that_nvml_cannot_see_has_a_handle_and_unknown_health(
    host_nvml: Nvml, hardware: HostTree, bound: str, words: str
) -> None:
    _add_gpu(hardware, "0000:07:00.0", driver=bound)

    (device,) = host_nvml.devices(hardware.root, SYSTEM)

    assert (device.identity, device.health, device.kernel_driver) == ("pci:0000:07:00.0", Health.UNKNOWN, bound or None)
    assert words in device.reason
    assert [handle.type for handle in _card(device).handles] == [HandleType.PCI]


def test_a_captured_host_is_read_from_its_files_alone() -> None:
    host = Host(name="node-1", root=captured("ghw-accel-nvidia"))

    (device,) = NvidiaDriver(host, options(NvidiaDriver)).discover()

    assert (device.identity, device.product, device.kernel_driver) == ("pci:0000:06:00.0", "15f8", "nvidia")
    assert (device.numa_node, device.health) == (None, Health.UNKNOWN)
    assert device.reason


def test_a_card_has_the_name_that_the_host_knows_its_ids_by(hardware: HostTree) -> None:
    _add_gpu(hardware, "0000:07:00.0", product="15f8")
    hardware.write("usr/share/misc/pci.ids", "10de  NVIDIA\n\t15f8  GP100GL [Tesla P100 PCIe 16GB]\n")

    (device,) = NvidiaDriver(hardware.host(), options(NvidiaDriver)).discover()

    assert device.model == "GP100GL [Tesla P100 PCIe 16GB]"


# --- what is no card ---


@pytest.mark.parametrize(
    ("vendor", "product", "class_code"),
    [("10de", "1aef", 0x040300), ("10de", "1af1", 0x068000), ("1af4", "1050", 0x030000)],
    ids=["audio function", "NVSwitch", "another vendor's display"],
)
def test_other_functions_are_no_cards(hardware: HostTree, vendor: str, product: str, class_code: int) -> None:
    hardware.pci_function(
        PciRow(address="0000:07:00.1", vendor=vendor, product=product, class_code=class_code, driver="nvidia")
    )

    assert NvidiaDriver(hardware.host(), options(NvidiaDriver)).discover() == ()


def test_virtual_functions_are_a_pool_of_their_card(host_nvml: Nvml, hardware: HostTree) -> None:
    _add_gpu(hardware, "0000:07:00.0", product="2330")
    for address in ("0000:07:00.4", "0000:07:00.5", "0000:07:01.2"):
        row = PciRow(address=address, vendor="10de", product="2330", class_code=0x030200)
        hardware.virtual_function(row, of="0000:07:00.0")

    (device,) = host_nvml.devices(hardware.root, SYSTEM + _gpu(1, "0000:07:00.0"))

    card, pool = device.deployables
    assert (card.num_accelerators, card.handles) == (0, ())
    assert (pool.kind, pool.parent, pool.num_accelerators) == (DeployableKind.VF_POOL, card.name, 3)
    assert [(handle.info["device"], handle.info["function"]) for handle in pool.handles] == [
        ("00", "4"),
        ("00", "5"),
        ("01", "2"),
    ]
    assert problems((device,), node="node-1") == []


# --- NVLink ---


def test_nvlinks_to_a_card_are_bonded(host_nvml: Nvml, hardware: HostTree) -> None:
    cards_of_host = _gpu(1, "0000:07:00.0") + _gpu(2, "0000:0f:00.0") + _gpu(3, "0000:17:00.0")
    straight = [f"nvlink gpu=0 link={link} peer=0000:0F:00.0\n" for link in range(4)]
    back = [f"nvlink gpu=1 link={link} peer=0000:07:00.0\n" for link in range(4)]

    devices = host_nvml.devices(hardware.root, SYSTEM + cards_of_host + "".join(straight + back))

    assert devices[0].links == (Link(peer=GPU.format(2), kind=LinkKind.NVLINK, width=4),)
    assert matrix(devices) == (("X", "NV4", "?"), ("NV4", "X", "?"), ("?", "?", "X"))


def test_cards_on_nvswitches_are_linked_with_each_other(host_nvml: Nvml, hardware: HostTree) -> None:
    numbers = range(1, 4)
    cards_of_host = [_gpu(number, f"0000:{number:02x}:00.0") for number in numbers]
    switched = [f"nvlink gpu={number - 1} link={link} peer=switch\n" for number in numbers for link in range(18)]

    devices = host_nvml.devices(hardware.root, "".join([SYSTEM, *cards_of_host, *switched]))

    assert matrix(devices) == (("X", "NV18", "NV18"), ("NV18", "X", "NV18"), ("NV18", "NV18", "X"))


# --- NVML that is old, or does not work ---


def test_an_old_driver_tells_less_and_is_no_failure(old_library: Path, tmp_path: Path, hardware: HostTree) -> None:
    (device,) = Nvml(library=old_library, directory=tmp_path).devices(hardware.root, SYSTEM + _gpu(1, "0000:07:00.0"))

    assert (device.health, device.links) == (Health.HEALTHY, ())
    assert _card(device).num_accelerators == 1


def test_nvml_that_does_not_work_is_a_failure_with_a_hint_and_the_next_look_may_succeed(
    host_nvml: Nvml, sample: HostTree
) -> None:
    failure, devices = host_nvml.look(sample.root, "system init=18\n", SAMPLE)

    assert isinstance(failure, DriverFailure)
    assert "version mismatch" in str(failure)
    assert "reboot" in failure.hint
    assert not isinstance(devices, DriverFailure)
    assert len(devices) == 4


@pytest.mark.parametrize(
    ("gpu_slices", "compute_slices", "memory_mib", "card_mib", "profile"),
    [
        (1, 1, 4864, 40960, "1g.5gb"),
        (3, 3, 19968, 40960, "3g.20gb"),
        (3, 1, 19968, 40960, "1c.3g.20gb"),
        (7, 7, 40192, 40960, "7g.40gb"),
        (1, 1, 9728, 81920, "1g.10gb"),
        (1, 1, 5952, 24576, "1g.6gb"),
        (1, 1, 16384, 143771, "1g.18gb"),
        (1, 1, 22528, 183359, "1g.23gb"),
    ],
)
def test_a_mig_profile_has_nvidias_name(
    gpu_slices: int, compute_slices: int, memory_mib: int, card_mib: int, profile: str
) -> None:
    name = mig_profile(
        gpu_slices=gpu_slices,
        compute_slices=compute_slices,
        memory_bytes=memory_mib << 20,
        card_memory_bytes=card_mib << 20,
    )

    assert name == profile


@pytest.mark.parametrize(
    ("name", "profile"),
    [("NVIDIA A100 MIG 1g.10gb+me", "1g.10gb+me"), ("NVIDIA A100", "1g.10gb")],
    ids=["named by NVML", "named like its card, by an old NVML"],
)
def test_a_mig_profile_is_named_by_nvml_or_else_by_its_size(
    host_nvml: Nvml, hardware: HostTree, name: str, profile: str
) -> None:
    card = _gpu(1, "0000:07:00.0").replace("mig=0", "mig=1")
    instance = f'mig gpu=0 uuid={MIG.format(1)} gi=1 ci=0 slices=1 mem_mb=9728 name="{name}"\n'

    (device,) = host_nvml.devices(hardware.root, SYSTEM + card + instance)

    (part,) = _parts(device, DeployableKind.MIG)
    assert part.handles[0].info["profile"] == profile


# --- what holds for every driver ---


class TestNvidiaDriver(DriverContract):
    trees = (captured("ghw-accel-nvidia"),)

    def make_driver(self, host: Host) -> Driver:
        return NvidiaDriver(host, options(NvidiaDriver))


@pytest.mark.parametrize("module", [cards, driver, nvml, parts], ids=lambda module: module.__name__)
def test_no_public_function_takes_or_gives_any(module: object) -> None:
    functions = [value for name, value in getmembers(module, isfunction) if not name.startswith("_")]
    methods = [
        value
        for name, kind in getmembers(module, isclass)
        if not name.startswith("_") and kind.__module__ == module.__name__
        for _, value in getmembers(kind, isfunction)
    ]

    hints = [hint for function in functions + methods for hint in typing.get_type_hints(function).values()]

    assert hints
    assert typing.Any not in hints
