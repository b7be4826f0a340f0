"""The programs of the server, where it is not installed."""

import subprocess
import sys

import pytest

from accel.cmd.start import start

PROGRAMS = ("api", "conductor", "manage", "status")


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_program_of_the_server_says_what_to_install(program: str) -> None:
    code = f"import sys; sys.modules['sqlalchemy'] = None; from accel.cmd import start; sys.exit(start.{program}())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)

    assert done.returncode == 1
    assert done.stderr.startswith(f"accel-{program} needs what is not installed here (")
    assert done.stderr.endswith("): pip install 'accel[server]'\n")


def test_a_module_of_our_own_that_is_missing_is_a_mistake() -> None:
    with pytest.raises(ModuleNotFoundError):
        start("accel-nosuch", "accel.cmd.nosuch")
