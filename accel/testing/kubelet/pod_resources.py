"""Which pod has which devices, as a kubelet tells programs on its node."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import grpc

from accel.protos import kubelet_pod_resources_v1_pb2 as wire
from accel.testing.kubelet.devices import Admitted, Given
from accel.testing.kubelet.plugins import Plugins

_PER_SECOND = 100
_BURST = 10


class PodResources:
    """The service. It has had enough after a hundred questions in a second."""

    def __init__(self, plugins: Plugins, admitted: Callable[[], Iterable[Admitted]]) -> None:
        self._plugins = plugins
        self._admitted = admitted
        self._lock = threading.Lock()
        self.questions = 0
        """How often somebody has asked which pods there are."""
        self._left = float(_BURST)
        self._asked_at = time.monotonic()

    def handler(self) -> Any:
        """For a server."""
        methods = {
            "List": (self._list, wire.ListPodResourcesRequest),
            "GetAllocatableResources": (self._allocatable, wire.AllocatableResourcesRequest),
        }
        return grpc.method_handlers_generic_handler(
            "v1.PodResourcesLister",
            {
                name: grpc.unary_unary_rpc_method_handler(
                    self._limited(function),
                    request_deserializer=request.FromString,
                    response_serializer=lambda message: message.SerializeToString(),
                )
                for name, (function, request) in methods.items()
            },
        )

    def _limited(self, function: Callable[[], Any]) -> Callable[[Any, Any], Any]:
        def limited(_: Any, context: Any) -> Any:
            with self._lock:
                now = time.monotonic()
                self._left = min(_BURST, self._left + (now - self._asked_at) * _PER_SECOND)
                self._asked_at = now
                is_too_often = self._left < 1
                self._left -= 0 if is_too_often else 1
            if is_too_often:
                context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "rejected by rate limit")
            return function()

        return limited

    def _list(self) -> wire.ListPodResourcesResponse:
        self.questions += 1
        answer = wire.ListPodResourcesResponse()
        for one in self._admitted():
            pod = answer.pod_resources.add(name=one.pod.name, namespace=one.pod.namespace)
            for container in one.pod.containers:
                entry = pod.containers.add(name=container)
                for (name, resource), given in one.given.items():
                    if name == container:
                        entry.devices.extend(self._entries(resource, given))
        return answer

    def _entries(self, resource: str, given: Given) -> Iterator[wire.ContainerDevices]:
        """One for each device and NUMA node."""
        for one in given.ids:
            nodes = self._numa(resource, one)
            for node in nodes or (None,):
                entry = wire.ContainerDevices(resource_name=resource, device_ids=[one])
                if node is not None:
                    entry.topology.nodes.add(ID=node)
                yield entry

    def _allocatable(self) -> wire.AllocatableResourcesResponse:
        answer = wire.AllocatableResourcesResponse()
        for resource in self._plugins.allocatable():
            healthy = [one for one, is_healthy in self._health(resource).items() if is_healthy]
            answer.devices.extend(wire.ContainerDevices(resource_name=resource, device_ids=[one]) for one in healthy)
        return answer

    def _numa(self, resource: str, device: str) -> tuple[int, ...]:
        try:
            return self._plugins[resource].listed.numa.get(device, ())
        except KeyError:
            return ()

    def _health(self, resource: str) -> dict[str, bool]:
        try:
            return self._plugins[resource].listed.health
        except KeyError:
            return {}
