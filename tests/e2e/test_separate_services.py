"""The services as they are deployed: each a process with the same accel.conf, meeting at a broker and a database."""

import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from support.broker import RABBITMQ_URL, broker_topic
from support.processes import BIN, answered, followed, free_port, service

pytestmark = [pytest.mark.rabbitmq, pytest.mark.timeout(180)]  # the limit of every wait in here


@dataclass(frozen=True)
class Deployment:
    """What the services of a small cloud share."""

    config: Path
    endpoint: str

    def run(self, program: str, *words: str) -> "subprocess.CompletedProcess[str]":
        """A program of the administrator."""
        command = [BIN / program, "--config-file", self.config, *words]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    def ask(self, *words: str) -> Any:
        """What ``accel`` answers."""
        return answered(BIN / "accel", "--endpoint", self.endpoint, *words, "-f", "json")

    def ask_as_openstack(self, *words: str) -> Any:
        """What ``openstack accelerator`` answers."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith("OS_")}
        access = ("--os-auth-type", "none", "--os-endpoint", f"{self.endpoint}/v2")
        return answered(BIN / "openstack", *access, "accelerator", *words, "-f", "json", **clean)


@pytest.fixture
def deployment(tmp_path: Path) -> Iterator[Deployment]:
    port, config = free_port(), tmp_path / "accel.conf"
    with broker_topic() as topic:
        config.write_text(
            f"[DEFAULT]\nhost = conductor-1\nstate_path = {tmp_path}\ntransport_url = {RABBITMQ_URL}\n"
            f"[database]\nconnection = sqlite:///{tmp_path}/accel.sqlite\n[rpc]\ntopic = {topic}\n"
            f"[api]\nport = {port}\n[agent]\nenabled_drivers = fake\n"
        )
        yield Deployment(config, f"http://127.0.0.1:{port}")


def test_services_of_one_configuration_work_together_and_end_well(deployment: Deployment) -> None:
    upgraded = deployment.run("accel-manage", "db", "upgrade")
    assert upgraded.returncode == 0, upgraded.stderr

    with (
        service("accel-conductor", deployment.config),
        service("accel-api", deployment.config),
        service("accel-agent", deployment.config),
        followed(deployment.endpoint) as events,
    ):
        added = next(event for event in events if event["kind"] == "device.added")

        (device,) = deployment.ask("device", "list")
        assert (device["uuid"], device["node"], device["driver"]) == (added["device_uuid"], "conductor-1", "fake")
        assert [one["uuid"] for one in deployment.ask_as_openstack("device", "list")] == [device["uuid"]]

        checked = deployment.run("accel-status", "upgrade", "check")
        assert checked.returncode == 0, checked.stdout
        findings = answered(BIN / "accel-agent", "doctor", "--format", "json", "--config-file", deployment.config)
        assert "failed" not in {finding["state"] for finding in findings}


def test_an_agent_that_plays_a_fleet_does_the_jobs_of_its_nodes(deployment: Deployment, tmp_path: Path) -> None:
    assert deployment.run("accel-manage", "db", "upgrade").returncode == 0
    fleet = tmp_path / "fleet.yaml"
    fleet.write_text("nodes: [{name: sim-1, cards: [{model: L40S}]}, {name: sim-2, cards: [{model: L40S}]}]\n")
    with deployment.config.open("a") as config:
        config.write(f"fleet_file = {fleet}\n")

    with (
        service("accel-conductor", deployment.config),
        service("accel-api", deployment.config),
        service("accel-agent", deployment.config),
        followed(deployment.endpoint) as events,
    ):
        for device in [next(event for event in events if event["kind"] == "device.added") for _ in range(2)]:
            subprocess.run(
                [BIN / "accel", "--endpoint", deployment.endpoint, "device", "reset", device["device_uuid"]],
                check=True,
            )
        for job in deployment.ask("job", "list"):
            assert deployment.ask("job", "wait", job["uuid"])["state"] == "done"

        assert sorted(job["node"] for job in deployment.ask("job", "list")) == ["sim-1", "sim-2"]
