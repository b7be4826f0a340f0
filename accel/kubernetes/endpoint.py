"""One resource as a kubelet sees it: the service ``DevicePlugin``, without the socket and without the registration."""

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from threading import Condition
from typing import Any

from accel.errors import AccelError
from accel.kubernetes.answer import chosen, container_answer
from accel.kubernetes.config import Config
from accel.kubernetes.preferred import Demand, Preference
from accel.kubernetes.resources import Act, Counted, Portion, Resource, Rule
from accel.kubernetes.units import Unit
from accel.model.device import Device
from accel.protos import kubelet_device_plugin_v1beta1_pb2 as wire
from accel.sockets.server import Call

_LOG = logging.getLogger(__name__)

SERVICE = wire.DESCRIPTOR.services_by_name["DevicePlugin"]
VERSION = "v1beta1"

HEALTHY = "Healthy"
UNHEALTHY = "Unhealthy"


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """That units are given away, or about to be used, together."""

    units: Sequence[Unit]
    """Each once."""
    act: Act | None
    """What is to be done to them; None: nothing."""
    end: Act | None = None
    """How what its user leaves is to be taken out later."""
    is_given: bool
    is_shared: bool
    seconds: float
    """How long it may take."""


Prepare = Callable[[Need], None]
"""Sees to it.

:raises AccelError: it cannot be done in time
"""

_START_SECONDS = 25.0
"""How long what is done before a container starts may take: a kubelet gives it thirty."""


@dataclass(slots=True)
class Figures:
    """What has happened to a resource since the plugin has started."""

    lists: int = 0
    last_list: float = 0.0
    """When the last list was sent, in seconds since 1970; 0: never."""
    allocations: int = 0
    refusals: int = 0
    preferences: int = 0
    allocate_seconds: float = 0.0
    """All allocations together."""
    streams: int = 0
    """How many lists are being followed now."""
    registrations: int = 0
    failures: int = 0
    """Registrations that failed."""
    trouble: str = ""
    """What is the matter now; empty: nothing."""


class Endpoint:
    """The resource. Its content changes; those who follow the list are told.

    :param prepare: makes ready what an allocation gives
    """

    def __init__(self, name: str, config: Config, prepare: Prepare) -> None:
        self.name = name
        self.figures = Figures()
        self._config = config
        self._prepare = prepare
        self._changed = Condition()
        self._content = _Content(Resource(name=name, rule=Rule(name=name)))
        self._revision = 0
        self._when_followed: Callable[[], None] = lambda: None
        self._when_left: Callable[[], None] = lambda: None

    @property
    def resource(self) -> Resource:
        """What it offers now."""
        return self._content.resource

    def list_now(self) -> "Serialized":
        """The list, as a kubelet that follows it has it."""
        return self._content.message()

    def chunks(self) -> Mapping[str, object]:
        """The parts that the list is made of, by unit; what has not changed is the same object."""
        return self._content.chunks

    def offer(self, resource: Resource, devices: Sequence[Device]) -> None:
        """Offer this from now on.

        :param devices: all of the node, for how they are connected
        """
        with self._changed:
            if resource != self._content.resource:
                self._content = _Content(resource, devices, self._content)
                self._revision += 1
                self._changed.notify_all()

    def on_follow(self, followed: Callable[[], None], left: Callable[[], None]) -> None:
        """Have something done when a kubelet begins to follow the list, and when it does not any more."""
        self._when_followed, self._when_left = followed, left

    def methods(self) -> Mapping[str, Any]:
        """Who handles which method of the service."""
        return {
            "GetDevicePluginOptions": self.options,
            "ListAndWatch": self.list_and_watch,
            "GetPreferredAllocation": self.preferred,
            "Allocate": self.allocate,
            "PreStartContainer": self.pre_start,
        }

    def options(self, _: wire.Empty, __: Call) -> wire.DevicePluginOptions:
        """What of the service a kubelet is to call, for one that asks."""
        return self.wanted()

    def wanted(self) -> wire.DevicePluginOptions:
        """What of the service a kubelet is to call."""
        wants_start = self.resource.rule.before_start is not None
        return wire.DevicePluginOptions(pre_start_required=wants_start, get_preferred_allocation_available=True)

    def list_and_watch(self, _: wire.Empty, call: Call) -> Iterator[wire.ListAndWatchResponse]:
        """The whole list, now and whenever it changes."""
        call.when_over(self._wake)
        self._count_streams(1)
        self._when_followed()
        try:
            revision = -1
            while (content := self._next(revision, call)) is not None:
                revision, message = content
                self.figures.lists += 1
                self.figures.last_list = time.time()
                yield message
        finally:
            self._count_streams(-1)
            self._when_left()

    def preferred(self, request: wire.PreferredAllocationRequest, _: Call) -> wire.PreferredAllocationResponse:
        """Which devices suit best."""
        self.figures.preferences += 1
        preference = self._content.preference
        return wire.PreferredAllocationResponse(
            container_responses=[
                wire.ContainerPreferredAllocationResponse(deviceIDs=_preferred(preference, one))
                for one in request.container_requests
            ]
        )

    def allocate(self, request: wire.AllocateRequest, _: Call) -> wire.AllocateResponse:
        """What containers need for these devices.

        :raises AccelError: they are not to be had, or cannot be made ready in time
        """
        begin = time.perf_counter()
        try:
            answers = [self._allocated(one.devices_ids) for one in request.container_requests]
        except AccelError:
            self.figures.refusals += 1
            raise
        self.figures.allocations += len(answers)
        self.figures.allocate_seconds += time.perf_counter() - begin
        return wire.AllocateResponse(container_responses=answers)

    def pre_start(self, request: wire.PreStartContainerRequest, _: Call) -> wire.PreStartContainerResponse:
        """Do what is to be done before a container starts with these devices, each time.

        :raises AccelError: it cannot be done in time; the kubelet tries again
        """
        content = self._content
        portions = chosen(content.resource, content.portions, request.devices_ids)
        self._have_done(content.resource, portions, is_given=False, seconds=_START_SECONDS)
        return wire.PreStartContainerResponse()

    def _allocated(self, ids: Sequence[str]) -> wire.ContainerAllocateResponse:
        content = self._content
        portions = chosen(content.resource, content.portions, ids)
        self._have_done(content.resource, portions, is_given=True, seconds=self._config.allocate_timeout_seconds)
        return container_answer(self._config, content.resource, portions)

    def _have_done(self, resource: Resource, portions: Iterable[Portion], *, is_given: bool, seconds: float) -> None:
        rule = resource.rule
        units = {portion.unit.id: portion.unit for portion in portions}
        need = Need(
            units=list(units.values()),
            act=rule.at_allocation if is_given else rule.before_start,
            end=rule.after_end,
            is_given=is_given,
            is_shared=resource.is_shared,
            seconds=seconds,
        )
        self._prepare(need)

    def resend(self) -> None:
        """Send the list as it is: a kubelet writes down anew then which devices it takes for given away."""
        with self._changed:
            self._revision += 1
            self._changed.notify_all()

    def _next(self, revision: int, call: Call) -> tuple[int, Any] | None:
        with self._changed:
            self._changed.wait_for(lambda: call.is_over or self._revision > revision)
            return None if call.is_over else (self._revision, self._content.message())

    def _count_streams(self, change: int) -> None:
        """Each stream has a thread of its own, and one may begin while another one ends."""
        with self._changed:
            self.figures.streams += change

    def _wake(self) -> None:
        with self._changed:
            self._changed.notify_all()


def _preferred(preference: Preference, request: wire.ContainerPreferredAllocationRequest) -> list[str]:
    """Whatever happens, an answer: an error would be the end of the pod."""
    available, must = list(request.available_deviceIDs), list(request.must_include_deviceIDs)
    try:
        return preference.choose(Demand(available=available, must_include=must, size=request.allocation_size))
    except Exception:  # noqa: BLE001 - the border: a mistake of ours costs the pod a better choice, not its life
        _LOG.exception("No preference among %d devices", len(available))
        return [*must, *(one for one in available if one not in must)][: request.allocation_size]


class Serialized:
    """A list that is put together from the bytes of its devices."""

    def __init__(self, parts: Iterable[bytes]) -> None:
        self._bytes = b"".join(parts)

    def SerializeToString(self) -> bytes:  # noqa: N802 - as messages have it
        """As a message's."""
        return self._bytes


@dataclass(frozen=True, slots=True)
class _Chunk:
    """What follows from one unit. A kubelet's list has a part for each, and only those that changed are made anew."""

    counted: Counted
    portions: tuple[Portion, ...]
    listed: bytes


class _Content:
    """A resource with what follows from it."""

    def __init__(self, resource: Resource, devices: Sequence[Device] = (), before: "_Content | None" = None) -> None:
        self.resource = resource
        known = before.chunks if before else {}
        self.chunks: dict[str, _Chunk] = {}
        for counted in resource.counted:
            chunk = known.get(counted.unit.id)
            self.chunks[counted.unit.id] = chunk if chunk and chunk.counted == counted else _chunk(counted)
        self.portions = {one.id: one for chunk in self.chunks.values() for one in chunk.portions}
        self._devices = devices
        self._preference: Preference | None = None

    @property
    def preference(self) -> Preference:
        """Worked out when it is first wanted."""
        if self._preference is None:
            self._preference = Preference(self.resource, self._devices)
        return self._preference

    def message(self) -> Serialized:
        """The list for the kubelet."""
        return Serialized(chunk.listed for chunk in self.chunks.values())


def _chunk(counted: Counted) -> _Chunk:
    portions = counted.portions()
    unit = counted.unit
    answer = wire.ListAndWatchResponse()
    for portion in portions:
        device = answer.devices.add(ID=portion.id, health=HEALTHY if unit.is_healthy else UNHEALTHY)
        if unit.device.numa_node is not None:
            device.topology.nodes.add(ID=unit.device.numa_node)
    return _Chunk(counted, portions, answer.SerializeToString())
