"""``accel up`` as a process: what a newcomer starts first."""

import signal
import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path
from uuid import uuid4

import pytest
import requests
from support.nova import HOME, options, running_nova
from support.processes import BIN, accel_up
from support.waiting import until

from accel.testing.host_tree import unpack

HOSTS = Path(__file__).parents[1] / "data/hosts"
FLEET = "nodes:\n  - {name: 'sim-{0}', count: 3, cards: [{model: L40S, count: 2}]}\n"


def refused(*arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([BIN / "accel", "up", *arguments], capture_output=True, text=True, check=False, timeout=60)


def test_this_host_a_captured_one_and_a_fleet_are_known_when_it_says_ready(tmp_path: Path) -> None:
    tree = unpack(HOSTS / "qemu-2numa-boot/qemu-2numa-boot.tar.gz", tmp_path / "captured")
    with accel_up(tmp_path / "state", "--fleet", simple_fleet(tmp_path), "--host-tree", tree) as up:
        nodes = {str(node["name"]) for node in up.ask("node", "list")}
        captured = up.ask("device", "list", "--node", tree.name)
    assert nodes == {"sim-1", "sim-2", "sim-3", tree.name, socket.gethostname()}
    assert [device["address"] for device in captured] == ["0000:24:00.0", "0000:81:00.0"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_with_success(tmp_path: Path, number: signal.Signals) -> None:
    with accel_up(tmp_path, "--driver", "fake") as up:
        up.process.send_signal(number)
        assert up.process.wait(timeout=30) == 0


def test_started_again_it_knows_the_same_devices(tmp_path: Path) -> None:
    found = []
    for _ in range(2):
        with accel_up(tmp_path, "--driver", "fake") as up:
            found.append([device["uuid"] for device in up.ask("device", "list")])
    assert found[0] == found[1]
    assert len(found[0]) == 1


def test_what_is_handed_out_is_made_ready_and_scrubbed_before_anybody_else_gets_it(tmp_path: Path) -> None:
    fleet, config = tmp_path / "fleet.yaml", tmp_path / "accel.conf"
    fleet.write_text("nodes: [{name: sim-1, cards: [{model: L40S}]}]\n")
    config.write_text("[conductor]\nprepare = PCI\nscrub = GPU:zero\n")
    with accel_up(tmp_path / "state", "--no-host", "--fleet", fleet, "--config-file", config) as up:
        up.ask("claim", "--model", "L40S", "--consumer", "training")
        until(lambda: [claim["state"] for claim in up.ask("claim", "list")] == ["ready"])
        assert up.run("claim", "release", "training").returncode == 0
        up.ask("claim", "--model", "L40S", "--wait", "60s")
        jobs = [(job["kind"], job["state"]) for job in up.ask("job", "list")]
    assert jobs[:3] == [("prepare", "done"), ("release", "done"), ("scrub", "done")]


def test_what_was_claimed_for_a_while_is_free_soon_after(tmp_path: Path) -> None:
    with accel_up(tmp_path / "state", "--no-host", "--fleet", simple_fleet(tmp_path)) as up:
        up.ask("claim", "--model", "L40S", "--lease", "1s")
        # The rest of what a conductor does by the clock, it does every thirty seconds.
        until(lambda: not up.ask("claim", "list"), patience_seconds=25)
        assert len(up.ask("event", "list", "--kind", "claim.expired")) == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--listen", "0.0.0.0:6666"], "listen on 127.0.0.1 or ::1"),
        (["--listen", "6666"], "--listen: '6666' is not an address and a port"),
        (["--listen", "127.0.0.1:70000"], "is not an address and a port"),
        (["--driver", "gpux"], "installed drivers: accel, amd_gpu, ascend, fake, intel_fpga, "),
        (["--fleet", "no-such.yaml"], "no-such.yaml"),
        (["--host-tree", "/etc"], "a directory with a captured /sys below it"),
        (["--config-file", "no-such.conf"], "no-such.conf"),
    ],
)
def test_a_mistake_is_told_in_a_sentence(tmp_path: Path, arguments: Sequence[str], said: str) -> None:
    done = refused("--state-path", tmp_path, *arguments)
    assert done.returncode in {1, 2}
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_an_address_that_is_taken_is_told_in_a_sentence(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = refused("--state-path", tmp_path, "--no-host", "--listen", f"127.0.0.1:{taken.getsockname()[1]}")
    assert done.returncode == 1
    assert "see --listen" in done.stderr


def test_a_state_path_that_cannot_be_made_is_told_in_a_sentence(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    done = refused("--state-path", file / "state")
    assert done.returncode == 1
    assert "--state-path" in done.stderr
    assert "Traceback" not in done.stderr


def test_nova_is_told_what_became_of_a_request(tmp_path: Path) -> None:
    instance = str(uuid4())
    with running_nova() as nova:
        nova.servers = {instance: HOME}
        config = tmp_path / "accel.conf"
        config.write_text(options(nova.url))
        arguments = ["--no-host", "--fleet", simple_fleet(tmp_path), "--config-file", config]
        with accel_up(tmp_path / "state", *arguments) as up:
            bound = bound_on(f"{up.endpoint}/v2", instance)
            assert nova.next_post().events == [
                {"name": "accelerator-request-bound", "server_uuid": instance, "tag": bound, "status": "completed"}
            ]


def simple_fleet(directory: Path) -> Path:
    fleet = directory / "fleet.yaml"
    fleet.write_text(FLEET)
    return fleet


def bound_on(api: str, instance: str) -> str:
    """The UUID of a request that has been bound for an instance, as Nova does it."""
    part = requests.get(f"{api}/deployables", timeout=30).json()["deployables"][0]
    device = requests.get(f"{api}/devices", timeout=30).json()["devices"][0]
    profile = [{"name": "gold", "groups": [{"resources:PGPU": "1"}]}]
    requests.post(f"{api}/device_profiles", json=profile, timeout=30).raise_for_status()
    made = requests.post(f"{api}/accelerator_requests", json={"device_profile_name": "gold"}, timeout=30).json()
    uuid = str(made["arqs"][0]["uuid"])
    wanted = {"hostname": device["hostname"], "device_rp_uuid": part["rp_uuid"], "instance_uuid": instance}
    change = {uuid: [{"op": "add", "path": f"/{name}", "value": value} for name, value in wanted.items()]}
    requests.patch(f"{api}/accelerator_requests", json=change, timeout=30).raise_for_status()
    return uuid
