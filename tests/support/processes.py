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
from typing import Any, NamedTuple

import requests
from support.waiting import until

PATIENCE_SECONDS = 60
BIN = Path(sys.executable).parent


def answered(*command: str | Path, **environment: str) -> Any:
    """The JSON that a program prints, which must end well.

    :param environment: in place of this process's, where one is given
    """
    return _json_of(subprocess.run(command, capture_output=True, text=True, check=False, env=environment or None))


def _json_of(done: "subprocess.CompletedProcess[str]") -> Any:
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


class AllInOne(NamedTuple):
    """A running ``accel up``."""

    process: "subprocess.Popen[str]"
    endpoint: str

    def run(self, *words: str) -> "subprocess.CompletedProcess[str]":
        """A command of ``accel``, as it ended."""
        command = [BIN / "accel", "--endpoint", self.endpoint, *words]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    def ask(self, *words: str) -> Any:
        """The JSON of a command of ``accel``, which must end well."""
        return _json_of(self.run(*words, "-f", "json"))


@contextmanager
def accel_up(state: Path, *arguments: str | Path, **environment: str) -> Iterator[AllInOne]:
    """``accel up``, ready when the block begins; at its end it is asked to stop, and stops well.

    :param state: the directory of its state
    :param environment: in place of this process's, where one is given
    """
    command = [BIN / "accel", "up", "--state-path", state, "--listen", "127.0.0.1:0", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment or None) as process:
        assert process.stdout is not None
        try:
            ready = process.stdout.readline()
            assert ready.startswith("Ready: "), ready
            yield AllInOne(process, ready.split()[1])
        finally:
            process.terminate()
    assert process.returncode == 0


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
