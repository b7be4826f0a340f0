"""The example of an out-of-tree driver, installed as its users do: found by its entry point, true to the contract."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

_EXAMPLE = Path(__file__).parents[2] / "examples/accel-driver-example"
_TREE = _EXAMPLE / "tests/data/two-cards"
_SHOW = """
import sys
from pathlib import Path
from accel.drivers import registry
from accel.drivers.base import Host
from accel.testing.driver_contract import options

print(*sorted(registry.installed()))
driver = registry.load(["example"])["example"]
for device in driver(Host(name="node-1", root=Path(sys.argv[1])), options(driver)).discover():
    print(device.address, device.deployables[0].name)
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the example driver in it, as pip installs it."""
    target = tmp_path_factory.mktemp("installed")
    source = tmp_path_factory.mktemp("source") / "example"
    subprocess.run(["cp", "-R", str(_EXAMPLE), str(source)], check=True)  # a build writes into its source
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    install = [*pip, "install", "--no-deps", "--no-build-isolation", "--no-index", "--target", str(target), str(source)]
    subprocess.run(install, check=True)
    return target


def _run(installed: Path, *arguments: str, cwd: Path) -> str:
    """Run Python in a child that sees the installed driver, and return what it printed."""
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    done = subprocess.run(
        [sys.executable, *arguments], env=environment, cwd=cwd, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_an_installed_driver_is_found_beside_those_of_accel_and_discovers(installed: Path, tmp_path: Path) -> None:
    names, *devices = _run(installed, "-c", _SHOW, str(_TREE), cwd=tmp_path).splitlines()

    assert {"example", "fake", "nvidia", "nvme", "pci", "simulated"} <= set(names.split())
    assert devices == ["0000:33:00.0 node-1_0000:33:00.0", "0000:34:00.0 node-1_0000:34:00.0"]


def test_the_example_passes_its_own_tests_against_what_is_installed(installed: Path, tmp_path: Path) -> None:
    arguments = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(tmp_path), str(_EXAMPLE / "tests"))

    assert " passed" in _run(installed, *arguments, cwd=tmp_path)
