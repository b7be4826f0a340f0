"""A captured host as a description that umockdev reads, for whoever looks at ``/sys`` through libudev.

A description holds devices: each with what the kernel says of it when it comes (``uevent``), its attributes and links.
What is below a device and is none itself is told with it. An empty directory is not told.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

_NOT_TOLD = frozenset({"subsystem", "uevent", "config", "rom", "vpd", "remove", "rescan", "reset", "resource0"})
"""What libudev tells of itself, what is binary and large, and what is only written to."""
_MAX_BYTES = 8192


def description(root: Path) -> str:
    """The host whose ``/`` a directory stands for."""
    devices = _devices(root / "sys")
    writer = _Writer(root=root, devices=devices)
    return "\n".join("".join(f"{line}\n" for line in writer.section(path)) for path in sorted(devices))


def _devices(sysfs: Path) -> dict[Path, str]:
    """The directories of devices with their subsystems. Of those with the same name in one subsystem, the first."""
    found: dict[Path, str] = {}
    names: set[tuple[str, str]] = set()
    for path, subsystem in (*_listed(sysfs), *_nested(sysfs)):
        if path not in found and (subsystem, path.name) not in names:
            found[path] = subsystem
            names.add((subsystem, path.name))
    return found


def _listed(sysfs: Path) -> Iterator[tuple[Path, str]]:
    """What a bus or a class has."""
    top = (sysfs / "devices").resolve()
    for kind, inner in (("bus", "devices"), ("class", ".")):
        for subsystem in sorted((sysfs / kind).glob("*")):
            for path in (link.resolve() for link in sorted((subsystem / inner).glob("*"))):
                if path.is_dir() and path.is_relative_to(top):
                    yield path, subsystem.name


def _nested(sysfs: Path) -> Iterator[tuple[Path, str]]:
    """What says itself that it is a device."""
    for directory, below, _ in os.walk((sysfs / "devices").resolve()):
        below.sort()
        link = Path(directory, "subsystem")
        if link.is_symlink() and link.readlink().name not in ("", ".", ".."):
            yield Path(directory), link.readlink().name


@dataclass(frozen=True, slots=True, kw_only=True)
class _Writer:
    """Writes the sections of a description, one for each device."""

    root: Path
    devices: Mapping[Path, str]
    nodes: set[str] = field(default_factory=set)
    """Names below ``/dev`` that are taken: a captured host may give one twice."""

    def section(self, path: Path) -> Iterator[str]:
        """The lines of one device."""
        yield f"P: /{path.relative_to((self.root / 'sys').resolve())}"
        said = _event(path / "uevent")
        node = said.pop("DEVNAME", "").removeprefix("/dev/")
        if node and node not in self.nodes:
            self.nodes.add(node)
            yield f"N: {node}"
            yield f"E: DEVNAME=/dev/{node}"
        yield f"E: SUBSYSTEM={self.devices[path]}"
        yield from (f"E: {name}={value}" for name, value in said.items() if name != "SUBSYSTEM")
        yield from self._contents(path, "")

    def _contents(self, directory: Path, prefix: str) -> Iterator[str]:
        for child in sorted(directory.iterdir()):
            name = f"{prefix}{child.name}"
            if child.is_symlink():
                target = child.readlink()
                if not prefix and name != "subsystem" and not target.is_absolute():
                    yield f"L: {name}={target}"
            elif child.is_dir():
                if child not in self.devices:
                    yield from self._contents(child, f"{name}/")
            elif child.name not in _NOT_TOLD and child.is_file():
                yield _attribute(name, child.read_bytes()[:_MAX_BYTES])


def _event(path: Path) -> dict[str, str]:
    lines = path.read_text(errors="replace").splitlines() if path.is_file() else []
    return dict(line.split("=", 1) for line in lines if "=" in line)


def _attribute(name: str, content: bytes) -> str:
    try:
        text = content.decode()
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text or "\r" in text:
        return f"H: {name}={content.hex().upper()}"
    escaped = text.replace("\\", "\\\\").replace("\n", "\\n")
    return f"A: {name}={escaped}"
