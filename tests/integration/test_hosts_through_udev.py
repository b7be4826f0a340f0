"""Captured hosts through libudev: it lists what we list, and the drivers see what they see in the files."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.discovery import NODE, devices
from support.host_trees import HOSTS, KFD_PLACES, captured
from support.seen_by_udev import ATTRIBUTES, DRIVERS, seen

from accel.drivers.base import Host
from accel.drivers.sysfs import pci_functions, read_text
from accel.testing import description

pytestmark = pytest.mark.umockdev

TREES = sorted(path.name for path in HOSTS.iterdir() if path.is_dir() and path.name not in KFD_PLACES)
"""All but those of which nothing but KFD's list was captured, which is no device."""
_PROGRAM = Path(__file__).parents[1] / "support/seen_by_udev.py"


@pytest.mark.parametrize("tree", TREES)
def test_a_host_is_the_same_through_udev_as_in_its_files(tree: str, tmp_path: Path) -> None:
    root = captured(tree)
    (tmp_path / "host.umockdev").write_text(description(root))

    told = on_mocked_host(tmp_path / "host.umockdev")

    assert told["functions"] == functions(root)
    assert told["devices"] == [json.loads(json.dumps(seen(device))) for device in devices(root, DRIVERS)]


def functions(root: Path) -> dict[str, dict[str, str | None]]:
    """What is listed on the bus; of one that was not captured, there is nothing to list."""
    if not (root / "sys/bus/pci/devices").exists():
        return {}
    listed = pci_functions(Host(name=NODE, root=root))
    return {str(one.address): {name: _attribute(one.path / name) for name in ATTRIBUTES} for one in listed}


def _attribute(file: Path) -> str | None:
    return read_text(file) if file.exists() else None


def on_mocked_host(host: Path) -> dict[str, object]:
    """What the program prints there. Where umockdev is not installed the test is skipped; where CI is set it fails."""
    runner = shutil.which("umockdev-run")
    if runner is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("Debian's package umockdev is not installed")
    path = os.pathsep.join(filter(None, (str(_PROGRAM.parents[1]), os.environ.get("PYTHONPATH"))))
    done = subprocess.run(
        [runner, "--device", str(host), "--", sys.executable, str(_PROGRAM)],
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told: dict[str, object] = json.loads(done.stdout)
    return told
