"""What an agent makes of a host with the drivers that are enabled by default."""

from pathlib import Path

from accel.agent.merge import merge
from accel.agent.probe import Setup
from accel.agent.runner import InlineRunner
from accel.conf.agent import OPTIONS
from accel.drivers.base import Host
from accel.model.device import Device

NODE = "node-1"
ENABLED: tuple[str, ...] = tuple(next(option for option in OPTIONS if option.name == "enabled_drivers").default)


def discover(root: Path, drivers: tuple[str, ...] = ENABLED) -> dict[str, tuple[Device, ...]]:
    """The devices of a host by the driver that has them, each once; no driver may fail."""
    host = Host(name=NODE, root=root)
    reports = [
        outcome.report for outcome in InlineRunner([Setup(driver=name, host=host) for name in drivers]).discover()
    ]
    assert [report.failure for report in reports if report.failure] == []
    return {report.driver: report.devices for report in merge(reports, {}).reports if report.devices}


def devices(root: Path, drivers: tuple[str, ...] = ENABLED) -> list[Device]:
    """The devices of a host, each once, by address; those without one last."""
    found = [device for mine in discover(root, drivers).values() for device in mine]
    return sorted(found, key=lambda device: (device.address is None, str(device.address), device.identity))
