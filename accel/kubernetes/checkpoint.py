"""What a kubelet remembers to have given away: a file of its own, which it reads when it starts.

Its list of pods is not all of it: init containers are not on it, nor, after a restart, pods that the API server has not
told of yet. It writes the file at each list of a plugin and when it gives a device away, not when a pod goes: so the
file may name what is free again.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

FILE_NAME = "kubelet_internal_checkpoint"


@dataclass(frozen=True, slots=True)
class Remembered:
    """Whose a device is; the kubelet remembers pods by their UIDs alone."""

    pod_uid: str
    container: str


def remembered(directory: Path) -> Mapping[str, Remembered]:
    """Whose the devices are, of all resources, by id; none where the kubelet has not given any away yet.

    :param directory: the kubelet's, of device plugins
    :raises OSError: the file cannot be read
    :raises ValueError: it is none that we understand: the form is that of Kubernetes since 1.20
    """
    path = directory / FILE_NAME
    try:
        entries = json.loads(path.read_bytes())["Data"]["PodDeviceEntries"] or ()
        return {
            one: Remembered(entry["PodUID"], entry["ContainerName"])
            for entry in entries
            for of_numa_node in entry["DeviceIDs"].values()
            for one in of_numa_node
        }
    except FileNotFoundError:
        return {}
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} is none of a kubelet's that we know: {error!r}") from error
