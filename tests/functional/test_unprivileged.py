"""Looking needs no privileges: what only root may read is told as not known, with the reason."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from support import spdk
from support.discovery import devices
from support.host_trees import HOSTS, KFD_PLACES
from support.seen_by_udev import seen

from accel.model.device import Health
from accel.testing import HostTree, NvmeRow, PciRow, unpack

PROGRAM = """
import json, os, sys
from pathlib import Path
from accel.drivers.base import Host
from accel.drivers.nvme import NvmeDriver
from accel.drivers.spdk import SpdkDriver
from accel.errors import DriverUnavailable
from accel.testing.driver_contract import options
from support.discovery import devices
from support.seen_by_udev import seen

NOBODY, root = 65534, Path(sys.argv[1])
devices(root)  # what is loaded on first use may be where nobody may read
if os.geteuid() == 0:
    os.setgroups([])
    os.setgid(NOBODY)
    os.setuid(NOBODY)
assert os.geteuid() != 0
if len(sys.argv) == 2:
    print(json.dumps([seen(device) for device in devices(root)]))
elif sys.argv[2] == "spdk":
    try:
        SpdkDriver(Host(name="node-1", root=root), options(SpdkDriver)).discover()
    except DriverUnavailable as error:
        print(json.dumps([str(error), error.hint]))
else:
    driver = NvmeDriver(Host(name="node-1", root=root), options(NvmeDriver))
    print(json.dumps([[signal.value, signal.text] for one in driver.discover() for signal in driver.examine(one)]))
"""


@pytest.fixture
def open_directory(tmp_path: Path) -> Path:
    """A directory that everybody may read; those above it, too."""
    for directory in (tmp_path, *tmp_path.parents):
        if directory.stat().st_uid == os.getuid() and directory != Path("/"):
            directory.chmod(directory.stat().st_mode | 0o555)
    return tmp_path


def seen_by_nobody(root: Path) -> list[dict[str, object]]:
    """What the drivers see of a host, run by a user who owns nothing; by ourselves where we are no root."""
    found: list[dict[str, object]] = json.loads(said_by_nobody(str(root)))
    return found


def said_by_nobody(*arguments: str) -> str:
    """What the program says, run by a user who owns nothing."""
    path = os.pathsep.join([str(Path(__file__).parents[1]), *sys.path])
    command = [sys.executable, "-c", PROGRAM, *arguments]
    done = subprocess.run(command, env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("tree", ["fpga-xilinx-alveo", "fpga-n6000-sku0", "intel-gpu-fake", "qemu-2numa-boot"])
def test_nobody_sees_of_a_captured_host_what_root_sees(tree: str, open_directory: Path) -> None:
    (archive,) = (HOSTS / tree).glob("*.tar.*")
    root = unpack(archive, open_directory / KFD_PLACES.get(tree, ""))

    assert seen_by_nobody(root) == [json.loads(json.dumps(seen(device))) for device in devices(root)]


def test_what_nobody_may_read_is_told_with_the_reason(open_directory: Path) -> None:
    tree = HostTree(open_directory)
    card = tree.pci_function(PciRow(address="0000:81:00.0", vendor="8086", product="56c0", class_code=0x030000))
    tree.pci_function(PciRow(address="0000:82:00.0", vendor="144d", product="a80a", class_code=0x010802))
    drive = tree.nvme_controller(NvmeRow(name="nvme0", address="0000:82:00.0", serial="S1"))
    for file in (card / "device", drive / "state"):
        file.chmod(0)

    gpu, disk = seen_by_nobody(open_directory)

    assert gpu["health"] == [Health.UNKNOWN, "sysfs cannot be read: device: Permission denied"]
    assert disk["health"] == [Health.UNKNOWN, "its controller nvme0 is in no known state"]


def test_a_drive_that_nobody_may_ask_is_of_unknown_health_and_says_why(open_directory: Path) -> None:
    tree = HostTree(open_directory)
    tree.pci_function(PciRow(address="0000:82:00.0", vendor="144d", product="a80a", class_code=0x010802))
    tree.nvme_controller(NvmeRow(name="nvme0", address="0000:82:00.0", serial="S1"))
    node = tree.write("dev/nvme0", "")
    node.chmod(0)

    ((health, text),) = json.loads(said_by_nobody(str(open_directory), "health"))

    assert health == Health.UNKNOWN
    assert f"{node}: Permission denied" in text


def test_an_application_that_nobody_may_give_orders_is_unavailable_and_says_why(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    root = tmp_path_factory.mktemp("h")
    for directory in (root, root.parent, root.parent.parent):
        directory.chmod(0o755)
    with spdk.running(spdk.Application(), root / "var/tmp/spdk.sock"):
        (root / "var/tmp/spdk.sock").chmod(0o700)
        message, hint = json.loads(said_by_nobody(str(root), "spdk"))

    assert message.endswith("spdk.sock: Permission denied")
    assert hint.startswith("let the agent's user open the socket")
