"""The agent in a virtual machine with real controllers, against a conductor outside: all that is done to a device.

``make test-qemu`` runs it and leaves what was asked and answered in ``build/qemu/transcript.txt``.
"""

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from support.broker import RABBITMQ_URL, broker_topic
from support.processes import BIN, free_port, service
from support.qemu import BUILD, Machine, machine, what_is_missing
from support.waiting import until

pytestmark = [
    pytest.mark.rabbitmq,
    pytest.mark.timeout(2400),
    pytest.mark.skipif(not os.environ.get("TEST_QEMU"), reason="make test-qemu runs it, for minutes"),
]

A, B = "0000:01:00.0", "0000:02:00.0"
"""Where the guest sees the two drives."""
SLOTS: dict[str, dict[str, Any]] = {
    "slot-a": {"driver": "pcie-root-port", "chassis": 1, "slot": 1, "bus": "pcie.0"},
    "slot-b": {"driver": "pcie-root-port", "chassis": 2, "slot": 2, "bus": "pcie.0"},
    "subsystem-b": {"driver": "nvme-subsys", "nqn": "nqn.2026-11.org.example:drive-b"},
}
DRIVE_A: dict[str, Any] = {"driver": "nvme", "serial": "SERIAL-A", "bus": "slot-a", "drive": "disk-a"}
DRIVE_B: dict[str, Any] = {
    "driver": "nvme",
    "serial": "SERIAL-B",
    "bus": "slot-b",
    "subsys": "subsystem-b",
    "max_ioqpairs": 11,
    "msix_qsize": 11,
    "sriov_max_vfs": 4,
    "sriov_vq_flexible": 8,
    "sriov_vi_flexible": 4,
}
DISK_B: dict[str, Any] = {"driver": "nvme-ns", "drive": "disk-b", "bus": "drive-b", "nsid": 1, "shared": False}
_PATIENCE_SECONDS = 600


@dataclass
class Story:
    """A machine, the services outside, and what was asked of both."""

    endpoint: str
    guest: Machine
    node: str

    def tell(self, text: str) -> None:
        with (BUILD / "transcript.txt").open("a") as transcript:
            transcript.write(f"{text}\n")

    def accel(self, *words: str) -> str:
        """What ``accel`` prints."""
        command = [BIN / "accel", "--endpoint", self.endpoint, *words]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        self.tell(f"$ accel {' '.join(words)}\n{done.stdout}{done.stderr}")
        assert done.returncode == 0, done.stderr
        return done.stdout

    def ask(self, *words: str) -> Any:
        """What ``accel`` answers, without a word in the transcript."""
        command = [BIN / "accel", "--endpoint", self.endpoint, *words, "-f", "json"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def inside(self, command: str) -> str:
        """What a command prints in the guest."""
        printed = self.guest.shell(command)
        self.tell(f"guest# {command}\n{printed}\n")
        return printed

    def drive(self, address: str) -> dict[str, Any]:
        """What is known of the drive at an address; nothing where nothing is."""
        found = [one for one in self.ask("device", "list", "--all", "--long") if one["address"] == address]
        return found[0] if found else {}

    def until(self, address: str, **wanted: Any) -> None:
        """Wait for the record of a drive to say so."""

        def is_so() -> bool:
            assert "the agent has ended" not in self.guest.console.read_text(errors="replace")
            return self.drive(address).items() >= wanted.items()

        until(is_so, patience_seconds=_PATIENCE_SECONDS)

    def job(self, *words: str) -> None:
        """Have something done and wait for its end."""
        uuid = self.accel(*words).split()[1]
        self.accel("job", "wait", uuid, "--for", "10m", "-c", "kind", "-c", "state", "-c", "node")

    def refused(self, *words: str) -> str:
        """What ``accel`` complains of."""
        command = [BIN / "accel", "--endpoint", self.endpoint, *words]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        self.tell(f"$ accel {' '.join(words)}\n{done.stdout}{done.stderr}")
        assert done.returncode != 0
        return done.stderr

    def claim(self) -> str:
        """Claim a drive, or a part of one, and wait until it is ready for a guest; the UUID of the claim."""
        uuid: str = self.ask("claim", "--class", "CUSTOM_NVME")["uuid"]
        until(lambda: self.ask("claim", "show", uuid)["state"] != "preparing", patience_seconds=_PATIENCE_SECONDS)
        self.accel("claim", "show", uuid)
        return uuid

    def function_of(self, claim: str) -> str:
        """The PCI function that a claim has."""
        [allocation] = self.ask("claim", "show", claim)["allocations"]
        return "{domain}:{bus}:{device}.{function}".format_map(allocation["attach_handle_info"])

    def all_is_given_back(self) -> bool:
        """Whether no job is under way any more."""
        return all(job["state"] == "done" for job in self.ask("job", "list"))

    def driver_of(self, address: str) -> str:
        """The kernel driver of a function; empty: none."""
        return Path(self.inside(f"readlink /sys/bus/pci/devices/{address}/driver")).name


@pytest.fixture
def story(tmp_path: Path) -> Iterator[Story]:
    if missing := what_is_missing():
        pytest.skip(missing)
    BUILD.mkdir(parents=True, exist_ok=True)
    (BUILD / "transcript.txt").unlink(missing_ok=True)
    with services(tmp_path) as (endpoint, topics):
        node, config = f"guest-{uuid4().hex[:8]}", tmp_path / "guest.conf"
        config.write_text(
            f"[DEFAULT]\nhost = {node}\nstate_path = /var/lib/accel\n"
            f"transport_url = {RABBITMQ_URL.replace('127.0.0.1', '10.0.2.2')}\n{topics}"
            f"[agent]\nenabled_drivers = nvme\ndriver_timeout_seconds = 120\n[guest]\nvirtual_functions = true\n"
        )
        disks = {name: tmp_path / name for name in ("disk-a", "disk-b")}
        for file in disks.values():
            with file.open("wb") as disk:
                disk.truncate(64 << 20)
        devices = {**SLOTS, "drive-a": DRIVE_A, "drive-b": DRIVE_B, "namespace-b": DISK_B}
        with machine(tmp_path, config, devices, disks) as guest:
            try:
                yield Story(endpoint, guest, node)
            finally:
                (BUILD / "console.txt").write_text(guest.console.read_text(errors="replace"))


@contextmanager
def services(directory: Path) -> Iterator[tuple[str, str]]:
    """Conductor and API, by where they serve and what an agent has to be told."""
    port, config = free_port(), directory / "accel.conf"
    with broker_topic() as topic:
        topics = f"[rpc]\ntopic = {topic}\nagent_topic = {topic}-agents\n"
        config.write_text(
            f"[DEFAULT]\nhost = conductor-1\nstate_path = {directory}\ntransport_url = {RABBITMQ_URL}\n"
            f"[database]\nconnection = sqlite:///{directory}/accel.sqlite\n[api]\nport = {port}\n{topics}"
            f"[conductor]\nprepare = MDEV,PCI/NVME\n"
        )
        subprocess.run([BIN / "accel-manage", "--config-file", config, "db", "upgrade"], check=True)
        with service("accel-conductor", config), service("accel-api", config):
            yield f"http://127.0.0.1:{port}", topics


def test_all_that_is_done_to_a_drive(story: Story) -> None:
    story.tell("== Discovery: two controllers, seen by an agent that is not root ==\n")
    story.until(A, health="healthy")
    story.until(B, health="healthy")
    story.inside("uname -sr; ls /sys/class/nvme; ls /sys/kernel/iommu_groups | wc -l")
    story.inside("cd /proc; grep -E 'Uid|CapEff|CapPrm' $(grep -l 990 [0-9]*/status | head -1)")
    story.accel("device", "list")
    assert {story.drive(address)["serial"] for address in (A, B)} == {"SERIAL-A", "SERIAL-B"}

    story.tell("== A drive is handed to a guest: bound to vfio-pci, and back ==\n")
    story.accel("device", "disable", story.drive(B)["uuid"])
    claim = story.claim()
    assert story.driver_of(A) == "vfio-pci"
    assert story.inside("ls /dev/vfio") != "vfio"
    story.until(A, kernel_driver="vfio-pci")
    story.accel("claim", "release", claim)
    story.until(A, kernel_driver="nvme")
    assert story.driver_of(A) == "nvme"
    story.accel("device", "enable", story.drive(B)["uuid"])

    story.tell("== Virtual functions are made and taken away ==\n")
    story.job("device", "vfs", story.drive(B)["uuid"], "2")
    assert (
        story.inside(f"cat /sys/bus/pci/devices/{B}/sriov_numvfs; ls -d /sys/bus/pci/devices/{B}/virtfn*").split()[0]
        == "2"
    )
    story.accel("deployable", "list", "--device", story.drive(B)["uuid"])
    hand_out_a_virtual_function(story)
    story.job("device", "vfs", story.drive(B)["uuid"], "0")
    assert story.inside(f"cat /sys/bus/pci/devices/{B}/sriov_numvfs") == "0"

    story.tell("== A drive is pulled and put back ==\n")
    before = story.drive(A)["uuid"]
    story.guest.pull("drive-a")
    story.until(A, presence="lost")
    story.accel("device", "list", "--all")
    story.guest.plug(id="drive-a", **DRIVE_A)
    story.until(A, presence="present", health="healthy")
    story.accel("device", "list")
    assert story.drive(A)["uuid"] == before
    story.accel("event", "list", "--limit", "40")
    story.accel("job", "list")


def hand_out_a_virtual_function(story: Story) -> None:
    """With nothing else to be had; all is as before then."""
    story.tell("== One of them is handed to a guest: bound to vfio-pci, and back; none is taken away meanwhile ==\n")
    story.accel("device", "disable", story.drive(A)["uuid"])
    claim = story.claim()
    function = story.function_of(claim)
    assert function != B
    assert function[:-1] == B[:-1]
    assert story.driver_of(function) == "vfio-pci"
    group = Path(story.inside(f"readlink /sys/bus/pci/devices/{function}/iommu_group")).name
    assert group in story.inside("ls /dev/vfio").split()
    assert "is held (reservation)" in story.refused("device", "vfs", story.drive(B)["uuid"], "0")
    assert story.inside(f"cat /sys/bus/pci/devices/{B}/sriov_numvfs") == "2"
    story.accel("claim", "release", claim)
    until(story.all_is_given_back, patience_seconds=_PATIENCE_SECONDS)
    assert story.driver_of(function) == ""
    assert group not in story.inside("ls /dev/vfio").split()
    story.accel("device", "enable", story.drive(A)["uuid"])
