"""Our programs as processes, as a person or systemd starts them."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests
from support.waiting import until

PATIENCE_SECONDS = 60
BIN = Path(sys.executable).parent


def answered(*command: str | Path, **environment: str) -> Any:
    """The JSON that a program prints, which must end well.

    :param environment: in place of this process's, where one is given
    """
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment or None)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@contextmanager
def service(program: str, config: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """A service of ours, by its process, which says when it is ready and ends well at SIGTERM."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        address = str(config.with_suffix(f".{program}"))
        manager.bind(address)
        command, environment = [BIN / program, "--config-file", config], os.environ | {"NOTIFY_SOCKET": address}
        with subprocess.Popen(command, env=environment) as process:
            try:
                while b"READY=1" not in manager.recv(1024):
                    pass
                yield process
            finally:
                process.terminate()
    assert process.returncode == 0


@contextmanager
def answering(command: Sequence[str], url: str, log: Path, **environment: str) -> Iterator["subprocess.Popen[bytes]"]:
    """A server of others, which answers at a URL within the block; it is killed at its end.

    :param log: where its standard error goes, after what is there
    """
    with (
        log.open("a") as errors,
        subprocess.Popen(command, stderr=errors, env=os.environ | environment) as process,
    ):
        try:
            until(lambda: _answers(url, process), patience_seconds=PATIENCE_SECONDS)
            yield process
        finally:
            process.kill()


def _answers(url: str, process: "subprocess.Popen[bytes]") -> bool:
    assert process.poll() is None, f"{process.args!r} has ended"
    try:
        requests.get(url, timeout=PATIENCE_SECONDS).raise_for_status()
    except requests.ConnectionError:
        return False
    return True


@contextmanager
def followed(endpoint: str) -> Iterator[Iterator[dict[str, Any]]]:
    """The events that ``accel event list --follow`` prints, as it prints them; Ctrl-C ends it well."""
    command = [BIN / "accel", "--endpoint", endpoint, "event", "list", "--follow", "-f", "json", "--long"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield map(json.loads, process.stdout)
        finally:
            process.send_signal(signal.SIGINT)
    assert process.returncode == 0


def free_port() -> int:
    """A TCP port of loopback that nobody listens on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])
