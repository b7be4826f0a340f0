"""CDI: what a runtime does to a container for a device, written beforehand for all devices of the node.

One file for each kind of device. It is written when the plugin starts and when something changes, so what a kubelet
has remembered of a pod is there again after a restart of the node; and it is removed when the plugin ends for good.
Facts are those of the Container Device Interface specification, version 1.1.0 and before.
"""

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from accel.kubernetes.units import Unit
from accel.model.device import DeviceType

_SUFFIX = ".json"
_UNSAFE_IN_VARIABLE = re.compile(r"[^A-Z0-9]+")
_NVIDIA = "10de"

_VERSION = "0.3.0"
"""The first that a runtime of today reads; nothing of what we write came later but names that begin with a digit."""
_VERSION_OF_DIGITS = "0.5.0"


def kind_of(unit: Unit, vendor: str) -> str:
    """The kind that a unit is a device of: ``accel.io/gpu``."""
    return f"{vendor}/{unit.device.type.lower()}"


def name_of(unit: Unit, vendor: str) -> str:
    """What a runtime knows a unit by: ``accel.io/gpu=GPU-4e…``."""
    return f"{kind_of(unit, vendor)}={unit.id}"


def specs(units: Iterable[Unit], vendor: str) -> Mapping[str, Mapping[str, Any]]:
    """The specifications of some units, by kind."""
    kinds: dict[str, dict[str, Unit]] = {}
    for unit in units:
        kinds.setdefault(kind_of(unit, vendor), {})[unit.id] = unit
    return {kind: _spec(kind, [of_kind[name] for name in sorted(of_kind)]) for kind, of_kind in sorted(kinds.items())}


def _spec(kind: str, units: list[Unit]) -> Mapping[str, Any]:
    begins_with_digit = any(unit.id[0].isdigit() for unit in units)
    return {
        "cdiVersion": _VERSION_OF_DIGITS if begins_with_digit else _VERSION,
        "kind": kind,
        "devices": [{"name": unit.id, "containerEdits": _edits(unit)} for unit in units],
    }


def _edits(unit: Unit) -> Mapping[str, Any]:
    """What a container gets. Two devices may go to one container, so each has a variable of its own name."""
    edits: dict[str, Any] = {"env": [f"{variable_of(unit)}={unit.facts['address'] or unit.id}"]}
    if unit.device.vendor == _NVIDIA and unit.device.type is DeviceType.GPU:
        # NVIDIA's older hook gives what this variable names, whatever CDI gives: it is to give nothing.
        edits["env"].append("NVIDIA_VISIBLE_DEVICES=void")
    if unit.nodes:
        edits["deviceNodes"] = [{"path": path} for path in unit.nodes]
    return edits


def variable_of(unit: Unit) -> str:
    """The environment variable that tells a container of a unit."""
    return f"ACCEL_{unit.device.type}_{_UNSAFE_IN_VARIABLE.sub('_', unit.id.upper()).strip('_')}"


class SpecFiles:
    """The files in a directory that runtimes read.

    :param directory: made when it is not there
    """

    def __init__(self, directory: Path, vendor: str) -> None:
        self._directory = directory
        self._vendor = vendor
        self._written: dict[Path, str] = {}
        self._files: dict[Path, tuple[int, int]] = {}

    def write(self, units: Iterable[Unit]) -> None:
        """Have the files say what these units need, and nothing else.

        :raises OSError: the directory cannot be written
        """
        wanted = {
            self._path(kind): json.dumps(spec, indent=2) + "\n" for kind, spec in specs(units, self._vendor).items()
        }
        self._directory.mkdir(parents=True, exist_ok=True)
        for path, text in wanted.items():
            if self._written.get(path) != text or not path.exists():
                self._files[path] = _replace(path, text)
        self._written = wanted
        for path in set(self._ours()) - wanted.keys():
            path.unlink(missing_ok=True)

    def remove(self) -> None:
        """Have none of the files there any more that we have written; those of a plugin that comes after us stay."""
        for path, file in self._files.items():
            with suppress(OSError):
                if _identity(path) == file:
                    path.unlink()
        self._written, self._files = {}, {}

    def _path(self, kind: str) -> Path:
        return self._directory / f"{kind.replace('/', '-')}{_SUFFIX}"

    def _ours(self) -> Iterator[Path]:
        """Our files, those of an earlier run among them."""
        prefix = f"{self._vendor}-"
        if self._directory.is_dir():
            yield from (path for path in self._directory.iterdir() if _is_named(path.name, prefix))


def _is_named(name: str, prefix: str) -> bool:
    kinds = {f"{prefix}{kind.lower()}{_SUFFIX}" for kind in DeviceType}
    return name in kinds


def _replace(path: Path, text: str) -> tuple[int, int]:
    """Write so that a runtime finds the old file or the new one; what begins with a dot it does not read.

    :return: which file it is
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(text)
    temporary.chmod(0o644)
    temporary.replace(path)
    return _identity(path)


def _identity(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_dev, found.st_ino
