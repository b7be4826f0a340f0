"""Programs of vendors: how they end, and that nothing of them is left."""

import os
from pathlib import Path

import pytest

from accel.drivers.tools import run_tool
from accel.errors import ActRefused, ActTimedOut, ToolFailed, ToolMissing


def program(directory: Path, script: str) -> str:
    path = directory / "tool"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


def test_what_it_prints_is_given(tmp_path: Path) -> None:
    assert (
        run_tool(program(tmp_path, 'echo "$1"'), "two words; and more", timeout_seconds=10) == "two words; and more\n"
    )


def test_what_it_says_when_it_fails_is_told_with_its_status(tmp_path: Path) -> None:
    with pytest.raises(ToolFailed, match="ended with status 4: No suitable slots found") as caught:
        run_tool(program(tmp_path, 'echo "No suitable slots found." >&2; exit 4'), timeout_seconds=10)

    assert caught.value.status == 4


def test_one_that_complains_on_standard_output_is_heard(tmp_path: Path) -> None:
    with pytest.raises(ToolFailed, match=r"status 1: mismatch; giving up"):
        run_tool(program(tmp_path, "echo mismatch; echo; echo giving up; exit 1"), timeout_seconds=10)


@pytest.mark.parametrize("name", ["missing", "."])
def test_one_that_is_not_there_or_no_program_is_told_before_anything_is_done(tmp_path: Path, name: str) -> None:
    with pytest.raises(ToolMissing, match="cannot be run") as caught:
        run_tool(str(tmp_path / name), timeout_seconds=10)

    assert isinstance(caught.value, ActRefused)


def test_one_that_hangs_is_killed_with_all_that_it_has_started(tmp_path: Path) -> None:
    pipe = tmp_path / "alive"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    script = f"exec 3>{pipe}; sleep 3600 & wait"

    with pytest.raises(ActTimedOut, match=r"did not end within 0\.5 s"):
        run_tool(program(tmp_path, script), timeout_seconds=0.5)

    os.set_blocking(reader, True)
    assert os.read(reader, 1) == b"", "somebody still holds the pipe"
    os.close(reader)


def test_a_program_is_named_by_an_absolute_path() -> None:
    with pytest.raises(ActRefused, match="absolute path"):
        run_tool("fpgaconf", timeout_seconds=10)
