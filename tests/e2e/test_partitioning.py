"""Cutting devices from the plan to the parts that are offered, with real processes and simulated cards."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

ACCEL = Path(sys.executable).with_name("accel")
FLEET = "nodes: [{name: 'sim-{0}', count: 2, cards: [{model: A100-SXM4-40GB, count: 2}]}]\n"
CONFLICT = 6


@contextmanager
def running(state: Path, fleet: Path) -> Iterator[str]:
    """``accel up`` with a fleet, and where it serves."""
    command = [ACCEL, "up", "--no-host", "--state-path", state, "--listen", "127.0.0.1:0", "--fleet", fleet]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        ready = process.stdout.readline()
        try:
            assert ready.startswith("Ready: "), ready
            yield ready.split()[1]
        finally:
            process.send_signal(signal.SIGTERM)


def accel(endpoint: str, *words: str) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "ACCEL_ENDPOINT": endpoint}
    return subprocess.run([ACCEL, *words], capture_output=True, text=True, check=False, env=environment)


def ask(endpoint: str, *words: str) -> Any:
    said = accel(endpoint, *words, "-f", "json")
    assert said.returncode == 0, said.stderr
    return json.loads(said.stdout)


def parts(endpoint: str) -> list[str]:
    handles = ask(endpoint, "handle", "list")
    return sorted(handle["info"].get("profile", "whole") for handle in handles if handle["presence"] == "present")


@pytest.mark.timeout(180)
def test_a_demand_is_planned_applied_and_offered_and_undone(tmp_path: Path) -> None:
    fleet = tmp_path / "fleet.yaml"
    fleet.write_text(FLEET)
    with running(tmp_path / "state", fleet) as endpoint:
        assert parts(endpoint) == ["whole"] * 4

        ordered = ask(endpoint, "partition", "apply", "--demand", "3g.20gb=3", "--node", "sim-1")["jobs"]
        for job in ordered:
            assert accel(endpoint, "job", "wait", job["uuid"]).returncode == 0
        assert parts(endpoint) == ["3g.20gb"] * 3 + ["whole"] * 2

        taken = accel(endpoint, "claim", "--class", "CUSTOM_MIG_3G_20GB")
        assert taken.returncode == 0, taken.stderr
        (held,) = [handle for handle in ask(endpoint, "handle", "list") if handle["held_since"]]
        refused = accel(endpoint, "partition", "apply", "--device", held["device_uuid"], "--layout", "whole")
        assert refused.returncode == CONFLICT
        assert "Not while it is held" in refused.stderr

        (free,) = {job["device_uuid"] for job in ordered} - {held["device_uuid"]}
        (joined,) = ask(endpoint, "partition", "apply", "--device", free, "--layout", "whole")["jobs"]
        assert accel(endpoint, "job", "wait", joined["uuid"]).returncode == 0
        still = parts(endpoint)
        assert still.count("whole") == 3

    with running(tmp_path / "state", fleet) as endpoint:
        assert parts(endpoint) == still
