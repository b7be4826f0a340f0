"""What a kubelet knows of devices and pods, and what it remembers of them."""

import base64
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from uuid import uuid4

from accel.protos import kubelet_device_plugin_v1beta1_pb2 as wire

CHECKPOINT = "kubelet_internal_checkpoint"
HEALTHY = "Healthy"
_NO_NUMA = "-1"
"""Where a checkpoint has the devices that name no NUMA node."""


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


Gifts = dict[tuple[str, str], Given]
"""What a pod has, by container and resource."""


@dataclass(slots=True)
class Admitted:
    """A pod that was admitted."""

    pod: Pod
    given: Gifts
    uid: str = field(default_factory=lambda: str(uuid4()))

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
    """The file that a kubelet remembers in what containers have, in the kubelet's own form.

    It knows pods by their UIDs alone; what was answered is kept as it was.
    """

    def __init__(self, directory: Path) -> None:
        self._path = directory / CHECKPOINT

    def write(self, given: Mapping[str, Gifts], healthy: Mapping[str, Iterable[str]]) -> None:
        """Remember this.

        :param given: by the UID of the pod
        :param healthy: of each resource the devices that are
        """
        entries = [
            {
                "PodUID": uid,
                "ContainerName": container,
                "ResourceName": resource,
                "DeviceIDs": {_NO_NUMA: list(one.ids)},
                "AllocResp": base64.b64encode(one.answer).decode(),
            }
            for uid, gifts in given.items()
            for (container, resource), one in gifts.items()
        ]
        devices = {resource: sorted(ids) for resource, ids in healthy.items()}
        data = {"PodDeviceEntries": entries, "RegisteredDevices": devices}
        _replace(self._path, json.dumps({"Data": data, "Checksum": 0}))

    def read(self) -> dict[str, Gifts]:
        """What was remembered, by the UID of the pod; nothing where there is no file."""
        found: dict[str, Gifts] = {}
        if self._path.exists():
            for entry in json.loads(self._path.read_text())["Data"]["PodDeviceEntries"]:
                ids = [one for those in entry["DeviceIDs"].values() for one in those]
                gifts = found.setdefault(entry["PodUID"], {})
                gifts[entry["ContainerName"], entry["ResourceName"]] = Given(
                    tuple(ids), base64.b64decode(entry["AllocResp"])
                )
        return found


class PodsOfNode:
    """The pods of the node in the API, which keeps them while the kubelet is away.

    :param directory: where they are kept
    """

    def __init__(self, directory: Path) -> None:
        self._path = directory / "pods.json"

    def read(self) -> dict[str, Pod]:
        """All that there are, by UID."""
        if not self._path.exists():
            return {}
        return {uid: Pod(**said) for uid, said in json.loads(self._path.read_text()).items()}

    def add(self, uid: str, pod: Pod) -> None:
        """There is one more."""
        self._write({**self.read(), uid: pod})

    def remove(self, pod: Pod) -> None:
        """There is one less."""
        self._write({uid: one for uid, one in self.read().items() if one.key != pod.key})

    def _write(self, pods: Mapping[str, Pod]) -> None:
        _replace(self._path, json.dumps({uid: asdict(pod) for uid, pod in pods.items()}))


def _replace(path: Path, text: str) -> None:
    """Write so that whoever reads finds all of the old or all of the new."""
    temporary = path.with_name(f".{path.name}")
    temporary.write_text(text)
    temporary.replace(path)
