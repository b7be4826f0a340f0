"""The command line as a process of its own: what it imports, and how it behaves on a terminal and into a pipe."""

import json
import os
import pty
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.served_fleet import FLEET, ServedFleet, served_fleet

ACCEL = (sys.executable, "-m", "accel.cmd.accel")
DEADLINE_SECONDS = 20


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedFleet]:
    directory = tmp_path_factory.mktemp("fleet")
    with served_fleet(directory) as fleet:
        fleet.report_fleet(FLEET, directory)
        yield fleet


def environment(**more: str) -> dict[str, str]:
    return {**os.environ, "TERM": "xterm", "COLUMNS": "80", "LINES": "24", **more}


@contextmanager
def on_a_terminal(*argv: str, **variables: str) -> Iterator[tuple["subprocess.Popen[bytes]", int]]:
    """The command with a terminal of its own, and our end of it."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*ACCEL, *argv],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=environment(**variables),
        start_new_session=True,
    )
    os.close(theirs)
    try:
        yield process, ours
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def read_until(terminal: int, enough: Callable[[str], bool]) -> str:
    """What the terminal shows, as soon as it is enough."""
    shown = b""
    while not enough(shown.decode(errors="replace")):
        assert select.select([terminal], [], [], DEADLINE_SECONDS)[0], shown
        shown += os.read(terminal, 65536)
    return shown.decode()


def test_watching_on_a_terminal_refreshes_in_place_until_interrupted(fleet: ServedFleet) -> None:
    with on_a_terminal("--endpoint", fleet.url, "device", "list", "--watch", "0.2") as (process, terminal):
        shown = read_until(terminal, lambda text: text.count("\033[H") >= 3)
        process.send_signal(signal.SIGINT)
        assert process.wait(DEADLINE_SECONDS) == 0
    assert shown.count("\033[2J") == 1
    assert "every 0.2 s" in shown
    assert "gpu-01" in shown


def test_watching_into_a_pipe_writes_lines_of_json_until_interrupted(fleet: ServedFleet) -> None:
    argv = [*ACCEL, "--endpoint", fleet.url, "device", "list", "--watch", "0.2"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, env=environment(), text=True) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(2)]
        process.send_signal(signal.SIGINT)
        assert process.wait(DEADLINE_SECONDS) == 0
    assert [len(json.loads(line)) for line in lines] == [15, 15]


def test_following_shows_what_happens_and_ends_well_when_interrupted(fleet: ServedFleet) -> None:
    argv = [*ACCEL, "--endpoint", fleet.url, "event", "list", "--follow", "-f", "json", "--limit", "1"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, env=environment(), text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        change = [*ACCEL, "--endpoint", fleet.url, "device", "disable", "gpu-01/0000:13:00.0"]
        subprocess.run(change, check=True, env=environment(), capture_output=True)
        event = json.loads(process.stdout.readline())
        process.send_signal(signal.SIGINT)
        assert process.wait(DEADLINE_SECONDS) == 0
    assert event["kind"] == "device.disabled"


@pytest.mark.parametrize(("variables", "painted"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_a_terminal_is_painted_unless_no_color_is_set(
    fleet: ServedFleet, variables: dict[str, str], *, painted: bool
) -> None:
    with on_a_terminal("--endpoint", fleet.url, "device", "list", "--node", "gpu-02", **variables) as (_, terminal):
        shown = read_until(terminal, lambda text: text.count("gpu-02") >= 4)
    assert ("\033[" in shown) is painted


def test_a_reader_that_leaves_early_is_no_error(fleet: ServedFleet) -> None:
    command = f"{' '.join(ACCEL)} --endpoint {fleet.url} device list --watch 0.1 | head -n 1"
    done = subprocess.run(
        ["/bin/sh", "-c", command],
        capture_output=True,
        text=True,
        env=environment(),
        timeout=DEADLINE_SECONDS,
        check=True,
    )
    assert len(json.loads(done.stdout)) == 15
    assert done.stderr == ""


def test_a_terminal_without_unicode_is_no_error(fleet: ServedFleet) -> None:
    argv = [*ACCEL, "--endpoint", fleet.url, "device"]
    variables = environment(PYTHONIOENCODING="ascii", LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0")
    done = subprocess.run(argv, capture_output=True, text=True, env=variables, timeout=DEADLINE_SECONDS, check=False)
    assert done.returncode == 2
    assert "device list" in done.stderr


def test_help_imports_neither_the_server_nor_an_http_client_nor_an_interactive_shell(tmp_path: Path) -> None:
    script = (
        "import sys; from accel.cmd.accel import main\n"
        "assert main(['--help']) == 0\n"
        "open(sys.argv[1], 'w').write('\\n'.join(sys.modules))"
    )
    target = tmp_path / "modules"
    subprocess.run(
        [sys.executable, "-c", script, str(target)], check=True, capture_output=True, timeout=DEADLINE_SECONDS
    )
    imported = set(target.read_text().splitlines())
    heavy = {
        "cmd2",
        "rich",
        "requests",
        "prettytable",
        "yaml",
        "sqlalchemy",
        "pecan",
        "oslo_config",
        "accel.cmd.all_in_one",
    }
    assert imported & heavy == set()
