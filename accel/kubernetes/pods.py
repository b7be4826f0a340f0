"""Which pod has what: the kubelet is asked from time to time, and the agent is told.

Nobody tells a plugin that a pod has gone, and an allocation does not say whose it is. What the kubelet answers is the
whole truth at that moment, so restarts, missed calls and deleted pods leave nothing behind. Devices that another plugin
has given away under names that we know, such as the UUIDs of GPUs, count too.

There are two things that it does not list: what init containers have, and, after its own restart, pods that the API
server has not told it of yet, which may take as long as that server is away while all of them go on. Both it remembers
in a file. So what is remembered of a pod that it lists counts too; and a kubelet that is new to us is believed that a
pod has gone only when it does not remember it either. It writes the file anew at each list of a plugin, so it is sent
ours.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread

from accel.errors import AccelError
from accel.kubernetes.checkpoint import remembered
from accel.kubernetes.registration import identity
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
_DOUBT_SECONDS = 0.5
"""Until a kubelet that has just begun is asked again, and then twice as long each time, as far as the usual."""
_UNKNOWN = "unknown"
"""The namespace of a pod of which the UID alone is known."""

Held = Mapping[str, tuple[Holder, ...]]
"""By the id of the unit."""
_Given = Mapping[str, tuple[Holder, ...]]
"""By the id of the device, as the kubelet counts them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kubelet:
    """What of a kubelet tells who has what."""

    socket: Path
    """Of its pod resources."""
    directory: Path
    """Of plugins, with what it remembers."""
    resend: Callable[[], None]
    """Sends it our lists once more."""


class Pods:
    """Asks and tells, from ``start`` to ``stop``.

    :param handles_of: the handles that whoever has a unit has, by the unit's id; empty for a unit that is not known
    :param agent: the node socket
    """

    def __init__(self, kubelet: Kubelet, handles_of: Callable[[str], tuple[str, ...]], agent: Client) -> None:
        self._kubelet = kubelet
        self._lister = Client(kubelet.socket, _SERVICE)
        self._handles_of = handles_of
        self._agent = agent
        self._soon = Event()
        self._is_stopped = Event()
        self._thread = Thread(target=self._poll, name="pods", daemon=True)
        self._given: _Given = {}
        self._believed: tuple[int, int] | None = None
        self._is_resent = False
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
        self._lister.close()

    def look_soon(self) -> None:
        """Something has been given away."""
        self._soon.set()

    def _poll(self) -> None:
        doubt_seconds = _DOUBT_SECONDS
        while not self._is_stopped.is_set():
            if self._soon.is_set():
                self._soon.clear()
                self._is_stopped.wait(_SOON_SECONDS)
            if self._look():
                doubt_seconds = _DOUBT_SECONDS
                self._soon.wait(_POLL_SECONDS)
            else:
                self._soon.wait(doubt_seconds)
                doubt_seconds = min(doubt_seconds * 2, _POLL_SECONDS)

    def _look(self) -> bool:
        """Ask and tell; gives whether nothing is in doubt."""
        now = identity(self._kubelet.socket)
        try:
            pods = self._lister.call("List", kubelet.ListPodResourcesRequest(), timeout_seconds=_CALL_SECONDS)
            is_whole = self._take(devices_of(pods), is_new=now != self._believed)
            if is_whole or self._is_resent:  # else it may remember what is free again
                self._agent.call("Hold", self._message(), timeout_seconds=_CALL_SECONDS)
        except (AccelError, OSError, ValueError) as error:
            if not self.trouble and not self._is_stopped.is_set():
                _LOG.warning("It is not known which pod has what: %s", error)
            self.trouble = str(error)
            return True
        self.trouble = ""
        if is_whole:
            self._believed = now
        else:
            self._kubelet.resend()
        self._is_resent = not is_whole
        return is_whole

    def _take(self, listed: _Given, *, is_new: bool) -> bool:
        """Add to what is listed what is remembered besides; gives whether that is all of pods that are listed.

        :param is_new: whether pods that are not listed may be there
        :raises OSError: what the kubelet remembers cannot be read
        :raises ValueError: nor understood
        """
        known = remembered(self._kubelet.directory)
        pods = {known[one].pod_uid: _pod_of(who[0]) for one, who in listed.items() if one in known}
        given = dict(listed)
        is_whole = True
        for one in known.keys() - listed.keys():
            uid, container = known[one].pod_uid, known[one].container
            if uid in pods:
                given[one] = (Holder(kind=POD, name=f"{pods[uid]}/{container}"),)
            elif is_new:
                is_whole = False
                given[one] = self._given.get(one) or (Holder(kind=POD, name=f"{_UNKNOWN}/{uid}/{container}"),)
        self._given, self.held = given, by_unit(given)
        return is_whole

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


def devices_of(pods: kubelet.ListPodResourcesResponse) -> _Given:
    """Who has what, by the id of the device, each holder once."""
    found: dict[str, dict[Holder, None]] = {}
    for pod in pods.pod_resources:
        for container in pod.containers:
            holder = Holder(kind=POD, name=f"{pod.namespace}/{pod.name}/{container.name}")
            for devices in container.devices:
                for one in devices.device_ids:
                    found.setdefault(one, {})[holder] = None
    return {one: tuple(who) for one, who in found.items()}


def _pod_of(holder: Holder) -> str:
    return holder.name.rpartition("/")[0]


def by_unit(given: _Given) -> Held:
    """The same by the id of the unit, of which there may be several shares."""
    found: dict[str, dict[Holder, None]] = {}
    for one, who in given.items():
        found.setdefault(one.partition(SHARE_SEPARATOR)[0], {}).update(dict.fromkeys(who))
    return {unit: tuple(who) for unit, who in found.items()}
