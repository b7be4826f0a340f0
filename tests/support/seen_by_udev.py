"""Run as a program on a mocked host: prints as JSON what libudev and what the drivers see of it."""

import json
from pathlib import Path

import pyudev
from support.discovery import ENABLED, devices

from accel.model.device import Device

DRIVERS = tuple(name for name in ENABLED if name != "nvidia")
"""All that read files: NVML would tell of the machine that the tests run on."""
ATTRIBUTES = ("vendor", "device", "class", "numa_node")


def seen(device: Device) -> dict[str, object]:
    """What a description keeps of a device: everything but nodes of which only an empty directory tells."""
    return {
        "identity": device.identity,
        "kind": f"{device.type} {device.vendor}:{device.product} {device.model}",
        "place": [str(device.address), device.numa_node, device.kernel_driver],
        "health": [device.health, device.reason],
        "facts": {name: fact for name, fact in device.std_board_info.items() if name != "device_nodes"},
        "parts": [[part.name, [handle.key for handle in part.handles]] for part in device.deployables],
    }


def functions() -> dict[str, dict[str, str | None]]:
    """The PCI functions that libudev lists, with what it says of them."""
    listed = pyudev.Context().list_devices(subsystem="pci")
    return {one.sys_name: {name: _text(one.attributes.get(name)) for name in ATTRIBUTES} for one in listed}


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode().strip("\0\n ")


if __name__ == "__main__":
    print(json.dumps({"functions": functions(), "devices": [seen(device) for device in devices(Path("/"), DRIVERS)]}))  # noqa: T201 - what it is for
