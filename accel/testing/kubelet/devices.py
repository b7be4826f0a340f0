"""What a kubelet knows of devices and pods, and what it remembers of them."""

import base64
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from accel.protos import kubelet_device_plugin_v1beta1_pb2 as wire

CHECKPOINT = "kubelet_internal_checkpoint"
HEALTHY = "Healthy"


class PodRefused(Exception):
    """A pod is not admitted, and nobody tries again: ``UnexpectedAdmissionError``."""


@dataclass(frozen=True, slots=True)
class Pod:
    """A pod, as far as devices go."""

    namespace: str
    name: str
    containers: Mapping[str, Mapping[str, int]]
    """By the name of the container, how many of each resource."""
    init_containers: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """They run before the others, which may have their devices afterwards."""

    @property
    def key(self) -> str:
        """What tells it from others."""
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True)
class Given:
    """What a container has of a resource."""

    ids: tuple[str, ...]
    answer: bytes
    """The plugin's answer for the container, as it came."""

    def message(self) -> wire.ContainerAllocateResponse:
        """The answer."""
        return wire.ContainerAllocateResponse.FromString(self.answer)


@dataclass(slots=True)
class Admitted:
    """A pod that was admitted."""

    pod: Pod
    given: dict[tuple[str, str], Given]
    """By container and resource."""

    def ids(self, resource: str) -> list[str]:
        """All devices of a resource that the pod has, each once."""
        found = (one for (_, name), given in self.given.items() if name == resource for one in given.ids)
        return list(dict.fromkeys(found))

    def answer(self, container: str, resource: str) -> wire.ContainerAllocateResponse:
        """What the plugin said that a container needs."""
        return self.given[container, resource].message()


@dataclass(slots=True)
class Listed:
    """A resource as its plugin lists it."""

    health: dict[str, bool] = field(default_factory=dict)
    numa: dict[str, tuple[int, ...]] = field(default_factory=dict)
    lists: int = 0
    """How many lists have come from the plugin that is registered."""

    @classmethod
    def of(cls, message: wire.ListAndWatchResponse, lists: int) -> "Listed":
        """What a list says: devices with one id are one, and only the word itself is healthy."""
        return cls(
            health={device.ID: device.health == HEALTHY for device in message.devices},
            numa={
                device.ID: tuple(one.ID for one in device.topology.nodes)
                for device in message.devices
                if device.topology.nodes
            },
            lists=lists,
        )


class Checkpoint:
    """The file that a kubelet remembers its pods' devices in; what was answered is kept as it was."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / CHECKPOINT

    def write(self, admitted: Mapping[str, Admitted]) -> None:
        """Remember these pods."""
        entries = [
            {
                "namespace": one.pod.namespace,
                "name": one.pod.name,
                "containers": {name: dict(limits) for name, limits in one.pod.containers.items()},
                "container": container,
                "resource": resource,
                "ids": list(given.ids),
                "answer": base64.b64encode(given.answer).decode(),
            }
            for one in admitted.values()
            for (container, resource), given in one.given.items()
        ]
        self._path.write_text(json.dumps(entries))

    def read(self) -> dict[str, Admitted]:
        """The pods that were remembered; none where there is no file."""
        found: dict[str, Admitted] = {}
        for entry in self._entries():
            pod = Pod(entry["namespace"], entry["name"], entry["containers"])
            one = found.setdefault(pod.key, Admitted(pod, {}))
            one.given[entry["container"], entry["resource"]] = Given(
                tuple(entry["ids"]), base64.b64decode(entry["answer"])
            )
        return found

    def _entries(self) -> Iterator[dict[str, Any]]:
        if self._path.exists():
            yield from json.loads(self._path.read_text())
