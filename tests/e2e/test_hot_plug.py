"""A drive is pulled and put back, and ``accel event list --follow`` tells of it."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.mocked_host import DRIVE, DRIVE_SERIAL, host_with_drives

from accel.testing import MockedHost

pytestmark = [pytest.mark.umockdev, pytest.mark.timeout(120)]  # the limit of every wait in here

ACCEL = Path(sys.executable).with_name("accel")
HOUR = 3600


@contextmanager
def accel_up(host: MockedHost, directory: Path) -> Iterator[str]:
    """``accel up`` on a host, and where it serves; it looks again only when the kernel tells of a change."""
    config = directory / "accel.conf"
    config.write_text(f"[agent]\nrediscovery_interval_seconds = {HOUR}\n")
    command = [ACCEL, "up", "--state-path", directory, "--listen", "127.0.0.1:0", "--config-file", config]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=host.environment) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().split()[1]
        finally:
            process.terminate()
    assert process.returncode == 0


@contextmanager
def followed(endpoint: str) -> Iterator[Iterator[dict[str, str]]]:
    """The events that ``accel event list --follow`` prints, as it prints them."""
    command = [ACCEL, "--endpoint", endpoint, "event", "list", "--follow", "--long", "-f", "json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield map(json.loads, process.stdout)
        finally:
            process.send_signal(signal.SIGINT)
    assert process.returncode == 0


def uuid_of_drive(endpoint: str) -> str:
    command = [ACCEL, "--endpoint", endpoint, "device", "show", DRIVE_SERIAL, "-f", "json"]
    return str(json.loads(subprocess.run(command, capture_output=True, check=True).stdout)["uuid"])


def test_who_follows_the_events_sees_a_drive_go_and_return(tmp_path: Path) -> None:
    with host_with_drives() as host, accel_up(host, tmp_path) as endpoint, followed(endpoint) as events:
        drive = uuid_of_drive(endpoint)
        kinds = (event["kind"] for event in events if event["device_uuid"] == drive)
        assert next(kinds) == "device.added"

        host.remove(*DRIVE)
        assert next(kinds) == "device.lost"

        host.add(*DRIVE)
        assert next(kinds) == "device.returned"
