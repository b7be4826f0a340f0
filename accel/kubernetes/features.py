"""What a node has, as labels of the node: a file that node-feature-discovery reads.

Each kind of device has its own: what it is, how many, how much memory, by which driver, how it is cut and shared.
A label of what is shared says too that nothing keeps the sharers apart.
"""

import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from accel.kubernetes.resources import MigStrategy, Resources
from accel.kubernetes.units import Unit
from accel.model.device import DeployableKind, Device

PREFIX = "accel.io"
FILE_NAME = "accel"

_MAX_VALUE_LENGTH = 63
_UNSAFE = re.compile(r"[^A-Za-z0-9_.-]+")
_DRIVER_FACTS = ("driver_version", "cuda_version")
_MIB = 2**20


def labels(devices: Iterable[Device], units: Iterable[Unit], resources: Resources, mig: MigStrategy) -> dict[str, str]:
    """The labels by their names, each of the form that Kubernetes allows."""
    by_type: dict[str, list[Device]] = {}
    for device in devices:
        by_type.setdefault(device.type.lower(), []).append(device)
    found: dict[str, str] = {}
    for name, of_type in sorted(by_type.items()):
        for key, value in _of_type(of_type):
            found[f"{PREFIX}/{name}.{key}"] = _value(value)
    found.update(_cut(units, mig))
    found.update(_shared(resources))
    return {key: value for key, value in found.items() if value}


def _of_type(devices: list[Device]) -> Iterator[tuple[str, str]]:
    """What holds of all devices of a type; of several models, that of the most."""
    yield "present", "true"
    yield "count", str(len(devices))
    yield "product", _most(device.model for device in devices)
    yield "memory-mib", _most(_memory(device) for device in devices)
    yield "kernel-driver", _most(device.kernel_driver or "" for device in devices)
    for fact in _DRIVER_FACTS:
        yield fact.replace("_", "-"), _most(device.std_board_info.get(fact, "") for device in devices)


def _memory(device: Device) -> str:
    figures = [one.value for part in device.deployables[:1] for one in part.attributes if one.key == "memory_bytes"]
    return str(int(figures[0]) // _MIB) if figures and figures[0].isdecimal() else ""


def _most(values: Iterable[str]) -> str:
    """The value that is there most often, of several the first in order; empty where there is none."""
    counted = Counter(filter(None, values))
    return min(counted, key=lambda value: (-counted[value], value)) if counted else ""


def _cut(units: Iterable[Unit], mig: MigStrategy) -> Mapping[str, str]:
    profiles = Counter(unit.facts["profile"] for unit in units if unit.part.kind is DeployableKind.MIG)
    if not profiles:
        return {}
    counts = {f"{PREFIX}/mig-{_value(name)}.count": str(count) for name, count in sorted(profiles.items())}
    return {f"{PREFIX}/mig.strategy": str(mig), **counts}


def _shared(resources: Resources) -> Mapping[str, str]:
    found: dict[str, str] = {}
    for name, resource in resources.by_name.items():
        if resource.is_shared:
            key = f"{PREFIX}/{_value(name.partition('/')[2])}"
            found[f"{key}.shares"] = str(max(one.shares for one in resource.counted))
            found[f"{key}.isolation"] = "none"
    return found


def _value(text: str) -> str:
    return _UNSAFE.sub("-", text)[:_MAX_VALUE_LENGTH].strip("-_.")


class FeatureFile:
    """The file, in the directory that node-feature-discovery looks into."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / FILE_NAME
        self._written = ""

    def write(self, found: Mapping[str, str]) -> None:
        """Have it say this.

        :raises OSError: the directory cannot be written
        """
        text = "".join(f"{key}={value}\n" for key, value in sorted(found.items()))
        if text == self._written and self._path.exists():
            return
        temporary = self._path.with_name(f".{FILE_NAME}.{os.getpid()}")  # what begins with a dot is not read
        temporary.write_text(text)
        temporary.replace(self._path)
        self._written = text

    def remove(self) -> None:
        """Have it say nothing any more."""
        with suppress(OSError):
            self._path.unlink()
