"""What ``accel-device-plugin`` is told: a YAML file, as a ConfigMap holds it, read with all its mistakes named.

It is no file of oslo.config, whose library alone would be a third of the plugin's memory.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

import yaml

from accel.errors import ConfigurationError, InvalidValue
from accel.kubernetes.resources import Act, Allocation, MigStrategy, Rule, check_name
from accel.kubernetes.units import PARTS_WITHOUT_HANDLES
from accel.model.device import DeployableKind
from accel.placement.comparison import read_comparison

_Word = TypeVar("_Word", bound=StrEnum)

MAX_SHARES = 10_000

DEVICE_LISTS = ("cdi", "annotations", "environment", "mounts", "device-nodes")
"""The ways in which a container is told what it has; several at once can be."""

NAMES: Mapping[str, Sequence[tuple[str, str]]] = {
    "accel": (
        ("accel.io/gpu", "type = GPU, kind = card"),
        ("accel.io/mig-{profile}", "kind = mig"),
        ("accel.io/gpu-vf", "type = GPU, kind = vf_pool"),
        ("accel.io/gpu-partition", "type = GPU, kind = partition"),
        ("accel.io/fpga-function-{afu_id}", "type = FPGA, kind = region, afu_id != none"),
        ("accel.io/{type}", "kind = card"),
        ("accel.io/{type}-{part}", ""),
    ),
    "vendor": (
        ("nvidia.com/gpu", "type = GPU, vendor = 10de, kind = card"),
        ("nvidia.com/mig-{profile}", "kind = mig"),
        ("amd.com/gpu", "type = GPU, vendor = 1002"),
        ("gpu.intel.com/{driver}", "type = GPU, vendor = 8086"),
        ("habana.ai/gaudi", "vendor = 1da3"),
        ("qat.intel.com/generic", "type = QAT, vendor = 8086"),
        ("fpga.intel.com/{part}", "type = FPGA, vendor = 8086"),
        ("amd.com/{model}", "type = FPGA, vendor = 10ee"),
        ("huawei.com/{model}", "vendor = 19e5"),
        ("accel.io/{type}", "kind = card"),
        ("accel.io/{type}-{part}", ""),
    ),
    "model": (
        ("accel.io/mig-{profile}", "kind = mig"),
        ("accel.io/{model}", "kind = card"),
        ("accel.io/{model}-{part}", ""),
    ),
}
"""Sets of names that come with us: the resources, and the units that are of each. They come after the rules."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Everything that can be said."""

    node_socket: Path = Path("/run/accel/node.sock")
    kubelet_directory: Path = Path("/var/lib/kubelet/device-plugins")
    plugins_registry: Path | None = None
    """Where the kubelet looks for plugins by itself; None: we register."""
    pod_resources_socket: Path | None = Path("/var/lib/kubelet/pod-resources/kubelet.sock")
    """None: nobody asks who has what."""
    cdi_directory: Path = Path("/var/run/cdi")
    cdi_vendor: str = "accel.io"
    device_lists: tuple[str, ...] = ("cdi",)
    names: str = "accel"
    """A key of ``NAMES``."""
    mig: MigStrategy = MigStrategy.MIXED
    parts: frozenset[DeployableKind] = frozenset()
    """Kinds of parts that are offered in place of the cards that have them."""
    rules: tuple[Rule, ...] = ()
    allocate_timeout_seconds: float = 10.0
    release_grace_seconds: float = 10.0
    """How long a pod must have been gone before what it was lent is given back."""
    listen: str = ""
    """``host:port`` of /metrics and /healthz; empty: nowhere."""
    events: bool = False
    """Whether the cluster's API server is told of devices that are not fit."""
    features_directory: Path | None = None
    """Where node-feature-discovery looks for files; None: no labels are written."""

    @property
    def all_rules(self) -> tuple[Rule, ...]:
        """The rules that are given, then those of the names."""
        return (*self.rules, *(_rule({"name": name, "where": where}, self.names) for name, where in NAMES[self.names]))


def load(path: Path) -> Config:
    """Read a file.

    :raises ConfigurationError: it cannot be read, or something in it is wrong; the text says where
    """
    try:
        document = yaml.safe_load(path.read_text())
    except OSError as error:
        raise ConfigurationError(f"{path}: {error.strerror}") from error
    except yaml.YAMLError as error:
        raise ConfigurationError(f"{path} is no YAML: {error}") from error
    try:
        return read({} if document is None else document)
    except InvalidValue as error:
        raise ConfigurationError(f"{path}: {error}") from error


def read(document: object) -> Config:
    """Make sense of what is said.

    :raises InvalidValue: something of it is wrong
    """
    said = _mapping("the file", document, Config.__dataclass_fields__.keys() - {"rules"} | {"resources"})
    values: dict[str, Any] = {key: _READERS[key](key, value) for key, value in said.items()}
    values["rules"] = values.pop("resources", ())
    return Config(**values)


def _path(key: str, value: object) -> Path:
    path = Path(_text(key, value))
    if not path.is_absolute():
        raise InvalidValue(key, str(path), "an absolute path")
    return path


def _optional_path(key: str, value: object) -> Path | None:
    return None if value in (None, "") else _path(key, value)


def _text(key: str, value: object) -> str:
    if not isinstance(value, str) or not value:
        raise InvalidValue(key, value, "a text")
    return value


def _seconds(key: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0.1 <= value <= 600:
        raise InvalidValue(key, value, "a number of seconds from 0.1 to 600")
    return float(value)


def _listen(key: str, value: object) -> str:
    text = value if value == "" else _text(key, value)
    if text and not str(text).rpartition(":")[2].isdecimal():
        raise InvalidValue(key, text, "host:port, such as 0.0.0.0:9410")
    return str(text)


def _device_lists(key: str, value: object) -> tuple[str, ...]:
    found = tuple(_one_of(f"{key}[{place}]", one, DEVICE_LISTS) for place, one in enumerate(_list(key, value)))
    if not found:
        raise InvalidValue(key, value, f"a list of {', '.join(DEVICE_LISTS)}")
    return found


def _parts(key: str, value: object) -> frozenset[DeployableKind]:
    kinds = [str(kind) for kind in PARTS_WITHOUT_HANDLES]
    return frozenset(
        DeployableKind(_one_of(f"{key}[{place}]", one, kinds)) for place, one in enumerate(_list(key, value))
    )


def _rules(key: str, value: object) -> tuple[Rule, ...]:
    return tuple(_rule(one, f"{key}[{place}]") for place, one in enumerate(_list(key, value)))


_IMAGE_KEYS = ("digest", "size", "name", "signature", "public_key")
_FLAGS = {
    "renamed": "is_renamed",
    "one_per_container": "is_one_per_container",
    "different_cards": "is_on_different_cards",
    "prepared": "is_prepared",
}


def _rule(value: object, where: str) -> Rule:
    said = _mapping(where, value, {"name", "where", "shares", "allocation", "before_start", "after_end", *_FLAGS})
    if "name" not in said:
        raise InvalidValue(where, value, "complete: name is missing")
    flags = {name: _flag(f"{where}.{key}", said[key]) for key, name in _FLAGS.items() if key in said}
    allocation = said.get("allocation")
    conditions = str(said.get("where") or "")
    return Rule(
        name=check_name(f"{where}.name", _text(f"{where}.name", said["name"])),
        where=tuple(
            read_comparison(part.strip(), f"{where}.where") for part in conditions.split(",") if conditions.strip()
        ),
        shares=_shares(f"{where}.shares", said.get("shares", 1)),
        allocation=None if allocation is None else _enum(Allocation, f"{where}.allocation", allocation),
        before_start=_before_start(f"{where}.before_start", said["before_start"]) if "before_start" in said else None,
        after_end=_after_end(f"{where}.after_end", said["after_end"]) if "after_end" in said else None,
        **flags,
    )


def _before_start(where: str, value: object) -> Act:
    """``reset``, or a mapping with ``scrub`` and its method, or with ``program`` and an image."""
    if value == "reset":
        return Act(kind="reset")
    said = _mapping(where, value, {"scrub", "program"})
    if len(said) != 1:
        raise InvalidValue(where, value, "reset, or one of scrub and program")
    if "scrub" in said:
        return Act(kind="scrub", method=_text(f"{where}.scrub", said["scrub"]))
    image = _mapping(f"{where}.program", said["program"], _IMAGE_KEYS)
    for key in ("digest", "size"):
        if key not in image:
            raise InvalidValue(f"{where}.program", image, f"complete: {key} is missing")
    if not str(image["size"]).isdecimal():
        raise InvalidValue(f"{where}.program.size", image["size"], "a number of bytes")
    return Act(kind="program", image={key: str(text) for key, text in image.items()})


def _after_end(where: str, value: object) -> Act:
    """``reset``, or a mapping with ``scrub`` and its method."""
    if value == "reset":
        return Act(kind="reset")
    said = _mapping(where, value, {"scrub"})
    return Act(kind="scrub", method=_text(f"{where}.scrub", said.get("scrub")))


def _shares(key: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MAX_SHARES:
        raise InvalidValue(key, value, f"a whole number from 1 to {MAX_SHARES}")
    return value


def _flag(key: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise InvalidValue(key, value, "true or false")
    return value


def _one_of(key: str, value: object, allowed: Sequence[str]) -> str:
    if value not in allowed:
        raise InvalidValue(key, value, f"one of {', '.join(allowed)}")
    return str(value)


def _enum(kind: type[_Word], key: str, value: object) -> _Word:
    return kind(_one_of(key, value, [str(one) for one in kind]))


def _list(key: str, value: object) -> list[object]:
    if not isinstance(value, list):
        raise InvalidValue(key, value, "a list")
    return value


def _mapping(key: str, value: object, allowed: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise InvalidValue(key, value, "a mapping: lines of the form `key: value`")
    for name in value:
        if name not in allowed:
            raise InvalidValue(key, name, f"something that can be said here; {', '.join(sorted(allowed))} can")
    return value


_READERS: Mapping[str, Any] = {
    "node_socket": _path,
    "kubelet_directory": _path,
    "plugins_registry": _optional_path,
    "pod_resources_socket": _optional_path,
    "cdi_directory": _path,
    "cdi_vendor": _text,
    "device_lists": _device_lists,
    "names": lambda key, value: _one_of(key, value, list(NAMES)),
    "mig": lambda key, value: _enum(MigStrategy, key, value),
    "parts": _parts,
    "resources": _rules,
    "allocate_timeout_seconds": _seconds,
    "release_grace_seconds": _seconds,
    "listen": _listen,
    "events": _flag,
    "features_directory": _optional_path,
}
