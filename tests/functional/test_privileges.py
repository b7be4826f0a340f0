"""Privileged acts for real: contexts of oslo.privsep, started with capabilities, by a helper, and not at all."""

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from accel.privileged.base import Context
from accel.privileged.capabilities import NEEDED

NOBODY = "65534"
ALL_CAPABILITIES = ",".join(
    sorted({f"+{one.name.removeprefix('CAP_').lower()}" for needed in NEEDED.values() for one in needed})
)
WITH_CAPABILITIES = (
    *("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"),
    *(f"--inh-caps={ALL_CAPABILITIES}", f"--ambient-caps={ALL_CAPABILITIES}"),
)

BECOME_NOBODY = f"""
import concurrent.futures.thread, gettext, os  # what is loaded later may be where nobody may read
from accel.privileged import contexts
os.setgroups([]); os.setgid({NOBODY}); os.setuid({NOBODY})
"""

CHECK = """
import json, sys
from accel.errors import AccelError
from accel.privileged.base import Context
from accel.privileged.separated import Separated
said = {}
for context in Context:
    try:
        said[context] = Separated(tuple(sys.argv[1:])).check(context)
    except AccelError as error:
        said[context] = f"{error.code}: {error}"
said["eventlet"] = str(sys.modules.get("eventlet"))
print(json.dumps(said))
"""

SLEEP = """
import json
from pathlib import Path
import concurrent.futures.thread, gettext  # what is loaded later may be where only the capabilities let us read
from accel.privileged import contexts
from accel.privileged.base import Context
from accel.privileged.capabilities import put_to_sleep
from accel.privileged.separated import Separated
def effective(): return next(l for l in Path("/proc/self/status").read_text().splitlines() if l.startswith("CapEff"))
awake = effective()
put_to_sleep()
asleep = effective()
print(json.dumps([awake.split()[1], asleep.split()[1], Separated().check(Context.SYSFS)]))
"""

TOOL = """
import sys
from accel.privileged.separated import Separated
print(Separated().run(sys.argv[1], "program"), end="")
"""

CANCEL = """
import sys, threading
from accel.errors import ToolFailed
from accel.privileged.separated import Separated
hands = Separated()
assert not hands.end_tool()
def end():
    open(sys.argv[2]).read()
    while not hands.end_tool(): pass
threading.Thread(target=end, daemon=True).start()
try:
    hands.run(sys.argv[1], "program")
except ToolFailed as error:
    print(error)
"""

WRITE = """
from pathlib import Path
from accel.privileged.separated import Separated
file = Path("/sys/bus/pci/devices/0000:00:03.0/driver_override")
Separated().write(file, "vfio-pci")
print(file.read_text())
try:
    Separated().write(file.with_name("sriov_numvfs"), "4")
except FileNotFoundError as error:
    print(error.filename)
"""

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("setpriv"), reason="becoming somebody else takes root, and setpriv"
)


def run(program: str, *arguments: str, prefix: Sequence[str] = (), more: Sequence[str] = ()) -> str:
    """What a program prints that runs under a prefix such as setpriv."""
    path = os.pathsep.join(filter(None, (os.environ.get("PYTHONPATH"), str(Path(__file__).parents[2]))))
    command = [*prefix, sys.executable, "-c", program, *arguments, *more]
    done = subprocess.run(
        command, env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_root_can_do_what_each_context_is_for_and_eventlet_is_not_there() -> None:
    said = json.loads(run(CHECK))
    assert said == {**dict.fromkeys(Context, "forked with our own capabilities"), "eventlet": "None"}


def test_nobody_is_told_of_each_context_what_is_missing_and_how_to_mend_it() -> None:
    said = json.loads(run(BECOME_NOBODY + CHECK))
    for context, needed in NEEDED.items():
        text = said[context]
        assert text.startswith(f"accel.permission_missing: the context {context} needs ")
        assert all(one.name in text for one in needed)
        assert "[privileged] helper_command" in text


def test_capabilities_are_enough_and_root_is_not_needed() -> None:
    said = json.loads(run(CHECK, prefix=WITH_CAPABILITIES))
    assert {said[context] for context in Context} == {"forked with our own capabilities"}


def test_capabilities_that_sleep_have_no_effect_and_are_there_for_a_context() -> None:
    awake, asleep, said = json.loads(run(SLEEP, prefix=WITH_CAPABILITIES))
    assert int(awake, 16) != 0
    assert int(asleep, 16) == 0
    assert said == "forked with our own capabilities"


@pytest.fixture
def place() -> Iterator[Path]:
    """Where root alone may put tools."""
    directory = Path("/usr/local/lib/accel-test-tools")
    directory.mkdir()
    yield directory
    shutil.rmtree(directory)


def tool_in(place: Path, script: str) -> str:
    """A tool that runs a script."""
    tool = place / "xbmgmt"
    tool.write_text(f"#!/bin/sh\n{script}\n")
    tool.chmod(0o755)
    return str(tool)


def test_a_tool_of_somebody_with_capabilities_has_those_of_its_context_and_no_more(place: Path) -> None:
    printed = run(TOOL, tool_in(place, "grep CapEff /proc/self/status"), prefix=WITH_CAPABILITIES)

    assert int(printed.split()[1], 16) == sum(1 << one for one in NEEDED[Context.TOOLS])


@pytest.mark.parametrize("prefix", [(), WITH_CAPABILITIES])
def test_a_tool_that_is_cancelled_is_ended_in_its_context(place: Path, prefix: Sequence[str]) -> None:
    pipe = place / "pipe"
    os.mkfifo(pipe)
    pipe.chmod(0o666)
    tool = tool_in(place, f"echo begun > {pipe}; exec sleep 1000")

    printed = run(CANCEL, tool, str(pipe), prefix=prefix)

    assert printed == f"{tool} was ended by SIGTERM: it says nothing\n"


@pytest.fixture
def helper() -> Iterator[tuple[str, ...]]:
    """A command that does for anybody what ``sudo`` does: it has root start what it is given."""
    place = Path(f"/tmp/accel-test-helper-{os.getpid()}")  # noqa: S108  # where nobody may go
    place.mkdir(mode=0o755)
    for name in ("asked", "answered"):
        os.mkfifo(place / name)
        (place / name).chmod(0o666)
    script = f'printf "%s " "$@" > {place}/asked; read status < {place}/answered; exit $status'
    root = threading.Thread(target=serve, args=(place,), daemon=True)
    root.start()
    yield ("/bin/sh", "-c", script, "helper", str(Path(sys.executable).with_name("privsep-helper")))
    shutil.rmtree(place)


def serve(place: Path) -> None:
    """Start what is asked for, one after the other."""
    path = os.pathsep.join(filter(None, (os.environ.get("PYTHONPATH"), str(Path(__file__).parents[2]))))
    while place.exists():
        command = (place / "asked").read_text().split()
        done = subprocess.run(command, env=os.environ | {"PYTHONPATH": path}, check=False)
        (place / "answered").write_text(f"{done.returncode}\n")


def test_who_has_no_capabilities_has_a_helper_start_the_contexts(helper: tuple[str, ...]) -> None:
    said = json.loads(run(BECOME_NOBODY + CHECK, *helper))
    assert all(said[context].startswith("started by ") for context in Context), said


def test_a_helper_that_refuses_is_named() -> None:
    said = json.loads(run(BECOME_NOBODY + CHECK, "/bin/false"))
    assert said[Context.VFIO].startswith("accel.permission_missing: /bin/false did not start the context vfio")


@pytest.mark.umockdev
def test_an_attribute_is_written_by_its_context_and_a_refusal_names_the_file(tmp_path: Path) -> None:
    if not shutil.which("umockdev-run"):
        (pytest.fail if os.environ.get("CI") else pytest.skip)("Debian's package umockdev is not installed")
    description = tmp_path / "host.umockdev"
    description.write_text("P: /devices/pci0000:00/0000:00:03.0\nE: SUBSYSTEM=pci\nA: driver_override=(null)\\n\n")

    printed = run(WRITE, prefix=("umockdev-run", "--device", str(description), "--"))

    assert printed.split() == ["vfio-pci", "/sys/bus/pci/devices/0000:00:03.0/sriov_numvfs"]
