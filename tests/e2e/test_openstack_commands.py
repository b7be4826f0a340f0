"""The commands of python-openstackclient, and of python-cyborgclient with an older one, in a cloud with a Keystone."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from support.cloud import Cloud, running_cloud
from support.environments import programs_of
from support.populated import uuid

GROUP = {"resources:FPGA": "1", "trait:CUSTOM_FAKE_DEVICE": "required"}
# Deprecations among OpenStack's libraries are theirs to mend.
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::PendingDeprecationWarning"),
    pytest.mark.timeout(600),
]


@dataclass(frozen=True, slots=True)
class Commands:
    """``openstack accelerator`` in one of its versions."""

    program: Path
    cloud: Cloud
    is_old: bool
    """Whether its words are those of python-cyborgclient."""
    user: str = "admin1"

    def ask(self, *words: str) -> Any:
        """What a command prints, which must end well."""
        return json.loads(self.run(*words, "-f", "json"))

    def run(self, *words: str) -> str:
        """What a command prints, which must end well."""
        done = self._run(*words)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def fail(self, *words: str) -> str:
        """What a command complains about, which must end badly."""
        done = self._run(*words)
        assert done.returncode != 0, done.stdout
        return done.stderr

    def _run(self, *words: str) -> "subprocess.CompletedProcess[str]":
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("OS_", "PYTHON"))}
        environment = clean | self.cloud.variables_of(self.user)
        command = [str(self.program), "--os-accelerator-api-version", "2.3", "accelerator", *words]
        return subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=120)


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with running_cloud(tmp_path_factory.mktemp("cloud")) as cloud:
        yield cloud


@pytest.fixture(params=["openstackclient", "cyborgclient"])
def commands(request: pytest.FixtureRequest, cloud: Cloud) -> Commands:
    is_old = request.param == "cyborgclient"
    programs = programs_of("cyborgclient") if is_old else Path(sys.executable).parent
    return Commands(programs / "openstack", cloud, is_old)


def test_devices_are_listed_shown_disabled_and_enabled(commands: Commands) -> None:
    assert {device["uuid"] for device in commands.ask("device", "list", "--long")} == {uuid(1, n) for n in range(1, 6)}
    assert commands.ask("device", "show", uuid(1, 1))["hostname"] == "alpha"

    commands.run("device", "disable", uuid(1, 1))
    assert commands.ask("device", "show", uuid(1, 1))["status"] == "maintaining"
    commands.run("device", "enable", uuid(1, 1))
    assert commands.ask("device", "show", uuid(1, 1))["status"] == "enabled"


def test_deployables_are_listed_and_shown(commands: Commands) -> None:
    listed = commands.ask("deployable", "list", "--long")

    assert {deployable["uuid"] for deployable in listed} == {uuid(2, n) for n in range(1, 6)}
    assert commands.ask("deployable", "show", uuid(2, 5))["name"] == "beta_FakeDevice"


def test_attributes_are_made_listed_shown_and_deleted(commands: Commands) -> None:
    by_uuid = commands.ask("device", "attribute", "create", uuid(2, 4), "gold", "en")
    by_number = commands.ask("device", "attribute", "create", str(by_uuid["deployable_id"]), "rimmed", "yes")
    listed = commands.ask("device", "attribute", "list", "--long")
    shown = commands.ask("device", "attribute", "show", by_number["uuid"])
    commands.run("device", "attribute", "delete", by_uuid["uuid"], by_number["uuid"])

    assert {by_uuid["uuid"], by_number["uuid"]} <= {attribute["uuid"] for attribute in listed}
    assert (shown["key"], shown["value"], shown["deployable_id"]) == ("rimmed", "yes", by_uuid["deployable_id"])
    assert commands.fail("device", "attribute", "show", by_number["uuid"])


def test_device_profiles_are_made_listed_shown_and_deleted(commands: Commands) -> None:
    pairs = ",".join(f"{key}={value}" for key, value in GROUP.items())
    groups = [json.dumps([GROUP])] if commands.is_old else ["--group", pairs]
    made = commands.ask("device", "profile", "create", "mine", *groups, "--description", "ours")
    listed = commands.ask("device", "profile", "list", "--long")
    shown = commands.ask("device", "profile", "show", made["uuid"])
    commands.run("device", "profile", "delete", made["uuid"])

    assert [profile["name"] for profile in listed] == ["gold", "secret", "mine"]
    assert (shown["name"], shown["description"]) == ("mine", "ours")
    assert commands.fail("device", "profile", "show", made["uuid"])


def test_a_deployable_is_programmed_only_with_an_image_of_the_registry(cloud: Cloud) -> None:
    commands = Commands(Path(sys.executable).with_name("openstack"), cloud, is_old=False)

    assert "Image not found" in commands.fail("deployable", "program", uuid(2, 5), uuid(9, 1))


def test_accelerator_requests_are_made_listed_shown_and_deleted_but_not_bound(commands: Commands) -> None:
    member, server = replace(commands, user="member1"), str(uuid4())
    commands.cloud.nova.servers[server] = "beta"
    made = member.ask("arq", "create", "gold")
    listed = member.ask("arq", "list", "--long")
    project = ["own"] if commands.is_old else []

    assert made["uuid"] in {arq["uuid"] for arq in listed}
    assert "requires a service token" in member.fail("arq", "bind", made["uuid"], "beta", server, uuid(9, 1), *project)
    assert "requires a service token" in member.fail("arq", "unbind", made["uuid"])
    assert member.ask("arq", "show", made["uuid"])["state"] == "Initial"

    member.run("arq", "delete", made["uuid"])
    assert made["uuid"] in member.fail("arq", "show", made["uuid"])
