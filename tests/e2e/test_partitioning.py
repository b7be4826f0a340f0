"""Cutting devices from the plan to the parts that are offered, with real processes and simulated cards."""

from pathlib import Path

import pytest
from support.processes import AllInOne, accel_up

FLEET = "nodes: [{name: 'sim-{0}', count: 2, cards: [{model: A100-SXM4-40GB, count: 2}]}]\n"
CONFLICT = 6


def parts(up: AllInOne) -> list[str]:
    handles = up.ask("handle", "list")
    return sorted(handle["info"].get("profile", "whole") for handle in handles if handle["presence"] == "present")


@pytest.mark.timeout(180)
def test_a_demand_is_planned_applied_and_offered_and_undone(tmp_path: Path) -> None:
    fleet = tmp_path / "fleet.yaml"
    fleet.write_text(FLEET)
    with accel_up(tmp_path / "state", "--no-host", "--fleet", fleet) as up:
        assert parts(up) == ["whole"] * 4

        ordered = up.ask("partition", "apply", "--demand", "3g.20gb=3", "--node", "sim-1")["jobs"]
        for job in ordered:
            assert up.run("job", "wait", job["uuid"]).returncode == 0
        assert parts(up) == ["3g.20gb"] * 3 + ["whole"] * 2

        taken = up.run("claim", "--class", "CUSTOM_MIG_3G_20GB")
        assert taken.returncode == 0, taken.stderr
        (held,) = [handle for handle in up.ask("handle", "list") if handle["held_since"]]
        refused = up.run("partition", "apply", "--device", held["device_uuid"], "--layout", "whole")
        assert refused.returncode == CONFLICT
        assert "Not while it is held" in refused.stderr

        (free,) = {job["device_uuid"] for job in ordered} - {held["device_uuid"]}
        (joined,) = up.ask("partition", "apply", "--device", free, "--layout", "whole")["jobs"]
        assert up.run("job", "wait", joined["uuid"]).returncode == 0
        still = parts(up)
        assert still.count("whole") == 3

    with accel_up(tmp_path / "state", "--no-host", "--fleet", fleet) as up:
        assert parts(up) == still
