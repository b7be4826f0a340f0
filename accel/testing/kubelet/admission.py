"""How a kubelet finds devices for a container: its own rules first, then what the plugin prefers."""

from collections.abc import Iterable
from random import Random

import grpc

from accel.protos import kubelet_device_plugin_v1beta1_pb2 as wire
from accel.testing.kubelet.devices import Admitted, Gifts, Given, Pod, PodRefused
from accel.testing.kubelet.plugins import Plugin, Plugins


class Admission:
    """Admits a pod.

    :param given: what pods have
    :param numa: the NUMA node that the topology manager wants; None: it does not care
    """

    def __init__(self, plugins: Plugins, given: Iterable[Gifts], *, numa: int | None, chance: Random) -> None:
        self._plugins = plugins
        self._in_use: dict[str, set[str]] = {}
        for gifts in given:
            for (_, resource), one in gifts.items():
                self._in_use.setdefault(resource, set()).update(one.ids)
        self._numa = numa
        self._chance = chance
        self._reusable: dict[str, set[str]] = {}

    def admit(self, pod: Pod) -> Admitted:
        """Find devices for all containers, and have them allocated.

        :raises PodRefused: there are too few, or the plugin refuses
        """
        one = Admitted(pod, {})
        for container, limits in pod.init_containers.items():
            self._give(one, container, limits.items())
            for resource in limits:
                self._reusable.setdefault(resource, set()).update(one.given[container, resource].ids)
        for container, limits in pod.containers.items():
            self._give(one, container, limits.items())
            for resource in limits:
                self._reusable.get(resource, set()).difference_update(one.given[container, resource].ids)
        return one

    def _give(self, one: Admitted, container: str, limits: Iterable[tuple[str, int]]) -> None:
        for resource, count in limits:
            ids = self._devices(resource, count)
            self._in_use.setdefault(resource, set()).update(ids)
            one.given[container, resource] = self._allocate(resource, ids)

    def _devices(self, resource: str, needed: int) -> list[str]:
        plugin = self._plugin(resource)
        reusable = self._reusable.get(resource, set())
        chosen = self._some(reusable, needed)
        free = {one for one, healthy in plugin.listed.health.items() if healthy} - self._in_use.get(resource, set())
        required = needed - len(chosen)
        if required == 0:
            return chosen
        if len(free) < required:
            raise PodRefused(
                f"requested number of devices unavailable for {resource}. Requested: {required}, Available: {len(free)}"
            )
        aligned = {one for one in free if self._numa is not None and self._numa in plugin.listed.numa.get(one, ())}
        if required < len(aligned):
            return [*chosen, *self._preferred(plugin, aligned, chosen, needed, aligned)]
        chosen += sorted(aligned)
        if len(chosen) == needed:
            return chosen
        return [*chosen, *self._preferred(plugin, free - aligned, chosen, needed, free)]

    def _plugin(self, resource: str) -> Plugin:
        try:
            plugin = self._plugins[resource]
        except KeyError:
            raise PodRefused(f"cannot allocate unregistered device {resource}") from None
        if not any(plugin.listed.health.values()):
            raise PodRefused(f"no healthy devices present; cannot allocate unhealthy devices {resource}")
        return plugin

    def _preferred(self, plugin: Plugin, free: set[str], chosen: list[str], needed: int, shown: set[str]) -> list[str]:
        """So many as are missing: of those that the plugin prefers, what is free; the rest by chance."""
        required = needed - len(chosen)
        wanted: list[str] = []
        if plugin.options.get_preferred_allocation_available:
            wanted = [one for one in self._ask(plugin, shown | set(chosen), chosen, needed) if one in free]
        first = list(dict.fromkeys(wanted))[:required]
        return [*first, *self._some(free - set(first), required - len(first))]

    def _ask(self, plugin: Plugin, available: set[str], must: list[str], size: int) -> list[str]:
        question = wire.ContainerPreferredAllocationRequest(
            available_deviceIDs=self._shuffled(available), must_include_deviceIDs=must, allocation_size=size
        )
        request = wire.PreferredAllocationRequest(container_requests=[question])
        try:
            answer = plugin.call("GetPreferredAllocation", request, wire.PreferredAllocationResponse)
        except grpc.RpcError as error:
            raise PodRefused(f"device plugin GetPreferredAllocation rpc failed with err: {error}") from error
        return list(answer.container_responses[0].deviceIDs) if answer.container_responses else []

    def _allocate(self, resource: str, ids: list[str]) -> Given:
        """One call for one container and one resource, without a limit of time."""
        request = wire.AllocateRequest(
            container_requests=[wire.ContainerAllocateRequest(devices_ids=self._shuffled(ids))]
        )
        try:
            answer = self._plugin(resource).call("Allocate", request, wire.AllocateResponse)
        except grpc.RpcError as error:
            text = error.details() if isinstance(error, grpc.Call) else error
            raise PodRefused(f"Allocate failed due to rpc error: {text}, which is unexpected") from error
        if not answer.container_responses:
            raise PodRefused("Allocate failed due to no containers return in allocation response, which is unexpected")
        return Given(tuple(ids), answer.container_responses[0].SerializeToString())

    def _some(self, of: Iterable[str], count: int) -> list[str]:
        return self._shuffled(of)[:count]

    def _shuffled(self, ids: Iterable[str]) -> list[str]:
        """A set has no order, and a kubelet's is by chance."""
        found = sorted(ids)
        self._chance.shuffle(found)
        return found
