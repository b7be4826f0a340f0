"""What a person runs on a node: ``accel-agent discover`` and ``accel-agent doctor``."""

import json
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Protocol

from oslo_config import cfg

from accel.agent import doctor as probes
from accel.agent.probe import Outcome
from accel.cmd.agent_daemon import make_client
from accel.cmd.agent_parts import make_host, make_runner, spool_directory
from accel.model.finding import Probe, State, as_table, examine
from accel.model.report import FailureKind
from accel.rpc import wire
from accel.rpc.messaging import brokers_of, transport_of


class Command(Protocol):
    """Something that a person runs."""

    def __call__(self, conf: cfg.ConfigOpts, *, as_json: bool) -> int:
        """Print, and give the exit status."""
        ...


def discover(conf: cfg.ConfigOpts, *, as_json: bool) -> int:
    """Print what the drivers see, each for itself; no conductor is needed.

    :return: the exit status: 1 when a driver failed for another reason than that there is nothing for it here
    """
    runner = make_runner(conf)
    outcomes = runner.discover()
    if as_json:
        _print_json([wire.encode(outcome.report) for outcome in outcomes])
    else:
        _print_table(("DRIVER", "ADDRESS", "TYPE", "MODEL", "IDENTITY", "HEALTH"), _device_rows(outcomes))
    failures = [outcome.report.failure for outcome in outcomes if outcome.report.failure is not None]
    return 1 if any(failure.kind is not FailureKind.UNAVAILABLE for failure in failures) else 0


def _device_rows(outcomes: Sequence[Outcome]) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for report in (outcome.report for outcome in outcomes):
        if report.failure is not None:
            rows.append((report.driver, "-", "-", f"{report.failure.kind}: {report.failure.message}", "-", "-"))
        for device in report.devices:
            address = "-" if device.address is None else str(device.address)
            rows.append((report.driver, address, device.type, device.model, device.identity, device.health))
    return rows


def doctor(conf: cfg.ConfigOpts, *, as_json: bool) -> int:
    """Print how everything is that the agent needs, and how to mend it.

    :return: the exit status: 1 when something has failed
    """
    findings = examine(_probes(conf))
    if as_json:
        _print_json([wire.encode(finding) for finding in findings])
    else:
        sys.stdout.write(as_table(findings))
    return 1 if any(finding.state is State.FAILED for finding in findings) else 0


def _probes(conf: cfg.ConfigOpts) -> list[Probe]:
    host, runner = make_host(conf), make_runner(conf)
    return [
        partial(probes.configuration, conf.config_file or [], host),
        probes.user,
        partial(probes.privileges, host),
        partial(probes.host_tree, host),
        partial(probes.spool, spool_directory(conf)),
        probes.kernel_events,
        partial(probes.nvml, host, conf.agent.enabled_drivers),
        partial(probes.drivers, runner.setups, runner),
        partial(probes.messages, brokers_of(conf), make_client(conf, transport_of(conf)).agreed_version),
    ]


def _print_json(value: object) -> None:
    sys.stdout.write(json.dumps(value, indent=2) + "\n")


def _print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    widths = [max(len(row[column]) for row in (header, *rows)) for column in range(len(header) - 1)]
    for row in (header, *rows):
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        sys.stdout.write("  ".join((*cells, row[-1])) + "\n")


COMMANDS: Mapping[str, Command] = {"discover": discover, "doctor": doctor}
