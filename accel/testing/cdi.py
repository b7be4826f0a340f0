"""A container runtime as far as CDI goes: reads the directories of specifications and says what a container gets.

It takes what the specification allows and nothing else, up to a version, as runtimes of their time do: containerd 1.7
stops at 0.8.0. A file that is wrong is left out, as there, and why is kept.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

VERSIONS = ("0.3.0", "0.4.0", "0.5.0", "0.6.0", "0.7.0", "0.8.0", "1.0.0", "1.1.0")
CONTAINERD_1_7 = "0.8.0"

_KIND_PART = re.compile(r"[A-Za-z]([A-Za-z0-9_.-]*[A-Za-z0-9])?", re.ASCII)
_DEVICE = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_.:-]*[A-Za-z0-9])?", re.ASCII)
_SPEC_KEYS = {"cdiVersion", "kind", "annotations", "devices", "containerEdits"}
_DEVICE_KEYS = {"name", "annotations", "containerEdits"}
_EDIT_KEYS = {"env", "deviceNodes", "netDevices", "mounts", "hooks", "intelRdt", "additionalGids"}
_NODE_KEYS = {"path", "hostPath", "type", "major", "minor", "fileMode", "permissions", "uid", "gid"}
_MOUNT_KEYS = {"hostPath", "containerPath", "options", "type"}


class Unresolvable(Exception):
    """A container asks for devices that no specification has: it is not made."""


@dataclass(slots=True)
class Edits:
    """What a container gets."""

    env: dict[str, str] = field(default_factory=dict)
    nodes: list[str] = field(default_factory=list)
    """Where they are in the container, in order."""


@dataclass(slots=True)
class CdiRuntime:
    """Reads anew each time it is asked.

    :param newest: the newest version that it takes
    """

    directories: Sequence[Path]
    newest: str = CONTAINERD_1_7
    problems: dict[Path, str] = field(default_factory=dict)
    """Why files were left out the last time."""

    def devices(self) -> dict[str, Mapping[str, Any]]:
        """All devices by their qualified names; what two files of a directory have, neither has."""
        self.problems.clear()
        found: dict[str, Mapping[str, Any]] = {}
        for directory in self.directories:
            here: dict[str, list[Mapping[str, Any]]] = {}
            paths = directory.iterdir() if directory.is_dir() else ()
            for path in sorted(path for path in paths if path.suffix == ".json"):
                for name, edits in self._read(path):
                    here.setdefault(name, []).append(edits)
            found.update({name: each[0] for name, each in here.items() if len(each) == 1})
        return found

    def inject(self, names: Iterable[str]) -> Edits:
        """What a container with these devices gets.

        :raises Unresolvable: one of them is not there
        """
        known = self.devices()
        missing = [name for name in names if name not in known]
        if missing:
            raise Unresolvable(f"unresolvable CDI devices {', '.join(missing)}")
        got = Edits()
        for name in names:
            got.env.update(entry.split("=", 1) for entry in known[name].get("env", ()))
            got.nodes += [node["path"] for node in known[name].get("deviceNodes", ()) if node["path"] not in got.nodes]
        return got

    def _read(self, path: Path) -> list[tuple[str, Mapping[str, Any]]]:
        spec = json.loads(path.read_text())
        problem = problem_of(spec, self.newest)
        if problem:
            self.problems[path] = problem
            return []
        return [(f"{spec['kind']}={one['name']}", one["containerEdits"]) for one in spec["devices"]]


def problem_of(spec: Any, newest: str = VERSIONS[-1]) -> str:
    """What is wrong with a specification; empty where nothing is."""
    known = VERSIONS[: VERSIONS.index(newest) + 1]
    if set(spec) - _SPEC_KEYS or not {"cdiVersion", "kind", "devices"} <= set(spec):
        return f"its keys are {sorted(spec)}"
    if spec["cdiVersion"] not in known:
        return f"invalid version {spec['cdiVersion']}"
    vendor, _, name = spec["kind"].partition("/")
    if not _KIND_PART.fullmatch(vendor) or not _KIND_PART.fullmatch(name):
        return f"invalid kind {spec['kind']}"
    names = [device.get("name", "") for device in spec["devices"]]
    if len(set(names)) != len(names):
        return "a device is there twice"
    problems = (_problem_of_device(device) for device in spec["devices"])
    wrong = next(filter(None, problems), "")
    minimum = minimum_version(spec)
    if not wrong and VERSIONS.index(spec["cdiVersion"]) < VERSIONS.index(minimum):
        return f"its content needs version {minimum}"
    return wrong


def minimum_version(spec: Mapping[str, Any]) -> str:
    """The first version that allows all that a specification has."""
    edits = [device["containerEdits"] for device in spec["devices"]] + [spec.get("containerEdits", {})]
    needs = {"0.3.0"}
    for one in edits:
        needs |= {"0.4.0"} if any("type" in mount for mount in one.get("mounts", ())) else set()
        needs |= {"0.5.0"} if any("hostPath" in node for node in one.get("deviceNodes", ())) else set()
        needs |= {"0.7.0"} if {"intelRdt", "additionalGids"} & set(one) else set()
        needs |= {"1.1.0"} if "netDevices" in one else set()
    needs |= {"0.5.0"} if any(device["name"][0].isdigit() for device in spec["devices"]) else set()
    has_annotations = "annotations" in spec or any("annotations" in device for device in spec["devices"])
    needs |= {"0.6.0"} if has_annotations or "." in spec["kind"].partition("/")[2] else set()
    return max(needs, key=VERSIONS.index)


def _problem_of_device(device: Mapping[str, Any]) -> str:
    name, edits = device.get("name", ""), device.get("containerEdits")
    if set(device) - _DEVICE_KEYS or not isinstance(name, str) or not _DEVICE.fullmatch(name):
        return f"invalid device {name}"
    if not edits or set(edits) - _EDIT_KEYS:
        return f"{name}: invalid or empty edits"
    if any("=" not in entry for entry in edits.get("env", ())):
        return f"{name}: a variable without a value"
    nodes, mounts = edits.get("deviceNodes", ()), edits.get("mounts", ())
    if any(set(node) - _NODE_KEYS or not node.get("path") for node in nodes):
        return f"{name}: an invalid device node"
    is_wrong = any(set(mount) - _MOUNT_KEYS or not {"hostPath", "containerPath"} <= set(mount) for mount in mounts)
    return f"{name}: an invalid mount" if is_wrong else ""
