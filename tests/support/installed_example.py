"""One of the example packages, installed as its users do, and Python that sees it."""

import os
import subprocess
import sys
from pathlib import Path

EXAMPLES = Path(__file__).parents[2] / "examples"


class InstalledExample:
    """A directory with the package in it, as pip installs it.

    :param name: of its directory below ``examples``
    :param directory: an empty one, to build and install in
    """

    def __init__(self, name: str, directory: Path) -> None:
        self._source = EXAMPLES / name
        self._target = directory / "installed"
        copy = directory / "source"
        subprocess.run(["cp", "-R", str(self._source), str(copy)], check=True)  # a build writes into its source
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
        offline = ["--no-deps", "--no-build-isolation", "--no-index"]
        subprocess.run([*pip, "install", *offline, "--target", str(self._target), str(copy)], check=True)

    def run(self, *arguments: str, cwd: Path) -> str:
        """Run Python in a child that sees the installed package, and return what it printed."""
        paths = os.pathsep.join(filter(None, (str(self._target), os.environ.get("PYTHONPATH"))))
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

    def run_its_tests(self, *, cwd: Path) -> str:
        """Run the tests of the package against what is installed, and return what they printed."""
        options = ("-q", "-p", "no:cacheprovider", "--rootdir", str(cwd))
        return self.run("-m", "pytest", *options, str(self._source / "tests"), cwd=cwd)
