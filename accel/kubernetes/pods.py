"""Which pod has what: the kubelet is asked from time to time, and the agent is told.

Nobody tells a plugin that a pod has gone, and an allocation does not say whose it is. What the kubelet answers is the
whole truth at that moment, so restarts, missed calls and deleted pods leave nothing behind. Devices that another plugin
has given away under names that we know, such as the UUIDs of GPUs, count too.

There are two things that it does not list: what init containers have, and, after its own restart, pods that the API
server has not told it of yet, which may take as long as that server is away while all of them go on. Both it remembers
in a file. So what is remembered of a pod that it lists counts too; and a kubelet that is new to us is believed that a
pod has gone only when it does not remember it either. It writes the file anew at each list of a plugin, so it is sent
ours.

What was lent to pods is given back when they have gone; ``departures`` says when that is.
"""

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread

from accel.errors import AccelError
from accel.kubernetes.checkpoint import remembered
from accel.kubernetes.departures import Departed, Departures
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
_RESEND_SECONDS = 20.0
"""How often a kubelet is made to write anew what it remembers, while that is the same and not what it lists."""
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


@dataclass(frozen=True, slots=True)
class Lent:
    """What is known of units."""

    handles_of: Callable[[str], tuple[str, ...]]
    """The handles that whoever has a unit has, by the unit's id; empty for a unit that is not known."""
    names: Callable[[], Mapping[str, tuple[str, ...]]]
    """The handles that are lent, each with the ids of the units that it was lent as."""


class Pods:
    """Asks and tells, from ``start`` to ``stop``.

    :param departures: says which handles pods have left
    :param agent: the node socket
    """

    def __init__(self, kubelet: Kubelet, lent: Lent, departures: Departures, agent: Client) -> None:
        self._kubelet = kubelet
        self._lister = Client(kubelet.socket, _SERVICE)
        self._lent = lent
        self._departures = departures
        self._agent = agent
        self._memory: frozenset[str] = frozenset()
        self._doubted: frozenset[str] = frozenset()
        self._next_resend = 0.0
        self._pause_seconds = _POLL_SECONDS
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
                self._soon.wait(self._pause_seconds)
            else:
                self._soon.wait(doubt_seconds)
                doubt_seconds = min(doubt_seconds * 2, _POLL_SECONDS)

    def _look(self) -> bool:
        """Ask and tell; gives whether nothing is in doubt."""
        now, asked_at = identity(self._kubelet.socket), self._departures.now()
        try:
            pods = self._lister.call("List", kubelet.ListPodResourcesRequest(), timeout_seconds=_CALL_SECONDS)
            is_whole = self._take(devices_of(pods), is_new=now != self._believed)
            if is_whole or self._is_resent:  # else it may remember what is free again
                departed = self._departed(asked_at)
                self._agent.call("Hold", self._message(departed), timeout_seconds=_CALL_SECONDS)
                self._release(departed)
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
        self._memory = frozenset(map(_unit, known))
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

    def _departed(self, asked_at: float) -> Departed:
        """What pods have left; nothing is looked for where it cannot be seen what the kubelet remembers."""
        lent = self._lent.names()
        if not lent or not self._kubelet.directory.is_dir():
            return Departed()
        return self._departures.look(lent, self.held, self._memory, asked_at)

    def _release(self, departed: Departed) -> None:
        """Have given back what is due; have the kubelet write down what it remembers, where that may be old."""
        by_names: dict[tuple[str, ...], list[str]] = {}
        for handle in sorted(departed.due):
            by_names.setdefault(self._lent.names().get(handle, ()), []).append(handle)
        for names, handles in by_names.items():
            request = node.ReleaseRequest(handles=handles)
            not_yet = self._agent.call("Release", request, timeout_seconds=_CALL_SECONDS).not_yet
            if not not_yet:
                _LOG.info("%s is given back", ", ".join(names))
        is_soon_due = departed.left - departed.due
        self._pause_seconds = min(_POLL_SECONDS, self._departures.grace_seconds) if is_soon_due else _POLL_SECONDS
        if departed.remembered - self._doubted or (departed.remembered and time.monotonic() >= self._next_resend):
            self._next_resend = time.monotonic() + _RESEND_SECONDS
            self._kubelet.resend()
            self._soon.set()
        self._doubted = departed.remembered

    def _message(self, departed: Departed) -> node.HoldRequest:
        by_handle: dict[str, dict[Holder, None]] = {}
        for unit, who in self.held.items():
            for handle in self._lent.handles_of(unit):
                by_handle.setdefault(handle, {}).update(dict.fromkeys(who))
        return node.HoldRequest(
            source=SOURCE,
            held=[
                node.Held(handle=handle, holders=[node.Holder(kind=one.kind, name=one.name) for one in who])
                for handle, who in sorted(by_handle.items())
            ],
            left=sorted(departed.left),
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
        found.setdefault(_unit(one), {}).update(dict.fromkeys(who))
    return {unit: tuple(who) for unit, who in found.items()}


def _unit(device: str) -> str:
    """The id of the unit that a device is, or is a share of."""
    return device.partition(SHARE_SEPARATOR)[0]
