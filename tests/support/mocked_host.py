"""A mocked host with a drive to pull. Where umockdev is not installed the test is skipped; where CI is set it fails."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from support.host_trees import HOSTS

from accel.testing import MockedHost, mocked_host, what_is_missing

DRIVE = (
    "/devices/pci0000:20/0000:20:00.0/0000:21:00.0/0000:22:01.0/0000:24:00.0",
    "/devices/virtual/nvme-subsystem/nvme-subsys1",
)
DRIVE_SERIAL = "QEMUNVME0001"


@contextmanager
def host_with_drives() -> Iterator[MockedHost]:
    """A host with two drives, one of which is DRIVE."""
    if missing := what_is_missing():
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    with mocked_host(HOSTS / "qemu-2numa-boot/qemu-2numa-boot.umockdev") as host:
        yield host
