"""The drivers of tests/data/test-drivers, installed for a test."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from accel.agent.probe import Outcome, Setup
from accel.agent.runner import ProcessRunner, nursery_of
from accel.drivers.base import Host

FOLDER = Path(__file__).parents[1] / "data" / "test-drivers"


@pytest.fixture
def faulty_drivers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python finds the drivers while the test runs."""
    monkeypatch.syspath_prepend(str(FOLDER))


def setups(*names: str, host: Host | None = None, options: Mapping[str, object] | None = None) -> tuple[Setup, ...]:
    """What the named drivers are given."""
    return tuple(Setup(driver=name, host=host or Host(name="node-1"), options=options or {}) for name in names)


def runner(*names: str, timeout_seconds: float = 30, options: Mapping[str, object] | None = None) -> ProcessRunner:
    """Runs the drivers in processes, as in the agent."""
    of = setups(*names, options=options)
    return ProcessRunner(of, nursery_of(of), timeout_seconds=timeout_seconds)


def looked(*names: str, timeout_seconds: float = 30) -> Sequence[Outcome]:
    """One look of each driver, in processes as in the agent."""
    return runner(*names, timeout_seconds=timeout_seconds).discover()
