"""Cutting GPUs by MIG, with the real nvidia-ml-py on a stand-in for NVIDIA's library that remembers what is done."""

import re
from collections import Counter
from pathlib import Path

import pytest
from support.nvml import Acted, Nvml, build_library, one_gpu

from accel.errors import ActFailed, ActNotSupported, ActRefused, LayoutImpossible, ToolFailed, ToolMissing
from accel.model.device import DeployableKind, Device
from accel.model.partition import Cut
from accel.model.partition_facts import read_facts

GPU = "GPU-6f1c5f1a-28b3-5d0b-b5ba-0c1a5a4a0001"
SYSTEM = "system driver=550.54.15 nvml=12.550.54.15 cuda=12040\n"


def a100(more: str = "", *parts: str) -> str:
    """An A100 in MIG mode, with parts given as ``profile@start`` by the numbers that NVML has for profiles."""
    lines = [
        f'gpu uuid={GPU} name="NVIDIA A100-SXM4-40GB" pci=0000:07:00.0 devid=0x20B010DE mem=42949672960 mig=1 {more}'
    ]
    for number, part in enumerate(parts, start=1):
        profile, start, *busy = part.split("@")
        slices = {"0": 1, "1": 2, "2": 3, "3": 4, "9": 1}[profile]
        lines += [
            f"gi gpu=0 id={number} profile={profile} start={start} ",
            f"mig gpu=0 uuid=MIG-{number} gi={number} ci=0 slices={slices} mem_mb=4864 {' '.join(busy)}",
        ]
    return SYSTEM + "\n".join(lines) + "\n"


WHOLE = a100().replace("mig=1", "mig=0")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A host with one GPU."""
    return one_gpu(tmp_path / "root").root


def cut_of(device: Device) -> Cut:
    cut = read_facts(device.std_board_info)
    assert cut is not None, device.std_board_info
    return cut


def parts_of(acted: Acted) -> list[tuple[str, int]]:
    """What the device says that it is cut into."""
    (device,) = acted.devices
    return sorted((part.profile, part.start) for part in cut_of(device).parts or ())


def error_of(acted: Acted) -> str:
    (error,) = acted.errors
    assert error is not None
    return str(error)


# --- what a card tells ---


def test_a_card_in_mig_mode_tells_what_nvml_says_of_its_parts(host_nvml: Nvml, root: Path) -> None:
    (device,) = host_nvml.devices(root, a100("", "2@0", "0@4", "0@6"))

    told = {key: text for key, text in device.std_board_info.items() if key.startswith("partition_")}
    assert told == {
        "partition_scheme": "mig a100-40gb",
        "partition_layout": "2=1g.5gb@4; 3=1g.5gb@6; 1=3g.20gb@0",
    }
    parts = cut_of(device).parts or ()
    ids = [handle.info["gpu_instance_id"] for part in device.deployables for handle in part.handles]
    assert sorted(part.id for part in parts) == sorted(ids)


def test_what_nvml_says_of_profiles_is_what_the_tables_say(host_nvml: Nvml, root: Path) -> None:
    (on,) = host_nvml.devices(root, a100())
    (off,) = host_nvml.devices(root, WHOLE)

    assert (cut_of(on).parts, cut_of(off).parts) == ((), None)
    assert cut_of(on).scheme == cut_of(off).scheme


def test_profiles_that_no_table_has_are_told_one_by_one(host_nvml: Nvml, root: Path) -> None:
    (device,) = host_nvml.devices(root, a100("maxmig=4"))

    assert device.std_board_info["partition_profiles"] == (
        "1g.10gb 4x 0,1,2,3:1 compute=1; 2g.20gb 2x 0,2:2 compute=2 decoders=2; 4g.40gb 1x 0:4 compute=4 decoders=4 "
        "jpeg=1 ofa=1; 1g.10gb+me 1x 0,1,2,3:1 compute=1 decoders=1 jpeg=1 ofa=1; 2g.20gb+me 1x 0,2:2 compute=2 "
        "decoders=2 jpeg=1 ofa=1"
    )


@pytest.mark.parametrize("more", ["allowed=0", "migerr=3"])
def test_a_card_that_does_not_tell_is_healthy_and_has_no_plan(host_nvml: Nvml, root: Path, more: str) -> None:
    (device,) = host_nvml.devices(root, a100(more, "2@0"))

    assert device.health == "healthy"
    assert "partition_scheme" not in device.std_board_info


# --- cutting ---


def test_a_whole_card_is_cut_and_joined_again(host_nvml: Nvml, root: Path) -> None:
    acted = host_nvml.act(root, WHOLE, ("partition", {"3g.20gb": 1, "1g.5gb": 2}))

    assert acted.errors == (None,)
    assert parts_of(acted) == [("1g.5gb", 0), ("1g.5gb", 1), ("3g.20gb", 4)]
    (device,) = acted.devices
    instances = [part for part in device.deployables if part.kind is DeployableKind.MIG]
    assert [part.handles[0].info["profile"] for part in instances] == ["3g.20gb", "1g.5gb", "1g.5gb"]
    assert acted.progress == (
        "switching MIG mode on",
        "making 3g.20gb at slice 4",
        "making 1g.5gb at slice 0",
        "making 1g.5gb at slice 1",
        "looking at what there is now",
    )
    again = host_nvml.act(root, acted.configuration, ("partition", {}))
    assert again.errors == (None,)
    assert cut_of(again.devices[0]).parts is None
    assert [part.kind for part in again.devices[0].deployables] == [DeployableKind.CARD]


def test_what_is_there_and_wanted_keeps_its_uuid_and_its_user(host_nvml: Nvml, root: Path) -> None:
    acted = host_nvml.act(
        root, a100("", "2@0@busy=1", "0@4", "0@5"), ("partition", {"3g.20gb": 1, "1g.5gb": 1, "2g.10gb": 1})
    )

    assert acted.errors == (None,)
    assert parts_of(acted) == [("1g.5gb", 6), ("2g.10gb", 4), ("3g.20gb", 0)]
    uuids = [handle.info["uuid"] for part in acted.devices[0].deployables for handle in part.handles]
    assert uuids[0] == "MIG-1"


def test_the_same_again_does_nothing(host_nvml: Nvml, root: Path) -> None:
    acted = host_nvml.act(root, a100("", "2@0"), ("partition", {"3g.20gb": 1}), ("partition", {"3g.20gb": 1}))

    assert acted.errors == (None, None)
    assert acted.progress == ()


@pytest.mark.parametrize("layout", [{"1g.5gb": 1, "2g.10gb": 3}, {"3g.20gb": 1, "1g.5gb+me": 1, "1g.10gb": 1}])
def test_a_driver_that_chooses_places_itself_is_led_to_the_layout_by_the_order(
    tmp_path_factory: pytest.TempPathFactory, tmp_path: Path, root: Path, layout: dict[str, int]
) -> None:
    """It tells no names of profiles either; it puts each part as far to the end as it can."""
    library = build_library(tmp_path_factory.mktemp("placeless"), "-DPLACELESS")

    acted = Nvml(library=library, directory=tmp_path).act(root, WHOLE, ("partition", layout))

    assert acted.errors == (None,)
    assert Counter(name for name, _ in parts_of(acted)) == layout


# --- what goes wrong ---


def test_a_layout_that_cannot_be_names_the_rule_and_changes_nothing(host_nvml: Nvml, root: Path) -> None:
    before = a100("", "2@0")

    acted = host_nvml.act(root, before, ("partition", {"3g.20gb": 2, "1g.5gb": 1}))

    (error,) = acted.errors
    assert isinstance(error, LayoutImpossible)
    assert error.rule == "slices"
    assert acted.configuration == before


def test_a_part_that_a_process_uses_is_not_taken_out_and_all_is_as_it_was(host_nvml: Nvml, root: Path) -> None:
    acted = host_nvml.act(root, a100("", "0@4", "2@0@busy=1"), ("partition", {"4g.20gb": 1}))

    assert isinstance(acted.errors[0], ActRefused)
    assert "In use by another client" in error_of(acted)
    assert "as it was" in error_of(acted)
    assert parts_of(acted) == [("1g.5gb", 4), ("3g.20gb", 0)]


def test_what_was_done_is_undone_when_a_step_fails(host_nvml: Nvml, root: Path) -> None:
    acted = host_nvml.act(root, a100("badstart=4", "0@0", "0@1"), ("partition", {"3g.20gb": 2}))

    assert isinstance(acted.errors[0], ActRefused)
    assert "the card is as it was, with 1g.5gb at slice 0, 1g.5gb at slice 1" in error_of(acted)
    assert parts_of(acted) == [("1g.5gb", 0), ("1g.5gb", 1)]
    assert "undoing what was done" in acted.progress


def test_a_whole_card_is_whole_again_when_a_step_fails(host_nvml: Nvml, root: Path) -> None:
    acted = host_nvml.act(root, WHOLE.replace("mig=0", "mig=0 badstart=4"), ("partition", {"3g.20gb": 2}))

    assert isinstance(acted.errors[0], ActRefused)
    assert cut_of(acted.devices[0]).parts is None


def test_a_card_that_cannot_be_brought_back_says_what_it_has_and_had(host_nvml: Nvml, root: Path) -> None:
    acted = host_nvml.act(root, a100("badstart=4", "0@4", "0@0"), ("partition", {"3g.20gb": 2}))

    (error,) = acted.errors
    assert isinstance(error, ActFailed)
    assert not isinstance(error, ActRefused)
    assert "and had 1g.5gb at slice 4, 1g.5gb at slice 0" in str(error)


def test_mig_mode_is_switched_now_or_not_at_all(host_nvml: Nvml, root: Path) -> None:
    acted = host_nvml.act(root, WHOLE.replace("mig=0", "mig=0 busy=1"), ("partition", {"3g.20gb": 1}))

    assert isinstance(acted.errors[0], ActRefused)
    assert "does not switch MIG mode on now: In use" in error_of(acted)
    assert "dcgm" in error_of(acted)
    assert re.search(r"mig=0 .*pending=0", acted.configuration)


def test_without_privilege_nothing_is_cut(host_nvml: Nvml, root: Path) -> None:
    acted = host_nvml.act(root, WHOLE.replace("mig=0", "mig=0 allowed=0"), ("partition", {"3g.20gb": 1}))

    assert isinstance(acted.errors[0], ActRefused)
    assert "only root" in error_of(acted)
    assert cut_of(acted.devices[0]).parts is None


def test_a_card_without_mig_is_not_cut(host_nvml: Nvml, root: Path) -> None:
    plain = WHOLE.replace(" mig=0", "")

    acted = host_nvml.act(root, plain, ("partition", {"3g.20gb": 1}))

    assert isinstance(acted.errors[0], ActNotSupported)


def test_a_reset_is_nvidia_smis_and_leaves_the_default_compute_mode(
    host_nvml: Nvml, root: Path, tmp_path: Path
) -> None:
    tool = tmp_path / "nvidia-smi"
    tool.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/asked\necho GPU 00000000:07:00.0 was successfully reset.\n')
    tool.chmod(0o755)
    before = WHOLE.replace("mig=0", "mig=0 cmode=3")

    acted = host_nvml.act(root, before, ("reset",), nvidia_smi=str(tool))

    assert acted.errors == (None,)
    assert (tmp_path / "asked").read_text() == f"--gpu-reset --id={GPU}\n"
    assert acted.devices[0].std_board_info["compute_mode"] == "default"


def test_a_reset_that_is_refused_says_what_the_tool_said(host_nvml: Nvml, root: Path, tmp_path: Path) -> None:
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho 'GPU 0 is currently in use by one or more processes' >&2\nexit 255\n")
    tool.chmod(0o755)

    acted = host_nvml.act(root, WHOLE, ("reset",), nvidia_smi=str(tool))

    assert isinstance(acted.errors[0], ToolFailed)
    assert "in use by one or more processes" in error_of(acted)


def test_a_reset_without_its_tool_is_refused(host_nvml: Nvml, root: Path) -> None:
    acted = host_nvml.act(root, WHOLE, ("reset",))

    assert isinstance(acted.errors[0], ToolMissing)
