"""Which pod has what: the kubelet is asked from time to time, and the agent is told.

Nobody tells a plugin that a pod has gone, and an allocation does not say whose it is. What the kubelet answers is the
whole truth at that moment, so restarts, missed calls and deleted pods leave nothing behind. Devices that another plugin
has given away under names that we know, such as the UUIDs of GPUs, count too.
"""

import logging
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from threading import Event, Thread

from accel.errors import AccelError
from accel.kubernetes.resources import SHARE_SEPARATOR
from accel.kubernetes.units import POD
from accel.model.offer import Holder
from accel.protos import accel_node_v1_pb2 as node
from accel.protos import kubelet_pod_resources_v1_pb2 as kubelet
from accel.sockets.client import Client

_LOG = logging.getLogger(__name__)

SOURCE = "kubelet"
"""Whose word it is, for the agent."""

_SERVICE = kubelet.DESCRIPTOR.services_by_name["PodResourcesLister"]
_POLL_SECONDS = 5.0
_SOON_SECONDS = 0.2
"""After an allocation: a kubelet lists a pod once it is admitted."""
_CALL_SECONDS = 10.0

Held = Mapping[str, tuple[Holder, ...]]
"""By the id of the unit."""


class Pods:
    """Asks and tells, from ``start`` to ``stop``.

    :param socket: the kubelet's
    :param handles_of: the handles that whoever has a unit has, by the unit's id; empty for a unit that is not known
    :param agent: the node socket
    """

    def __init__(self, socket: Path, handles_of: Callable[[str], tuple[str, ...]], agent: Client) -> None:
        self._kubelet = Client(socket, _SERVICE)
        self._handles_of = handles_of
        self._agent = agent
        self._soon = Event()
        self._is_stopped = Event()
        self._thread = Thread(target=self._poll, name="pods", daemon=True)
        self.held: Held = {}
        """What was found out the last time."""
        self.trouble = ""
        """Why it is not known who has what now; empty: it is."""

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End."""
        self._is_stopped.set()
        self._soon.set()
        self._thread.join()
        self._kubelet.close()

    def look_soon(self) -> None:
        """Something has been given away."""
        self._soon.set()

    def _poll(self) -> None:
        while not self._is_stopped.is_set():
            if self._soon.is_set():
                self._soon.clear()
                self._is_stopped.wait(_SOON_SECONDS)
            self._look()
            self._soon.wait(_POLL_SECONDS)

    def _look(self) -> None:
        try:
            pods = self._kubelet.call("List", kubelet.ListPodResourcesRequest(), timeout_seconds=_CALL_SECONDS)
            self.held = holders(pods)
            self._agent.call("Hold", self._message(), timeout_seconds=_CALL_SECONDS)
        except AccelError as error:
            if not self.trouble and not self._is_stopped.is_set():
                _LOG.warning("It is not known which pod has what: %s", error)
            self.trouble = str(error)
        else:
            self.trouble = ""

    def _message(self) -> node.HoldRequest:
        by_handle: dict[str, dict[Holder, None]] = {}
        for unit, who in self.held.items():
            for handle in self._handles_of(unit):
                by_handle.setdefault(handle, {}).update(dict.fromkeys(who))
        return node.HoldRequest(
            source=SOURCE,
            held=[
                node.Held(handle=handle, holders=[node.Holder(kind=one.kind, name=one.name) for one in who])
                for handle, who in sorted(by_handle.items())
            ],
        )


def holders(pods: kubelet.ListPodResourcesResponse) -> Held:
    """Who has what, by the id of the unit, each holder once."""
    found: dict[str, dict[Holder, None]] = {}
    for unit, holder in _held(pods):
        found.setdefault(unit, {})[holder] = None
    return {unit: tuple(who) for unit, who in found.items()}


def _held(pods: kubelet.ListPodResourcesResponse) -> Iterator[tuple[str, Holder]]:
    for pod in pods.pod_resources:
        for container in pod.containers:
            holder = Holder(kind=POD, name=f"{pod.namespace}/{pod.name}/{container.name}")
            for devices in container.devices:
                for one in devices.device_ids:
                    yield one.partition(SHARE_SEPARATOR)[0], holder
