"""Looks at everything the agent needs and says of each how it is and how to mend it."""

import ctypes
import os
import pwd
import socket
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from accel.agent.probe import Outcome, Setup
from accel.agent.runner import Runner
from accel.agent.watcher import KernelEvents
from accel.drivers import registry
from accel.drivers.base import Host
from accel.drivers.sysfs import names_in
from accel.errors import AccelError, PermissionMissing
from accel.model.finding import Finding, State, failed, ok, warning
from accel.model.report import FailureKind
from accel.privileged.base import Context

_CONNECT_SECONDS = 3.0
_NVML = "libnvidia-ml.so.1"


def configuration(files: Sequence[str], host: Host) -> Iterator[Finding]:
    """Where the configuration comes from and what the node is called."""
    if files:
        yield ok("configuration", ", ".join(files))
    else:
        yield warning("configuration", "no file was read: all is default", "write /etc/accel/accel.conf")
    yield ok("node name", host.name)


def user() -> Iterator[Finding]:
    """Who runs the agent; looking needs no privilege."""
    number = os.geteuid()
    name = str(number)
    with suppress(KeyError):
        name = pwd.getpwuid(number).pw_name
    yield ok("user", name)


def privileges(host: Host) -> Iterator[Finding]:
    """What of that which takes privilege can be done; each context is started for it, and does nothing."""
    for context in Context:
        probe = f"privileged {context}"
        try:
            yield ok(probe, host.privileged.check(context))
        except PermissionMissing as error:
            yield warning(probe, f"{error.what}: what needs it is refused", error.hint)


def host_tree(host: Host) -> Iterator[Finding]:
    """Whether the host's hardware can be read."""
    devices = host.sysfs / "bus/pci/devices"
    if not host.sysfs.is_dir() or not os.access(host.sysfs, os.R_OK | os.X_OK):
        mend = "mount it, or set [agent] host_root"
        yield failed("sysfs", f"{host.sysfs} cannot be read", mend)
    elif not devices.is_dir():
        yield warning("sysfs", f"{devices} is not there", "a host without PCI, or a container without /sys/bus")
    else:
        yield ok("sysfs", f"{len(names_in(devices))} PCI functions in {devices}")


def spool(directory: Path) -> Iterator[Finding]:
    """Whether reports outlive an absence of the conductor."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=directory):
            pass
    except OSError as error:
        mend = f"let {directory} belong to the agent's user, or set [DEFAULT] state_path"
        yield failed("spool", f"{directory}: {error.strerror}", mend)
    else:
        yield ok("spool", f"{directory} can be written")


def kernel_events() -> Iterator[Finding]:
    """Whether hot-plug is noticed at once."""
    later = "changes are seen at the next periodic look only"
    try:
        KernelEvents()
    except ImportError as error:
        yield warning("kernel events", f"libudev is not there ({error}): {later}", "install libudev1")
    except OSError as error:
        yield warning("kernel events", f"{error}: {later}", "let the agent open netlink sockets")
    else:
        yield ok("kernel events", "can be heard")


def nvml(host: Host, drivers: Sequence[str]) -> Iterator[Finding]:
    """Whether NVIDIA's library is there, for those who want it."""
    if "nvidia" not in drivers or not host.is_real:
        return
    try:
        ctypes.CDLL(_NVML)
    except OSError:
        mend = "nothing to do on a host without NVIDIA GPUs; else install the NVIDIA driver with its libraries"
        yield warning("NVML", f"{_NVML} is not installed: GPUs are read from sysfs alone", mend)
    else:
        yield ok("NVML", f"{_NVML} is installed")


def drivers(setups: Sequence[Setup], runner: Runner) -> Iterator[Finding]:
    """What is installed, and what each enabled driver sees."""
    yield ok("installed drivers", ", ".join(registry.installed()))
    for setup, outcome in zip(setups, runner.discover(), strict=True):
        yield _driver(setup.driver, outcome)


def _driver(name: str, outcome: Outcome) -> Finding:
    failure = outcome.report.failure
    probe = f"driver {name}"
    if failure is None:
        return ok(probe, f"{len(outcome.report.devices)} devices in {outcome.seconds:.2f} s")
    found = f"{failure.kind}: {failure.message}"
    mend = failure.hint or f"leave {name} out of [agent] enabled_drivers where it has nothing to find"
    return warning(probe, found, mend) if failure.kind is FailureKind.UNAVAILABLE else failed(probe, found, mend)


def messages(addresses: Iterable[tuple[str, int]], agreed_version: Callable[[], str]) -> Iterator[Finding]:
    """Whether each broker takes connections, and a conductor answers.

    :param agreed_version: asks a conductor for the version of the messages; raises an ``AccelError`` when none answers
    """
    brokers = [_broker(host, port) for host, port in addresses]
    yield from brokers
    if any(broker.state is State.OK for broker in brokers):
        yield _conductor(agreed_version)
    else:
        yield failed("conductor", "was not asked, because there is no broker", "mend the broker first")


def _broker(host: str, port: int) -> Finding:
    probe = f"broker {host}:{port}"
    try:
        socket.create_connection((host, port), timeout=_CONNECT_SECONDS).close()
    except OSError as error:
        mend = "see that the broker runs and that no firewall is between; [DEFAULT] transport_url names it"
        return failed(probe, str(error), mend)
    return ok(probe, "takes connections")


def _conductor(agreed_version: Callable[[], str]) -> Finding:
    try:
        version = agreed_version()
    except AccelError as error:
        mend = "see that accel-conductor runs, with the same transport_url and [rpc] topic, and the broker's login"
        return failed("conductor", str(error), mend)
    return ok("conductor", f"answers; messages of version {version}")
