"""A drive is pulled and put back, and ``accel event list --follow`` tells of it."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.mocked_host import DRIVE, DRIVE_SERIAL, host_with_drives
from support.processes import BIN, answered, followed

from accel.testing import MockedHost

pytestmark = [pytest.mark.umockdev, pytest.mark.timeout(120)]  # the limit of every wait in here

ACCEL = BIN / "accel"
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


def test_who_follows_the_events_sees_a_drive_go_and_return(tmp_path: Path) -> None:
    with host_with_drives() as host, accel_up(host, tmp_path) as endpoint, followed(endpoint) as events:
        drive = answered(ACCEL, "--endpoint", endpoint, "device", "show", DRIVE_SERIAL, "-f", "json")["uuid"]
        kinds = (event["kind"] for event in events if event["device_uuid"] == drive)
        assert next(kinds) == "device.added"

        host.remove(*DRIVE)
        assert next(kinds) == "device.lost"

        host.add(*DRIVE)
        assert next(kinds) == "device.returned"
