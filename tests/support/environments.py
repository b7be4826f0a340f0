"""Programs of others in virtual environments of their own. Their versions are in ``tests/data/environments``.

An environment is built below ``build`` when it is first wanted, and kept. Where it cannot be built tests are skipped
and say so; where CI is set they fail.
"""

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
VERSIONS = ROOT / "tests/data/environments"
PATIENCE_SECONDS = 600


def programs_of(name: str) -> Path:
    """The directory with the programs of an environment; the first of several processes that want it builds it."""
    home = ROOT / "build" / name
    home.parent.mkdir(exist_ok=True)
    with home.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _build(home, VERSIONS / f"{name}.txt")
    return home / "bin"


def _build(home: Path, versions: Path) -> None:
    ready = home / "ready"
    if ready.exists() and ready.read_text() == versions.read_text():
        return
    _run([sys.executable, "-m", "venv", "--clear", str(home)])
    # Every version is known: nothing is left to decide. What is never imported needs no compiling.
    options = ["--quiet", "--disable-pip-version-check", "--no-deps", "--no-compile", "--requirement", str(versions)]
    _run([str(home / "bin" / "python"), "-m", "pip", "install", *options])
    ready.write_text(versions.read_text())


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE_SECONDS)
    if not done.returncode:
        return
    reason = f"{' '.join(command)}: {done.stderr.strip().splitlines()[-1:]}"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)
