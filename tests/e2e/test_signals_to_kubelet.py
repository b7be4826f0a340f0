"""From a signal to the kubelet: agent and device plugin as processes, and nothing on the way that waits for a look.

No look can end in here: as a library does whose card has fallen off the bus, the stand-in for NVIDIA's never returns to
whoever begins to ask it. Who listens already is told of the Xid all the same.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from support.mocked_host import DRIVE, host_with_drives
from support.nvml import build_library
from support.processes import BIN
from support.waiting import until

from accel.drivers.nvidia.xids import FILE_NAME
from accel.testing.kubelet import Kubelet

pytestmark = pytest.mark.timeout(180)

GPU, NVME = "accel.io/gpu", "accel.io/nvme"
UUID = "GPU-6f1c5f1a-28b3-5d0b-b5ba-0c1a5a4a000{}"
SYSTEM = "system driver=550.54.15 nvml=12.550.54.15 cuda=12040"
CARDS = "\n".join(
    f'gpu uuid={UUID.format(number)} name="NVIDIA H100 80GB HBM3" pci=0000:4{number}:00.0 devid=0x233010DE '
    "mem=85899345920"
    for number in (1, 2)
)
HOUR = 3600


@dataclass
class Node:
    """Agent, plugin and kubelet."""

    conf: Path
    kubelet: Kubelet

    def library_hangs(self, more: str = "") -> None:
        """Nobody who asks NVML from now on gets an answer."""
        self._write(f"{SYSTEM} hang=1\n{CARDS}\n{more}")

    def _write(self, text: str) -> None:
        new = self.conf.with_suffix(".new")
        new.write_text(text)
        new.replace(self.conf)


@contextmanager
def running(environment: Mapping[str, str], drivers: str) -> Iterator[Node]:
    """A node whose agent looks when it begins, and whenever it is told to: not before an hour has gone by otherwise."""
    if shutil.which("gcc") is None and "CI" not in os.environ:
        pytest.skip("gcc is not installed, and the stand-in for NVML is built with it")
    with TemporaryDirectory(ignore_cleanup_errors=True) as directory:
        at = Path(directory)
        conf = at / "nvml.conf"
        conf.write_text(f"{SYSTEM}\n{CARDS}\n")
        (at / "accel.conf").write_text(
            f"[DEFAULT]\nhost = node-1\nstate_path = {at}/state\ntransport_url = rabbit://127.0.0.1:1/\n"
            f"[agent]\nenabled_drivers = {drivers}\nrediscovery_interval_seconds = {HOUR}\n"
            f"driver_timeout_seconds = 600\n[node_socket]\npath = {at}/node.sock\n"
        )
        said = {
            "node_socket": f"{at}/node.sock",
            "kubelet_directory": f"{at}/kubelet/device-plugins",
            "pod_resources_socket": f"{at}/kubelet/pod-resources/kubelet.sock",
            "cdi_directory": f"{at}/cdi",
        }
        (at / "plugin.yaml").write_text(json.dumps(said))  # which is YAML too
        agent = [BIN / "accel-agent", "--config-file", at / "accel.conf"]
        plugin = [BIN / "accel-device-plugin", "--config", at / "plugin.yaml"]
        nvml = {"LD_LIBRARY_PATH": str(build_library(at)), "NVML_STUB_CONF": str(conf)}
        with (
            Kubelet(at / "kubelet") as kubelet,
            subprocess.Popen(agent, env={**environment, **nvml}, start_new_session=True) as first,
            subprocess.Popen(plugin, start_new_session=True) as second,
        ):
            try:
                until((at / "state/acts" / FILE_NAME).exists)  # somebody listens to Xids
                yield Node(conf, kubelet)
            finally:
                second.kill()
                os.killpg(first.pid, 9)


def test_an_xid_reaches_the_kubelet_while_no_look_can_end() -> None:
    with running(os.environ, "nvidia") as node:
        node.kubelet.wait_for(GPU, allocatable=2)

        node.library_hangs("event gpu=1 type=8 data=79\n")

        node.kubelet.wait(lambda: node.kubelet.health(GPU) == {UUID.format(1): True, UUID.format(2): False})


def test_an_xid_of_an_application_takes_nothing_out() -> None:
    with running(os.environ, "nvidia") as node:
        node.kubelet.wait_for(GPU, allocatable=2)

        node.library_hangs("event gpu=0 type=8 data=13\nevent gpu=1 type=8 data=79\n")

        node.kubelet.wait_for(GPU, allocatable=1)
        assert node.kubelet.health(GPU) == {UUID.format(1): True, UUID.format(2): False}


@pytest.mark.umockdev
def test_a_drive_that_is_pulled_is_withdrawn_from_the_kubelet_while_no_look_can_end() -> None:
    with host_with_drives() as host, running(host.environment, "nvme, nvidia") as node:
        node.kubelet.wait_for(NVME, allocatable=2)
        node.kubelet.wait_for(GPU, allocatable=2)
        node.library_hangs()

        host.remove(*DRIVE)

        node.kubelet.wait_for(NVME, allocatable=1)
        assert node.kubelet.capacity()[NVME] == 2
