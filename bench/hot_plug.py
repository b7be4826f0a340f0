"""From a card that is pulled, or put back, to the line that shows it: ``accel up`` on a mocked host, and a follower."""

import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from accel.testing import MockedHost, mocked_host, what_is_missing
from bench.figures import Figure
from bench.material import BIN, service, until

DESCRIPTION = Path(__file__).parents[1] / "tests/data/hosts/qemu-2numa-boot/qemu-2numa-boot.umockdev"
DRIVE = (
    "/devices/pci0000:20/0000:20:00.0/0000:21:00.0/0000:22:01.0/0000:24:00.0",
    "/devices/virtual/nvme-subsystem/nvme-subsys1",
)


def figures(directory: Path) -> Iterator[Figure]:
    """Pulled, and put back."""
    if missing := what_is_missing():
        print(f"hot-plug is not measured: {missing}", file=sys.stderr)
        return
    with mocked_host(DESCRIPTION) as host, _accel_up(host, directory) as endpoint, _followed(endpoint) as events:
        pulled = _seconds(lambda: host.remove(*DRIVE), "device.lost", events)
        back = _seconds(lambda: host.add(*DRIVE), "device.returned", events)
    shown = "shown by accel event list --follow"
    yield Figure(what=f"card pulled → {shown}", value=pulled, unit="s", bound=3)
    yield Figure(what=f"card back → {shown}", value=back, unit="s", bound=3)


def _seconds(change: Callable[[], None], kind: str, events: Iterator[str]) -> float:
    started = time.monotonic()
    change()
    for event in events:
        if json.loads(event)["kind"] == kind:
            return time.monotonic() - started
    raise SystemExit(f"accel event list --follow ended without {kind}")


@contextmanager
def _accel_up(host: MockedHost, directory: Path) -> Iterator[str]:
    """Where it serves, once it is ready."""
    log = directory / "up.log"
    command = [BIN / "accel", "up", "--state-path", directory, "--listen", "127.0.0.1:0"]
    with service(command, log, **host.environment):
        until(lambda: "Ready: " in log.read_text(), "accel up is ready")
        yield re.search(r"Ready: (\S+)", log.read_text())[1]


@contextmanager
def _followed(endpoint: str) -> Iterator[Iterator[str]]:
    """The lines of ``accel event list --follow``; the history so far is read already."""
    command = [BIN / "accel", "--endpoint", endpoint, "event", "list", "--follow", "-f", "json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            next(process.stdout)
            yield process.stdout
        finally:
            process.kill()
