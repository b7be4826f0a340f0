"""MIG from the plan to the parts that are offered, and an Xid from the event to a card that nobody gets.

The agent, the conductor and the API are real, and so is nvidia-ml-py; NVIDIA's library is the stand-in, which remembers
what is done to its cards.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.nvml import build_library
from support.processes import AllInOne, accel_up
from support.waiting import until

GPU = "GPU-6f1c5f1a-28b3-5d0b-b5ba-0c1a5a4a000{}"
CARDS = "system driver=550.54.15 nvml=12.550.54.15 cuda=12040\n" + "".join(
    f'gpu uuid={GPU.format(number)} name="NVIDIA A100-SXM4-40GB" pci=0000:0{number}:00.0 devid=0x20B010DE '
    "mem=42949672960 mig=0\n"
    for number in (1, 2)
)


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    """What the stand-in for the library remembers."""
    file = tmp_path / "nvml.conf"
    file.write_text(CARDS)
    return file


@pytest.fixture
def up(tmp_path: Path, conf: Path) -> Iterator[AllInOne]:
    """``accel up`` on this machine, which has two NVIDIA cards as far as its library says."""
    if os.geteuid() != 0:
        pytest.skip("only root may cut GPUs")
    environment = {
        **os.environ,
        "LD_LIBRARY_PATH": str(build_library(tmp_path)),
        "NVML_STUB_CONF": str(conf),
    }
    with accel_up(tmp_path / "state", "--driver", "nvidia", **environment) as up:
        yield up


def offered(up: AllInOne) -> list[str]:
    handles = up.ask("handle", "list")
    return sorted(handle["info"].get("profile", "whole") for handle in handles if handle["presence"] == "present")


def cut(up: AllInOne, layout: str) -> None:
    (device,) = [one for one in up.ask("device", "list") if one["identity"] == GPU.format(1)]
    ordered = up.ask("partition", "apply", "--device", device["uuid"], "--layout", layout)["jobs"]
    for job in ordered:
        up.ask("job", "wait", job["uuid"])


@pytest.mark.timeout(180)
def test_a_card_is_cut_and_joined_by_jobs(up: AllInOne, conf: Path) -> None:
    cut(up, "3g.20gb=1,1g.5gb=2")
    assert offered(up) == ["1g.5gb", "1g.5gb", "3g.20gb", "whole"]
    assert conf.read_text().count("\ngi gpu=0 ") == 3

    cut(up, "whole")
    assert offered(up) == ["whole", "whole"]
    assert "\ngi " not in conf.read_text()


@pytest.mark.timeout(180)
def test_an_xid_makes_its_card_unhealthy_long_before_the_next_look_is_due(up: AllInOne, conf: Path) -> None:
    # The agent looks every five minutes; this test waits for one at most.
    with conf.open("a") as file:
        file.write("event gpu=1 type=8 data=79\n")

    def states() -> dict[str, str]:
        return {device["identity"]: device["health"] for device in up.ask("device", "list")}

    until(lambda: states() == {GPU.format(1): "healthy", GPU.format(2): "unhealthy"})
    (signal_,) = [one for one in up.ask("health") if one["source"] == "nvml.xid"]
    assert "Xid 79 (fallen off the bus)" in signal_["text"]
