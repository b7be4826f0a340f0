"""The example of an out-of-tree driver, installed as its users do: found by its entry point, true to the contract."""

from pathlib import Path

import pytest
from support.installed_example import EXAMPLES, InstalledExample

_NAME = "accel-driver-example"
_TREE = EXAMPLES / _NAME / "tests/data/two-cards"
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
def example(tmp_path_factory: pytest.TempPathFactory) -> InstalledExample:
    return InstalledExample(_NAME, tmp_path_factory.mktemp("example"))


def test_an_installed_driver_is_found_beside_those_of_accel_and_discovers(
    example: InstalledExample, tmp_path: Path
) -> None:
    names, *devices = example.run("-c", _SHOW, str(_TREE), cwd=tmp_path).splitlines()

    assert {"example", "fake", "nvidia", "nvme", "pci", "simulated"} <= set(names.split())
    assert devices == ["0000:33:00.0 node-1_0000:33:00.0", "0000:34:00.0 node-1_0000:34:00.0"]


def test_the_example_passes_its_own_tests_against_what_is_installed(example: InstalledExample, tmp_path: Path) -> None:
    assert " passed" in example.run_its_tests(cwd=tmp_path)
