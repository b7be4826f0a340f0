"""A drive is pulled and put back, and ``accel event list --follow`` tells of it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.mocked_host import DRIVE, DRIVE_SERIAL, host_with_drives
from support.processes import AllInOne, accel_up, followed

from accel.testing import MockedHost

pytestmark = [pytest.mark.umockdev, pytest.mark.timeout(120)]  # the limit of every wait in here

HOUR = 3600


@contextmanager
def watching(host: MockedHost, directory: Path) -> Iterator[AllInOne]:
    """``accel up`` on a host; it looks again only when the kernel tells of a change."""
    config = directory / "accel.conf"
    config.write_text(f"[agent]\nrediscovery_interval_seconds = {HOUR}\n")
    with accel_up(directory, "--config-file", config, **host.environment) as up:
        yield up


def test_who_follows_the_events_sees_a_drive_go_and_return(tmp_path: Path) -> None:
    with host_with_drives() as host, watching(host, tmp_path) as up, followed(up.endpoint) as events:
        drive = up.ask("device", "show", DRIVE_SERIAL)["uuid"]
        kinds = (event["kind"] for event in events if event["device_uuid"] == drive)
        assert next(kinds) == "device.added"

        host.remove(*DRIVE)
        assert next(kinds) == "device.lost"

        host.add(*DRIVE)
        assert next(kinds) == "device.returned"
