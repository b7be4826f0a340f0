"""The example of an out-of-tree scorer, installed as its users do: found by its entry point, weighed by its name."""

from pathlib import Path

import pytest
from support.installed_example import InstalledExample

_SHOW = """
import sys
from accel import conf
from accel.cmd.placement import configured_policy

options = conf.load(["--config-file", sys.argv[1]], prog="test")
print(*sorted(configured_policy(options).weights.items()))
"""


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> InstalledExample:
    return InstalledExample("accel-scorer-example", tmp_path_factory.mktemp("example"))


def test_an_installed_scorer_is_weighed_beside_those_of_accel(example: InstalledExample, tmp_path: Path) -> None:
    file = tmp_path / "accel.conf"
    file.write_text("[placement_engine]\nweights = pack:2,frugal:0.5\n")
    assert example.run("-c", _SHOW, str(file), cwd=tmp_path) == "('frugal', 0.5) ('pack', 2.0)\n"


def test_the_example_passes_its_own_tests_against_what_is_installed(example: InstalledExample, tmp_path: Path) -> None:
    assert " passed" in example.run_its_tests(cwd=tmp_path)
