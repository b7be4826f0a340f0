"""The kubelet itself: its sockets, its loop, its memory."""

import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any, Self

import grpc

from accel.protos import kubelet_device_plugin_v1beta1_pb2 as wire
from accel.testing.kubelet.admission import Admission
from accel.testing.kubelet.devices import CHECKPOINT, Admitted, Checkpoint, Gifts, Pod, PodRefused, PodsOfNode
from accel.testing.kubelet.names import refusal
from accel.testing.kubelet.plugins import Limits, Plugins
from accel.testing.kubelet.pod_resources import PodResources
from accel.testing.kubelet.watcher import PluginWatcher

_PATIENCE_SECONDS = 30.0


class ContainerRefused(Exception):
    """A container cannot be started now; a kubelet tries again."""


class Kubelet:
    """A kubelet, from ``start`` to ``stop``; with the same directory again it is the same one, restarted.

    :param directory: what stands for ``/var/lib/kubelet``
    :param limits: how long it waits; None: as long as a real one
    :param old_end_disconnects: see ``Plugins``
    :param missed: how many registrations it answers and makes nothing of. One of 1.20 answers before it calls back,
        and when it gets no connection it leaves it at that
    """

    def __init__(
        self,
        directory: Path,
        *,
        limits: Limits | None = None,
        old_end_disconnects: bool = True,
        missed: int = 0,
        seed: int = 1,
    ) -> None:
        self.directory = directory
        self.device_plugins = directory / "device-plugins"
        self.plugins_registry = directory / "plugins_registry"
        self.pod_resources = directory / "pod-resources"
        self.registrations: list[str] = []
        """The names of the resources that were registered, as they came."""
        self._missed = missed
        self._chance = Random(seed)  # noqa: S311 - chance, not secrets
        self._plugins = Plugins(limits or Limits(), self._remember, old_end_disconnects=old_end_disconnects)
        self._loop = threading.Lock()
        self._pods = PodsOfNode(directory)
        self._is_api_heard = False
        self._checkpoint = Checkpoint(self.device_plugins)
        self._memory = threading.Lock()
        self._given: dict[str, Gifts] = {}
        self._pod_resources = PodResources(self._plugins, lambda: self.admitted().values())
        self._servers: list[Any] = []
        self._watcher = PluginWatcher(self.plugins_registry, self._plugins, self.registrations)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self, *, hears_api: bool = True) -> None:
        """Delete what plugins have left, remember what pods have, and listen.

        :param hears_api: whether it hears at once which pods it has; if not, it lists none and forgets none
        """
        self._is_api_heard = hears_api
        for directory in (self.device_plugins, self.plugins_registry, self.pod_resources):
            directory.mkdir(parents=True, exist_ok=True)
        for path in self.device_plugins.iterdir():
            if path.name != CHECKPOINT and not path.is_dir():
                path.unlink()
        self._given = self._checkpoint.read()
        self._serve(self.pod_resources / "kubelet.sock", self._pod_resources.handler())
        self._serve(self.device_plugins / "kubelet.sock", self._registration())
        self._watcher.start()

    def stop(self) -> None:
        """End, as at a restart of its service: its pods go on, its sockets stay where they are."""
        self._watcher.stop()
        for server in self._servers:
            server.stop(0).wait()
        self._plugins.close()

    # --- what is seen of the node ---

    def capacity(self) -> dict[str, int]:
        """As the node's status shows it."""
        return self._plugins.capacity()

    def allocatable(self) -> dict[str, int]:
        """As the node's status shows it."""
        return self._plugins.allocatable()

    def health(self, resource: str) -> dict[str, bool]:
        """Of each device of a resource whether it is healthy."""
        return dict(self._plugins[resource].listed.health)

    def numa(self, resource: str) -> dict[str, tuple[int, ...]]:
        """The NUMA nodes of those devices that have some."""
        return dict(self._plugins[resource].listed.numa)

    @property
    def questions(self) -> int:
        """How often somebody has asked which pods there are, since it started."""
        return self._pod_resources.questions

    def lists(self, resource: str) -> int:
        """How many lists have come since the plugin registered."""
        return self._plugins[resource].listed.lists

    def wait_for(
        self, resource: str, *, allocatable: int, capacity: int | None = None, patience: float = _PATIENCE_SECONDS
    ) -> float:
        """Wait until so many devices are there.

        :return: how many seconds it has taken
        :raises AssertionError: it took too long
        """
        begin = time.monotonic()

        def holds() -> bool:
            fits = capacity is None or self.capacity().get(resource, -1) == capacity
            return fits and self.allocatable().get(resource, -1) == allocatable

        self.wait(holds, patience)
        return time.monotonic() - begin

    def wait(self, holds: Callable[[], bool], patience: float = _PATIENCE_SECONDS) -> None:
        """Wait until something is true of the lists.

        :raises AssertionError: it took too long
        """
        is_true = self._plugins.wait(holds, patience)
        assert is_true, f"it was not true in {patience:g} s; allocatable: {self.allocatable()}"

    def drop(self, resource: str) -> None:
        """End the connection to a plugin, as when another one has registered for its resource."""
        self._plugins.disconnect(resource)

    # --- pods ---

    def hear_api(self) -> None:
        """The API server says which pods there are."""
        self._is_api_heard = True

    def admit(self, pod: Pod, *, numa: int | None = None) -> Admitted:
        """Admit a pod: one after the other, whoever asks.

        :param numa: the NUMA node that the topology manager wants
        :raises PodRefused: it is not admitted
        """
        with self._loop:
            if any(one.key == pod.key for one in self._pods.read().values()):
                raise PodRefused(f"pod {pod.key} is there already")
            self._forget()
            one = Admission(self._plugins, self._given.values(), numa=numa, chance=self._chance).admit(pod)
            with self._memory:
                self._pods.add(one.uid, pod)
                self._given[one.uid] = one.given
            self._remember()
            return one

    def delete(self, pod: Pod) -> None:
        """The pod is gone from the API: its devices are free at the next admission, or question. No plugin is told.

        The kubelet need not run. What it remembers in its file stays until it is written the next time.
        """
        with self._memory:
            self._pods.remove(pod)

    def admitted(self) -> dict[str, Admitted]:
        """The pods that it knows, with their devices."""
        if not self._is_api_heard:
            return {}
        self._forget()
        return {pod.key: Admitted(pod, self._given.get(uid, {}), uid) for uid, pod in self._pods.read().items()}

    def _forget(self) -> None:
        """What pods had that are gone is free; not known of any before the API server is heard."""
        if self._is_api_heard:
            with self._memory:
                there = self._pods.read()
                self._given = {uid: gifts for uid, gifts in self._given.items() if uid in there}

    def _remember(self) -> None:
        """At each admission, and at each list of a plugin."""
        with self._memory:
            self._checkpoint.write(self._given, self._plugins.healthy())

    def start_container(self, pod: Pod, container: str) -> list[wire.ContainerAllocateResponse]:
        """Start a container, or start it again: what was answered at its admission counts.

        :raises ContainerRefused: the plugin does not let it start
        """
        one = self.admitted()[pod.key]
        answers = []
        for (name, resource), given in one.given.items():
            if name == container:
                self._pre_start(resource, given.ids)
                answers.append(given.message())
        return answers

    def _pre_start(self, resource: str, ids: Iterable[str]) -> None:
        plugin = self._plugins[resource]
        if not plugin.options.pre_start_required:
            return
        request = wire.PreStartContainerRequest(devices_ids=ids)
        try:
            plugin.call(
                "PreStartContainer",
                request,
                wire.PreStartContainerResponse,
                timeout=self._plugins.limits.pre_start_seconds,
            )
        except grpc.RpcError as error:
            raise ContainerRefused(f"device plugin PreStartContainer rpc failed with err: {error}") from error

    # --- sockets ---

    def _registration(self) -> Any:
        return grpc.method_handlers_generic_handler(
            "v1beta1.Registration",
            {
                "Register": grpc.unary_unary_rpc_method_handler(
                    self._register,
                    request_deserializer=wire.RegisterRequest.FromString,
                    response_serializer=wire.Empty.SerializeToString,
                )
            },
        )

    def _register(self, request: wire.RegisterRequest, context: Any) -> wire.Empty:
        """Answered after the plugin has been called back. Its options in the request are ignored."""
        text = refusal(request.version, request.resource_name)
        is_missed = not text and len(self.registrations) < self._missed
        if not text and not is_missed:
            try:
                self._plugins.connect(request.resource_name, self.device_plugins / request.endpoint)
            except (TimeoutError, grpc.RpcError) as error:
                text = str(error)
        if text:
            context.abort(grpc.StatusCode.UNKNOWN, text)
        self.registrations.append(request.resource_name)
        return wire.Empty()

    def _serve(self, path: Path, handler: Any) -> None:
        with suppress(FileNotFoundError):
            path.unlink()
        server = grpc.server(ThreadPoolExecutor(16, thread_name_prefix=path.parent.name), handlers=[handler])
        server.add_insecure_port(f"unix:{path}")
        server.start()
        self._servers.append(server)
