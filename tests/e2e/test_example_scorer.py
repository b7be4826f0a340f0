"""The example of an out-of-tree scorer, installed as its users do: found by its entry point, weighed by its name."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

_EXAMPLE = Path(__file__).parents[2] / "examples/accel-scorer-example"
_SHOW = """
import sys
from accel import conf
from accel.cmd.placement import configured_policy

options = conf.load(["--config-file", sys.argv[1]], prog="test")
print(*sorted(configured_policy(options).weights.items()))
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the example in it, as pip installs it."""
    target = tmp_path_factory.mktemp("installed")
    source = tmp_path_factory.mktemp("source") / "example"
    subprocess.run(["cp", "-R", str(_EXAMPLE), str(source)], check=True)  # a build writes into its source
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    install = [*pip, "install", "--no-deps", "--no-build-isolation", "--no-index", "--target", str(target), str(source)]
    subprocess.run(install, check=True)
    return target


def _run(installed: Path, *arguments: str, cwd: Path) -> str:
    """Run Python in a child that sees the installed scorer, and return what it printed."""
    paths = os.pathsep.join(filter(None, (str(installed), os.environ.get("PYTHONPATH"))))
    done = subprocess.run(
        [sys.executable, *arguments],
        env={**os.environ, "PYTHONPATH": paths},
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_an_installed_scorer_is_weighed_beside_those_of_accel(installed: Path, tmp_path: Path) -> None:
    file = tmp_path / "accel.conf"
    file.write_text("[placement_engine]\nweights = pack:2,frugal:0.5\n")
    assert _run(installed, "-c", _SHOW, str(file), cwd=tmp_path) == "('frugal', 0.5) ('pack', 2.0)\n"


def test_the_example_passes_its_own_tests_against_what_is_installed(installed: Path, tmp_path: Path) -> None:
    arguments = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(tmp_path), str(_EXAMPLE / "tests"))

    assert " passed" in _run(installed, *arguments, cwd=tmp_path)
