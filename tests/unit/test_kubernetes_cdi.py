"""CDI: what is written is what the specification allows, in the lowest version that can say it, and never half."""

import json
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from support.offered import card, cut

from accel.kubernetes.cdi import SpecFiles, name_of, specs
from accel.kubernetes.units import Unit, units_of
from accel.model.device import Device, DeviceType
from accel.model.offer import HandleState, Offer, handles_of
from accel.testing.cdi import VERSIONS, CdiRuntime, Unresolvable, minimum_version, problem_of

_VENDOR = "accel.io"


def units(*devices: Device) -> tuple[Unit, ...]:
    states = {
        known_as: HandleState(device_nodes=(f"/dev/nvidia{number}", "/dev/nvidiactl"))
        for number, device in enumerate(devices)
        for known_as, _, _ in handles_of(device)
    }
    return units_of(Offer(node="n", boot_id="b", revision=1, devices=devices, states=states))


def runtime(directory: Path) -> CdiRuntime:
    return CdiRuntime([directory])


@pytest.mark.parametrize(
    "devices",
    [
        (card(1), card(2)),
        (cut(card(1), "1g.10gb", "3g.40gb"),),
        (card(1, type=DeviceType.FPGA), card(2, type=DeviceType.NVME, identity="serial:S1 x/y")),
        (card(1, identity="0123-begins-with-a-digit"),),
        (card(1, identity="pci:0000:01:00.0"),),
    ],
)
def test_what_is_written_is_valid_and_says_no_more_than_its_version_allows(devices: tuple[Device, ...]) -> None:
    for spec in specs(units(*devices), _VENDOR).values():
        assert problem_of(spec) == ""
        assert spec["cdiVersion"] == minimum_version(spec)


def test_the_version_is_the_lowest_that_can_say_it() -> None:
    plain, digit = units(card(1)), units(card(1, identity="0123"))

    assert specs(plain, _VENDOR)["accel.io/gpu"]["cdiVersion"] == "0.3.0"
    assert specs(digit, _VENDOR)["accel.io/gpu"]["cdiVersion"] == "0.5.0"


def test_a_container_gets_the_nodes_of_all_its_devices_and_a_variable_of_each(tmp_path: Path) -> None:
    both = units(card(1), card(2))
    SpecFiles(tmp_path, _VENDOR).write(both)

    got = runtime(tmp_path).inject([name_of(unit, _VENDOR) for unit in both])

    assert got.nodes == ["/dev/nvidia0", "/dev/nvidiactl", "/dev/nvidia1"]
    assert got.env == {
        "ACCEL_GPU_GPU_0001": "0000:01:00.0",
        "ACCEL_GPU_GPU_0002": "0000:02:00.0",
        "NVIDIA_VISIBLE_DEVICES": "void",
    }


def test_a_device_without_nodes_is_a_device_all_the_same(tmp_path: Path) -> None:
    (unit,) = units_of(Offer(node="n", boot_id="b", revision=1, devices=(card(1),)))
    SpecFiles(tmp_path, _VENDOR).write([replace(unit, nodes=())])

    assert runtime(tmp_path).inject(["accel.io/gpu=GPU-0001"]).nodes == []


def test_what_is_not_there_any_more_is_not_to_be_had(tmp_path: Path) -> None:
    files = SpecFiles(tmp_path, _VENDOR)
    files.write(units(card(1), card(2, type=DeviceType.FPGA)))
    files.write(units(card(2, type=DeviceType.FPGA)))

    with pytest.raises(Unresolvable, match="unresolvable CDI devices"):
        runtime(tmp_path).inject(["accel.io/gpu=GPU-0001"])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["accel.io-fpga.json"]


def test_files_of_others_are_left_alone_and_those_of_an_earlier_run_are_ours(tmp_path: Path) -> None:
    for name in ("nvidia.com-gpu.json", "accel.io-mine.json", "accel.io-nic.json"):
        (tmp_path / name).write_text("{}")

    files = SpecFiles(tmp_path, _VENDOR)
    files.write(units(card(1)))
    files.remove()

    assert sorted(path.name for path in tmp_path.iterdir()) == ["accel.io-mine.json", "nvidia.com-gpu.json"]


def test_what_somebody_deletes_is_written_again(tmp_path: Path) -> None:
    files = SpecFiles(tmp_path, _VENDOR)
    files.write(units(card(1)))
    (tmp_path / "accel.io-gpu.json").unlink()

    files.write(units(card(1)))

    assert list(runtime(tmp_path).devices()) == ["accel.io/gpu=GPU-0001"]


def test_who_reads_while_it_is_written_reads_the_old_or_the_new(tmp_path: Path) -> None:
    files, is_over = SpecFiles(tmp_path, _VENDOR), threading.Event()
    few, many = units(card(1)), units(*[card(number) for number in range(1, 200)])
    files.write(few)

    def write() -> None:
        for _ in range(50):
            files.write(many)
            files.write(few)
        is_over.set()

    writer = threading.Thread(target=write)
    writer.start()
    sizes = set()
    while not is_over.is_set():
        sizes.add(len(runtime(tmp_path).devices()))
    writer.join()

    assert sizes <= {1, 199}


def test_a_runtime_leaves_out_what_is_newer_than_it(tmp_path: Path) -> None:
    spec = dict(specs(units(card(1)), _VENDOR)["accel.io/gpu"], cdiVersion="1.0.0")
    (tmp_path / "new.json").write_text(json.dumps(spec))

    assert CdiRuntime([tmp_path], newest="0.8.0").devices() == {}
    assert list(CdiRuntime([tmp_path], newest=VERSIONS[-1]).devices()) == ["accel.io/gpu=GPU-0001"]


def test_a_device_that_two_files_have_is_to_be_had_from_neither(tmp_path: Path) -> None:
    spec = specs(units(card(1)), _VENDOR)["accel.io/gpu"]
    for name in ("a.json", "b.json"):
        (tmp_path / name).write_text(json.dumps(spec))

    assert runtime(tmp_path).devices() == {}
